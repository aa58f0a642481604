/** Who is seen (proportions, skin, hair, clothes) and how they move (style). Both follow from an id alone. */

import { Rng } from "@fourtier/tensor"
import { type Colour, rgb, shade } from "./mesh.ts"

/** Lengths in metres. */
export interface Body {
  height: number
  thigh: number
  shank: number
  /** Height of the ankle joint above the sole. */
  ankle: number
  foot: number
  /** Half distances between the hip joints and between the shoulder joints. */
  hip: number
  shoulder: number
  /** Pelvis to waist, waist to base of the neck. */
  lowerSpine: number
  upperSpine: number
  neck: number
  head: number
  upperArm: number
  foreArm: number
  hand: number
  /** Thickness relative to an average person, of limbs and of the belly. */
  build: number
  belly: number
}

export interface Look {
  skin: Colour
  hair: Colour
  hairStyle: "short" | "long" | "bun" | "ponytail" | "bald" | "cap" | "afro"
  beard: boolean
  top: Colour
  /** Second colour of the top: stripes, chest panel or trim. */
  accent: Colour
  pattern: "plain" | "stripes" | "panel" | "yoke"
  /** How far sleeves reach: 0 none, 1 the wrist. */
  sleeves: number
  bottoms: "trousers" | "shorts" | "skirt" | "dress"
  bottomColour: Colour
  socks: Colour
  shoes: Colour
  sole: Colour
  /** An open jacket or coat hem below the waist, in metres. */
  hem: number
  female: boolean
}

/** Personal manner: factors around 1 unless said otherwise. */
export interface Style {
  tempo: number
  amplitude: number
  /** Seconds by which hands and head follow the trunk. */
  lag: number
  /** Forward stoop in degrees. */
  stoop: number
  /** Feet apart, metres of half distance. */
  stance: number
  /** How much the figure sways while it stands. */
  restlessness: number
  leftHanded: boolean
  /** Where the dominant variant of a motion is chosen from, 0..1. */
  habit: number
  /** Arms held away from the body, degrees. */
  openArms: number
}

export interface Person {
  id: string
  body: Body
  look: Look
}

const skins = [
  rgb(245, 210, 185),
  rgb(232, 190, 160),
  rgb(214, 165, 130),
  rgb(190, 138, 102),
  rgb(150, 102, 72),
  rgb(112, 74, 52),
  rgb(82, 54, 40),
]
const hairs = [
  rgb(38, 30, 28),
  rgb(62, 42, 30),
  rgb(96, 62, 38),
  rgb(150, 104, 60),
  rgb(212, 176, 112),
  rgb(140, 66, 36),
  rgb(172, 170, 168),
]
const clothes = [
  rgb(206, 62, 56),
  rgb(232, 138, 52),
  rgb(238, 202, 74),
  rgb(88, 164, 92),
  rgb(48, 128, 140),
  rgb(72, 128, 208),
  rgb(52, 74, 148),
  rgb(138, 88, 168),
  rgb(224, 130, 164),
  rgb(240, 238, 230),
  rgb(150, 156, 164),
  rgb(74, 80, 88),
  rgb(126, 158, 64),
]
const dark = [
  rgb(44, 52, 84),
  rgb(58, 60, 66),
  rgb(86, 70, 54),
  rgb(70, 90, 128),
  rgb(120, 112, 96),
  rgb(34, 36, 40),
  rgb(96, 102, 84),
  rgb(176, 160, 130),
]

export function makePerson(id: string): Person {
  const rng = Rng.fork("person", id)
  const female = rng.next() < 0.5
  const height = (female ? 1.65 : 1.78) + 0.05 * bell(rng)
  const legs = rng.uniform(0.97, 1.03)
  const body: Body = {
    height,
    thigh: 0.245 * height * legs,
    shank: 0.242 * height * legs,
    ankle: 0.042 * height,
    foot: 0.15 * height,
    hip: (female ? 0.055 : 0.051) * height,
    shoulder: (female ? 0.098 : 0.113) * height * rng.uniform(0.96, 1.05),
    lowerSpine: 0.105 * height,
    upperSpine: (0.19 - 0.485 * (legs - 1)) * height,
    neck: 0.05 * height,
    head: 0.132 * height * rng.uniform(0.98, 1.06),
    upperArm: 0.172 * height * rng.uniform(0.97, 1.03),
    foreArm: 0.146 * height * rng.uniform(0.97, 1.03),
    hand: 0.104 * height,
    build: rng.uniform(0.9, 1.16),
    belly: rng.next() < 0.3 ? rng.uniform(1.1, 1.32) : rng.uniform(0.92, 1.05),
  }
  return { id, body, look: makeLook(rng, female) }
}

function makeLook(rng: Rng, female: boolean): Look {
  const top = rng.pick(clothes)
  const bottoms = female
    ? rng.pick(["trousers", "trousers", "shorts", "skirt", "dress"] as const)
    : rng.pick(["trousers", "trousers", "trousers", "shorts"] as const)
  const skin = shade(rng.pick(skins), rng.uniform(0.92, 1.05))
  return {
    skin,
    hair: rng.pick(hairs),
    hairStyle: female
      ? rng.pick(["long", "long", "bun", "ponytail", "ponytail", "short", "afro"] as const)
      : rng.pick(["short", "short", "short", "bald", "cap", "afro", "long"] as const),
    beard: !female && rng.next() < 0.3,
    top,
    accent: rng.pick(clothes),
    pattern: rng.pick(["plain", "plain", "stripes", "panel", "yoke"] as const),
    sleeves: rng.pick([0.12, 0.32, 0.36, 0.4, 1, 1, 1]),
    bottoms,
    bottomColour: bottoms === "dress" ? top : rng.pick(rng.next() < 0.75 ? dark : clothes),
    socks: rng.pick([rgb(235, 235, 235), rgb(50, 50, 54), skin]),
    shoes: rng.pick([rgb(40, 38, 38), rgb(232, 232, 228), rgb(110, 70, 44), rgb(190, 52, 50), rgb(60, 90, 150)]),
    sole: rng.pick([rgb(235, 232, 225), rgb(60, 58, 56)]),
    hem: rng.next() < 0.35 ? rng.uniform(0.06, 0.16) : 0.02,
    female,
  }
}

export function makeStyle(id: string): Style {
  const rng = Rng.fork("style", id)
  return {
    tempo: rng.uniform(0.86, 1.2),
    amplitude: rng.uniform(0.85, 1.15),
    lag: rng.uniform(0.02, 0.07),
    stoop: rng.uniform(-2, 7),
    stance: rng.uniform(0.085, 0.15),
    restlessness: rng.uniform(0.5, 1.6),
    leftHanded: rng.next() < 0.3,
    habit: rng.next(),
    openArms: rng.uniform(4, 15),
  }
}

/** Between -2 and 2, mostly near 0. */
export function bell(rng: Rng): number {
  return rng.next() + rng.next() + rng.next() + rng.next() - 2
}
