/**
 * Which clips there are. A clip depends on the seed, its split, its class and its number only: a larger set holds every
 * smaller one.
 *
 * - `train`: each class has a home scene, where four clips of five are set
 * - `test`: other people, styles and cameras; the same homes
 * - `test-shift`: the people, styles and cameras of `test`, never at home
 */

import { csvLine } from "@fourtier/core"
import { FourtierError, nearest, Rng } from "@fourtier/tensor"
import { type ActionName, actionNames } from "./acts.ts"
import type { ClipSpec } from "./clip.ts"
import type { EncodingOptions } from "./encode.ts"
import { type SceneName, sceneNames } from "./scenes.ts"

export const splitNames = ["train", "test", "test-shift"] as const
export type SplitName = (typeof splitNames)[number]
export type Counts = Record<SplitName, number>

/** Where a class is set when nothing shifts it. The two halves of a pair live apart; each scene is home to three. */
export const homes: Record<ActionName, SceneName> = {
  bow: "stage",
  clap: "stage",
  jump: "beach",
  kick: "forest",
  lower: "stage",
  "pick-up": "forest",
  point: "street",
  pull: "gym",
  punch: "gym",
  push: "street",
  raise: "forest",
  run: "gym",
  "sit-down": "room",
  squat: "room",
  "stand-up": "beach",
  throw: "beach",
  walk: "street",
  wave: "room",
}

/** Twelve classes, two at home in each scene: three pairs that differ in order only, one that differs by a ball. */
export const demoClasses: readonly ActionName[] = [
  ...(["bow", "kick", "lower", "pull", "punch", "push"] as const),
  ...(["raise", "sit-down", "stand-up", "throw", "walk", "wave"] as const),
]

/** Clips of each class in the default set. */
export const demoCounts: Counts = { train: 15, test: 8, "test-shift": 8 }

export interface PlannedClip extends ClipSpec {
  /** Below the set's folder, forward slashes. */
  path: string
  split: SplitName
  codec: EncodingOptions["codec"]
  crf: number
}

export interface PlanOptions {
  classes: readonly ActionName[]
  /** Clips of each class. */
  counts: Counts
  seed: number
  width?: number
  height?: number
}

/** People, styles and cameras of one side of the split. Names of the sides never meet. */
export const pools = {
  train: { person: 40, style: 60, camera: 48 },
  test: { person: 20, style: 30, camera: 24 },
}

/**
 * Every clip of a set, before anything is rendered.
 * @throws FourtierError for an unknown class or a size that cannot be encoded
 *
 * @example
 * ```ts
 * import { demoClasses, demoCounts, planClips } from "@fourtier/puppets"
 *
 * planClips({ classes: demoClasses, counts: demoCounts, seed: 1 }).length // 372
 * ```
 */
export function planClips(options: PlanOptions): PlannedClip[] {
  const { classes, counts, seed, width = 256, height = 192 } = options
  if (width % 2 !== 0 || height % 2 !== 0 || width < 64 || height < 64) {
    throw new FourtierError({
      what: "odd picture size",
      expected: "even numbers, 64 or more",
      found: `${width}x${height}`,
    })
  }
  const clips: PlannedClip[] = []
  for (const split of splitNames) {
    for (const action of [...new Set(classes)].sort()) {
      for (let i = 0; i < counts[split]; i++) clips.push(planClip(seed, split, action, i, width, height))
    }
  }
  return clips
}

function planClip(
  seed: number,
  split: SplitName,
  action: ActionName,
  index: number,
  width: number,
  height: number,
): PlannedClip {
  const side = split === "train" ? "train" : "test"
  // Both test parts walk through their people in another order, so that they share the pool but not the clips.
  const choose = (kind: "person" | "style" | "camera") => {
    const size = pools[side][kind]
    const order = Rng.fork(seed, split, action, kind).shuffle(Array.from({ length: size }, (_, i) => i))
    return `${side}-${kind}-${String(order[index % size]).padStart(2, "0")}`
  }
  const clipSeed = [seed, split, action, index].join(" ")
  const rng = Rng.fork(clipSeed, "clip")
  const home = homes[action]
  const elsewhere = sceneNames.filter((name) => name !== home)
  const away = split === "test-shift" || index % 5 === 4
  const scene = away ? elsewhere[(rng.int(5) + index) % 5] : home
  const vp9 = rng.next() < 0.15
  const fps = rng.pick([24, 25])
  return {
    path: `${split}/${action}/${action}-${String(index).padStart(4, "0")}.${vp9 ? "webm" : "mp4"}`,
    split,
    seed: clipSeed,
    action,
    person: choose("person"),
    style: choose("style"),
    camera: choose("camera"),
    scene,
    frames: 46 + rng.int(9),
    fps,
    width,
    height,
    codec: vp9 ? "vp9" : "h264",
    crf: vp9 ? 28 + rng.int(12) : 19 + rng.int(10),
  }
}

/**
 * Splits a total over classes and splits in the default set's proportions.
 *
 * @example
 * ```ts
 * import { countsFor } from "@fourtier/puppets"
 *
 * countsFor(2000, 18) // { train: 54, test: 29, "test-shift": 29 }
 * ```
 */
export function countsFor(total: number, classes: number): Counts {
  const each = total / classes
  const whole = demoCounts.train + demoCounts.test + demoCounts["test-shift"]
  const share = (split: SplitName) => Math.max(1, Math.round((each * demoCounts[split]) / whole))
  return { train: share("train"), test: share("test"), "test-shift": share("test-shift") }
}

/**
 * Reads "all", "demo" or names between commas.
 *
 * @example
 * ```ts
 * import { parseClasses } from "@fourtier/puppets"
 *
 * parseClasses("push, pull") // ["push", "pull"]
 * ```
 */
export function parseClasses(text: string): ActionName[] {
  if (text === "all") return [...actionNames]
  if (text === "demo") return [...demoClasses]
  return text.split(",").map((part) => {
    const name = actionNames.find((known) => known === part.trim())
    if (name) return name
    const guess = nearest(part.trim(), actionNames)
    throw new FourtierError({
      where: "--classes",
      what: "unknown action",
      expected: `all, demo or some of ${actionNames.join(", ")}`,
      found: part.trim(),
      ...(guess ? { fix: `did you mean ${guess}?` } : {}),
    })
  })
}

/** The set's manifest as CSV: one line a clip. `group` is the person. */
export function manifestCsv(clips: readonly PlannedClip[]): string {
  const head = csvLine(["path", "label", "split", "group", "scene", "person", "style", "camera"])
  const lines = clips.map((clip) =>
    csvLine([clip.path, clip.action, clip.split, clip.person, clip.scene, clip.person, clip.style, clip.camera]),
  )
  return head + lines.join("")
}
