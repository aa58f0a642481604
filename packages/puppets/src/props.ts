/** Things people handle: chairs, carts, cartons, bars, balls, bags. Drawn around their placement. */

import type { Rng } from "@fourtier/tensor"
import { add, apply, basisAlong, compose, rotation, type Vec } from "./math.ts"
import { ball, box, type Colour, type Mesh, rgb, rod, shade } from "./mesh.ts"
import type { Placement } from "./performance.ts"

export type Draw = (mesh: Mesh, placement: Placement) => void

const within =
  ({ place, basis }: Placement) =>
  (x: number, y: number, z: number): Vec =>
    add(place, apply(basis, [x, y, z]))

/** A seat whose top is `height` metres above its place. */
export function makeSeat(rng: Rng, height: number): Draw {
  const kind = rng.pick(["chair", "chair", "chair", "stool", "block"] as const)
  const colour = rng.pick([
    rgb(150, 100, 60),
    rgb(210, 170, 120),
    rgb(180, 50, 46),
    rgb(50, 90, 140),
    rgb(70, 72, 78),
    rgb(232, 230, 224),
  ])
  const legs = rng.next() < 0.5 ? shade(colour, 0.7) : rgb(120, 124, 130)
  return (mesh, placement) => {
    const at = within(placement)
    const { basis } = placement
    if (kind === "block") {
      box(mesh, at(0, height / 2, 0), [0.24, height / 2, 0.23], colour, basis)
      return
    }
    box(mesh, at(0, height - 0.02, 0), [0.22, 0.02, 0.21], colour, basis)
    for (const x of [-0.19, 0.19]) {
      for (const z of [-0.18, 0.18]) rod(mesh, at(x, height - 0.03, z), at(x * 1.06, 0, z * 1.06), 0.018, legs, 5)
    }
    if (kind === "stool") return
    for (const x of [-0.19, 0.19]) rod(mesh, at(x, height, -0.2), at(x, height + 0.45, -0.25), 0.016, legs, 5)
    box(mesh, at(0, height + 0.34, -0.245), [0.21, 0.1, 0.015], colour, basis)
  }
}

export interface Cart {
  draw: Draw
  /** Height of the handle, and its distance behind the cart's place. */
  handle: number
  back: number
}

/** A wheeled load with a handle bar towards -z. */
export function makeCart(rng: Rng): Cart {
  const kind = rng.pick(["platform", "trolley", "crate"] as const)
  const paint = rng.pick([rgb(52, 96, 160), rgb(190, 60, 50), rgb(70, 130, 84), rgb(90, 94, 100), rgb(214, 160, 60)])
  const carton = rng.pick([rgb(190, 146, 96), rgb(206, 168, 118), rgb(160, 120, 80)])
  const handle = rng.uniform(0.94, 1.06)
  const tall = rng.uniform(0.5, 0.8)
  const steel = rgb(130, 134, 140)
  const wheel = (mesh: Mesh, at: (x: number, y: number, z: number) => Vec) => {
    for (const x of [-0.27, 0.27]) {
      for (const z of [-0.34, 0.34]) rod(mesh, at(x - 0.02, 0.08, z), at(x + 0.02, 0.08, z), 0.08, rgb(40, 40, 44), 8)
    }
  }
  const bars = (mesh: Mesh, at: (x: number, y: number, z: number) => Vec, low: number) => {
    for (const x of [-0.28, 0.28]) rod(mesh, at(x, low, -0.42), at(x, handle, -0.5), 0.017, steel, 6)
    rod(mesh, at(-0.28, handle, -0.5), at(0.28, handle, -0.5), 0.018, rgb(60, 62, 66), 6)
  }
  const draw: Draw = (mesh, placement) => {
    const at = within(placement)
    const { basis } = placement
    wheel(mesh, at)
    bars(mesh, at, 0.2)
    if (kind === "trolley") {
      box(mesh, at(0, 0.24, 0), [0.3, 0.03, 0.42], steel, basis)
      for (const [x, z, hx, hz] of [
        [0, 0.42, 0.3, 0.015],
        [0, -0.42, 0.3, 0.015],
        [0.3, 0, 0.015, 0.42],
        [-0.3, 0, 0.015, 0.42],
      ]) {
        box(mesh, at(x, 0.24 + tall / 2, z), [hx, tall / 2, hz], paint, basis)
      }
      box(mesh, at(0, 0.24 + tall * 0.9, 0), [0.27, 0.02, 0.38], shade(paint, 0.3), basis)
      return
    }
    box(mesh, at(0, 0.19, 0), [0.31, 0.03, 0.44], paint, basis)
    if (kind === "crate") {
      box(mesh, at(0, 0.24 + tall / 2, 0.02), [0.28, tall / 2, 0.36], carton, basis)
      for (const y of [0.26, 0.22 + tall]) box(mesh, at(0, y, 0.02), [0.29, 0.03, 0.37], shade(carton, 0.75), basis)
      return
    }
    box(mesh, at(-0.02, 0.22 + 0.17, 0.1), [0.25, 0.17, 0.26], carton, basis)
    box(mesh, at(0.03, 0.22 + 0.34 + 0.12, 0.08), [0.2, 0.12, 0.2], shade(carton, 0.82), basis)
    box(mesh, at(-0.02, 0.395, 0.1), [0.035, 0.171, 0.262], rgb(226, 204, 160), basis)
  }
  return { draw, handle, back: 0.5 }
}

export interface Load {
  draw: Draw
  /** Half width between the hands and half height. */
  half: number
  tall: number
  /** Gripped like a bar, palms away, rather than between the palms. */
  bar: boolean
}

/** Something to carry with both hands. */
export function makeLoad(rng: Rng): Load {
  const kind = rng.pick(["carton", "carton", "ball", "bar", "crate"] as const)
  const colour = rng.pick([
    rgb(192, 148, 98),
    rgb(176, 130, 84),
    rgb(60, 110, 170),
    rgb(196, 66, 56),
    rgb(90, 150, 96),
    rgb(226, 196, 90),
  ])
  if (kind === "bar") {
    const plate = rng.uniform(0.11, 0.17)
    const draw: Draw = (mesh, placement) => {
      const at = within(placement)
      rod(mesh, at(-0.62, 0, 0), at(0.62, 0, 0), 0.016, rgb(176, 180, 186), 6)
      for (const x of [-0.6, -0.53, 0.5, 0.57]) rod(mesh, at(x, 0, 0), at(x + 0.04, 0, 0), plate, rgb(44, 44, 50), 12)
    }
    return { draw, half: 0.25, tall: plate, bar: true }
  }
  if (kind === "ball") {
    const radius = rng.uniform(0.15, 0.2)
    const draw: Draw = (mesh, { place, basis }) =>
      ball(mesh, place, basis, [radius, radius, radius], {
        colour: (x, _, z) => (x * z > 0 ? colour : shade(colour, 0.62)),
        bands: 9,
        segments: 12,
      })
    return { draw, half: radius * 0.93, tall: radius, bar: false }
  }
  const half: Vec = [rng.uniform(0.16, 0.2), rng.uniform(0.11, 0.16), rng.uniform(0.13, 0.17)]
  const tape: Colour = kind === "carton" ? rgb(228, 206, 164) : shade(colour, 0.6)
  const draw: Draw = (mesh, { place, basis }) => {
    box(mesh, place, half, colour, basis, shade(colour, 1.1))
    box(mesh, place, [half[0] * 0.18, half[1] * 1.015, half[2] * 1.015], tape, basis)
  }
  return { draw, half: half[0] + 0.012, tall: half[1], bar: false }
}

export function makeBall(rng: Rng, radius: number): Draw {
  const colour = rng.pick([
    rgb(226, 220, 60),
    rgb(236, 120, 40),
    rgb(240, 240, 236),
    rgb(210, 50, 50),
    rgb(60, 120, 210),
  ])
  return (mesh, { place, basis }) =>
    ball(mesh, place, basis, [radius, radius, radius], {
      colour: (x, y) => (Math.abs(x) < 0.2 || Math.abs(y) < 0.16 ? shade(colour, 0.6) : colour),
      bands: 7,
      segments: 9,
    })
}

/** Something to lift from the floor with one hand: its grip is `grip` metres above its place. */
export function makeBag(rng: Rng): { draw: Draw; grip: number } {
  const kind = rng.pick(["bag", "bag", "bottle", "bucket"] as const)
  const colour = rng.pick([rgb(180, 60, 54), rgb(56, 90, 150), rgb(96, 70, 50), rgb(60, 120, 80), rgb(226, 186, 70)])
  const dark = shade(colour, 0.55)
  if (kind === "bottle") {
    const draw: Draw = (mesh, placement) => {
      const at = within(placement)
      rod(mesh, at(0, 0, 0), at(0, 0.24, 0), 0.055, colour, 8, 0.055)
      rod(mesh, at(0, 0.24, 0), at(0, 0.33, 0), 0.05, colour, 8, 0.02)
    }
    return { draw, grip: 0.26 }
  }
  if (kind === "bucket") {
    const draw: Draw = (mesh, placement) => {
      const at = within(placement)
      rod(mesh, at(0, 0, 0), at(0, 0.26, 0), 0.11, colour, 10, 0.15)
      rod(mesh, at(-0.14, 0.25, 0), at(0, 0.42, 0), 0.01, rgb(120, 120, 124), 5)
      rod(mesh, at(0.14, 0.25, 0), at(0, 0.42, 0), 0.01, rgb(120, 120, 124), 5)
    }
    return { draw, grip: 0.42 }
  }
  const draw: Draw = (mesh, placement) => {
    const at = within(placement)
    box(mesh, at(0, 0.14, 0), [0.1, 0.13, 0.19], colour, placement.basis)
    box(mesh, at(0, 0.16, 0), [0.103, 0.03, 0.193], dark, placement.basis)
    rod(mesh, at(0, 0.26, -0.1), at(0, 0.36, -0.06), 0.014, dark, 5)
    rod(mesh, at(0, 0.26, 0.1), at(0, 0.36, 0.06), 0.014, dark, 5)
    rod(mesh, at(0, 0.36, -0.06), at(0, 0.36, 0.06), 0.016, dark, 5)
  }
  return { draw, grip: 0.37 }
}

/** A thing that only stands by: so that the mere presence of an object tells little. */
export function makeBystandingThing(rng: Rng): Draw {
  return rng.pick([
    () => makeSeat(rng, 0.45),
    () => makeCart(rng).draw,
    () => makeBag(rng).draw,
    () => {
      const load = makeLoad(rng)
      const draw: Draw = (mesh, { place, basis }) =>
        load.draw(mesh, { place: [place[0], place[1] + load.tall, place[2]], basis })
      return draw
    },
    () => {
      const round = makeBall(rng, 0.11)
      const draw: Draw = (mesh, { place, basis }) =>
        round(mesh, { place: [place[0], place[1] + 0.11, place[2]], basis })
      return draw
    },
  ])()
}

/** A placement on the floor, turned by `heading` radians. */
export function onFloor(x: number, z: number, heading = 0): Placement {
  return { place: [x, 0, z], basis: rotation(0, heading, 0) }
}

/** A thing carried at a wrist: `down` metres below the grip, upright whatever the hand does. */
export function hanging(grip: Vec, down: number, front: Vec): Placement {
  return { place: [grip[0], grip[1] - down, grip[2]], basis: compose(basisAlong([0, 1, 0], front), rotation(0, 0, 0)) }
}
