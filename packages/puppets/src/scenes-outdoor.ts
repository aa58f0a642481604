/** Streets, beaches and woods. */

import type { Rng } from "@fourtier/tensor"
import * as things from "./furniture.ts"
import * as surface from "./materials.ts"
import { smoothstep } from "./math.ts"
import { blend, box, type Colour, Mesh, rgb, shade } from "./mesh.ts"
import { noise } from "./noise.ts"
import { backWall, daylight, ground, mixInk, plane, type Scene, sideWall } from "./world.ts"

export function street(rng: Rng): Scene {
  const night = rng.next() < 0.35
  const props = new Mesh()
  const brick = rng.pick([
    rgb(158, 84, 66),
    rgb(186, 150, 118),
    rgb(120, 112, 108),
    rgb(208, 190, 160),
    rgb(140, 96, 84),
  ])
  const wall = rng.next() < 0.6 ? surface.bricks(brick, rgb(190, 184, 174)) : surface.plain(brick)
  const glass: Colour = night ? [0.02, 0.025, 0.04] : rgb(96, 120, 140)
  const front = surface.facade(
    wall,
    rgb(230, 226, 218),
    glass,
    [1.6, 1.3, 0.7],
    night ? 0.45 : 0,
    rng.uniform(1.7, 2.3),
  )
  const paving = rng.pick([
    surface.tiles(rgb(168, 164, 158), rgb(110, 108, 104), 0.5),
    surface.tiles(rgb(150, 140, 130), rgb(100, 96, 90), 0.3),
    surface.asphalt(rgb(104, 104, 108)),
  ])
  const far = rng.uniform(-8.5, -6.5)
  const curb = -rng.uniform(1.7, 2.3)
  const road = surface.marked(surface.asphalt(rgb(74, 74, 80)), rgb(225, 222, 210), [
    ["v", -(far + curb) / 2, -200, 200, 0.06],
  ])
  const day: Colour = night ? [0.3, 0.3, 0.36] : [0.98, 0.96, 0.92]
  const planes = [
    plane([0, 0, 0], [1, 0, 0], [0, 0, -1], [-60, -30], [60, -curb], paving, day, true),
    plane([0, -0.1, 0], [1, 0, 0], [0, 0, -1], [-60, -curb], [60, 60], road, shade(day, 0.95), true),
    backWall(far, 60, rng.uniform(5, 11), front, shade(day, 0.85)),
  ]
  box(props, [0, -0.04, curb], [60, 0.045, 0.08], rgb(186, 184, 178))
  const lampX = rng.uniform(-2.2, 2.2)
  things.lampPost(props, lampX, curb + 0.25, night)
  if (rng.next() < 0.65) {
    const paint = rng.pick([rgb(170, 44, 40), rgb(50, 80, 140), rgb(210, 210, 208), rgb(60, 64, 70), rgb(200, 170, 60)])
    things.car(props, rng.uniform(-3.5, 3.5), curb - 1.1, paint, rng.next() < 0.5 ? 1 : -1)
  }
  if (rng.next() < 0.6) {
    things.tree(
      props,
      -lampX + rng.uniform(-0.5, 0.5),
      curb + 0.4,
      rng.uniform(3.2, 4.4),
      rng,
      rgb(96, 78, 62),
      rgb(84, 128, 66),
    )
  }
  if (rng.next() < 0.5) things.bench(props, rng.pick([-2, 2]), curb + 0.5, 0)
  if (rng.next() < 0.4) box(props, [rng.uniform(-3, 3), 0.45, curb + 0.4], [0.2, 0.45, 0.2], rgb(50, 84, 66))
  const sunX = rng.uniform(-0.8, 0.8)
  return {
    name: "street",
    planes,
    sky: night
      ? surface.skyOf([0.006, 0.008, 0.03], [0.04, 0.04, 0.08], [0.03, 0.03, 0.05], 0.5, true)
      : surface.skyOf(rgb(104, 152, 216), rgb(196, 216, 232), rgb(248, 248, 250), rng.uniform(0.3, 0.9)),
    props,
    light: daylight(
      night
        ? {
            sky: [0.4, 0.39, 0.42],
            ground: [0.16, 0.14, 0.13],
            key: [0.8, 0.68, 0.46],
            direction: [lampX * 0.3 + 0.1, 1.6, 0.5],
            shadow: 0.6,
            fog: [0.03, 0.03, 0.05],
            haze: 0.01,
          }
        : {
            key: [0.95, 0.88, 0.76],
            direction: [sunX, 1.1, 0.7],
            shadow: 0.5,
            fog: [0.7, 0.76, 0.84],
            haze: 0.006,
          },
    ),
    pool: night
      ? (x, y, z) =>
          0.55 + 2.6 * Math.max(0, 1 - ((x - lampX - 0.3) ** 2 + (z - curb - 1) ** 2 + 0.2 * y * y) / 12) ** 2
      : (_x, y) => 0.92 + 0.02 * Math.min(4, y),
    spots: [
      [-2.4, curb + 0.7],
      [2.5, curb + 0.6],
      [-1.1, far + 0.9],
      [1.6, far + 0.8],
    ],
  }
}

export function beach(rng: Rng): Scene {
  const time = rng.pick(["noon", "noon", "evening"] as const)
  const evening = time === "evening"
  const props = new Mesh()
  const shore = -rng.uniform(3.2, 5)
  const day: Colour = evening ? [0.86, 0.66, 0.5] : [1.02, 1, 0.96]
  const sea = surface.water(
    evening ? rgb(70, 84, 120) : rgb(30, 92, 140),
    evening ? rgb(150, 130, 130) : rgb(86, 170, 178),
    evening ? rgb(250, 210, 180) : rgb(240, 248, 248),
  )
  const planes = [
    ground(surface.sand(rng.pick([rgb(224, 200, 154), rgb(206, 180, 138), rgb(232, 214, 178)])), day),
    plane([0, 0.006, shore], [1, 0, 0], [0, 0, -1], [-300, 0], [300, 400], sea, day),
  ]
  const paint = rng.pick([rgb(214, 60, 54), rgb(54, 110, 190), rgb(240, 180, 60)])
  if (rng.next() < 0.6)
    things.umbrella(props, rng.pick([-2.3, 2.4]), rng.uniform(-2.6, -1.6), paint, rgb(244, 242, 236))
  if (rng.next() < 0.55) things.palm(props, rng.pick([-2.8, 2.9]), rng.uniform(-3, -2), rng.uniform(3.2, 4.2), rng)
  if (rng.next() < 0.6) {
    box(
      props,
      [rng.uniform(-2.6, 2.6), 0.01, -1.6],
      [0.35, 0.01, 0.8],
      rng.pick([paint, rgb(120, 190, 190), rgb(240, 150, 170)]),
    )
  }
  if (rng.next() < 0.5) {
    const x = rng.uniform(-9, 9)
    box(props, [x, 0.2, -30], [1.6, 0.3, 0.4], rgb(240, 240, 240))
    props.quad([x, 0.5, -30], [x + 1.6, 0.6, -30], [x + 0.1, 4.6, -30], [x, 4.6, -30], rgb(248, 244, 236))
  }
  for (let i = 0; i < 5; i++) {
    const size = rng.uniform(0.04, 0.16)
    things.foliage(props, [rng.uniform(-4, 4), 0, rng.uniform(-3.2, -1.4)], size, rgb(130, 124, 116))
  }
  const sunX = rng.uniform(-0.9, 0.9)
  return {
    name: "beach",
    planes,
    sky: evening
      ? surface.skyOf(rgb(110, 120, 176), rgb(250, 190, 140), rgb(252, 214, 190), 0.8)
      : surface.skyOf(rgb(70, 140, 220), rgb(190, 222, 240), rgb(252, 252, 252), rng.uniform(0.2, 0.8)),
    props,
    light: daylight(
      evening
        ? {
            sky: [0.6, 0.52, 0.52],
            ground: [0.4, 0.3, 0.22],
            key: [1, 0.66, 0.4],
            direction: [sunX + 0.3, 0.8, 0.5],
            shadow: 0.45,
          }
        : {
            sky: [0.66, 0.72, 0.8],
            ground: [0.5, 0.44, 0.34],
            key: [1.05, 1, 0.9],
            direction: [sunX, 1.3, 0.6],
            shadow: 0.5,
          },
    ),
    spots: [
      [-2.3, shore + 0.7],
      [1.5, shore + 0.5],
      [2.8, -1.8],
      [-3.2, -2.4],
    ],
  }
}

export function forest(rng: Rng): Scene {
  const props = new Mesh()
  const autumn = rng.next() < 0.35
  const dusk = rng.next() < 0.25
  const leaves = autumn ? rgb(196, 120, 50) : rgb(78, 124, 56)
  const floor =
    rng.next() < 0.5
      ? surface.forestFloor(rgb(104, 80, 56), autumn ? rgb(206, 130, 60) : rgb(130, 112, 66), rgb(92, 122, 62))
      : surface.grass(autumn ? rgb(160, 152, 84) : rgb(128, 164, 84), rgb(70, 100, 52))
  const day: Colour = dusk ? [0.62, 0.54, 0.56] : [0.86, 0.9, 0.8]
  for (let i = 0; i < 9; i++) {
    const x = rng.uniform(-7, 7)
    const z = -rng.uniform(2.6, 9)
    if (z > -3.2 && Math.abs(x) < 1) continue
    const bark = rng.pick([rgb(96, 76, 60), rgb(80, 66, 54), rgb(200, 196, 186)])
    things.tree(props, x, z, rng.uniform(4.5, 7), rng, bark, leaves)
  }
  for (let i = 0; i < 7; i++) {
    const size = rng.uniform(0.25, 0.6)
    things.foliage(
      props,
      [rng.uniform(-5, 5), size * 0.4, -rng.uniform(2.2, 5)],
      size,
      shade(leaves, rng.uniform(0.6, 1)),
    )
  }
  for (let i = 0; i < 4; i++) {
    things.foliage(props, [rng.uniform(-4, 4), 0, -rng.uniform(1.6, 3)], rng.uniform(0.08, 0.22), rgb(124, 120, 112))
  }
  const sunX = rng.uniform(-0.7, 0.7)
  const thicket = surface.thicket(
    blend(leaves, rgb(120, 140, 110), 0.3),
    rgb(74, 60, 50),
    dusk ? rgb(190, 160, 170) : rgb(214, 228, 220),
  )
  const open = surface.skyOf(rgb(130, 170, 214), rgb(214, 226, 220), rgb(250, 250, 248), 0.5)
  return {
    name: "forest",
    planes: [
      ground(floor, day),
      backWall(-11, 60, 9, thicket, shade(day, 0.8)),
      sideWall(-9, 12, -11, 9, thicket, shade(day, 0.7)),
      sideWall(9, 12, -11, 9, thicket, shade(day, 0.75)),
    ],
    sky: (x, y, z, ink) => {
      open(x, y, z, ink)
      if (dusk) mixInk(ink, [0.3, 0.2, 0.26], 0.5)
    },
    props,
    light: daylight({
      sky: dusk ? [0.5, 0.46, 0.5] : [0.6, 0.68, 0.58],
      ground: [0.26, 0.24, 0.16],
      key: dusk ? [0.72, 0.52, 0.4] : [0.86, 0.82, 0.62],
      direction: [sunX, 1.2, 0.65],
      shadow: 0.45,
      softness: 1,
      fog: dusk ? [0.2, 0.18, 0.24] : [0.6, 0.7, 0.62],
      haze: 0.009,
    }),
    pool: (x, _y, z) => 0.72 + 0.6 * smoothstep(0.42, 0.62, noise(x * 16 + 70, z * 16)),
    spots: [
      [-2.3, -2.6],
      [2.4, -3],
      [1, -4.5],
    ],
  }
}
