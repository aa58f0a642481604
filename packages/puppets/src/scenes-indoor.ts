/** Rooms, gyms and stages. */

import type { Rng } from "@fourtier/tensor"
import * as things from "./furniture.ts"
import * as surface from "./materials.ts"
import { clamp, smoothstep } from "./math.ts"
import { blend, box, type Colour, Mesh, rgb, shade } from "./mesh.ts"
import { noise } from "./noise.ts"
import { backWall, daylight, ground, type Ink, plane, type Scene, setInk, sideWall } from "./world.ts"

const darkness = (_x: number, _y: number, _z: number, ink: Ink) => setInk(ink, [0.01, 0.01, 0.012])

export function room(rng: Rng): Scene {
  const night = rng.next() < 0.3
  const props = new Mesh()
  const wall = rng.pick([
    rgb(222, 210, 190),
    rgb(188, 206, 212),
    rgb(206, 216, 188),
    rgb(226, 196, 178),
    rgb(170, 182, 200),
    rgb(232, 228, 220),
  ])
  const figure = blend(wall, rng.pick([rgb(150, 90, 70), rgb(80, 110, 140), rgb(255, 255, 255)]), 0.5)
  const paper = surface.wallpaper(wall, figure, rng.pick(["plain", "plain", "stripes", "dots"] as const))
  const floor = rng.pick([
    surface.planks(rgb(168, 118, 74)),
    surface.planks(rgb(122, 82, 52)),
    surface.planks(rgb(196, 160, 118)),
    surface.carpet(rgb(140, 128, 116)),
    surface.tiles(rgb(204, 198, 186), rgb(150, 146, 140), 0.45),
  ])
  const back = -rng.uniform(1.9, 2.6)
  const warm: Colour = night ? [0.62, 0.5, 0.34] : [0.84, 0.82, 0.78]
  const skirting = surface.plain(rgb(236, 232, 224))
  const planes = [
    ground(floor, shade(warm, 1.02)),
    backWall(back, 5, 3.2, paper, shade(warm, 0.95)),
    backWall(back + 0.015, 5, 0.1, skirting, warm),
    sideWall(-3.6, 4, back, 3.2, paper, shade(warm, 0.75)),
    sideWall(3.6, 4, back, 3.2, paper, shade(warm, 0.82)),
  ]
  const rug = rng.pick([rgb(150, 60, 52), rgb(60, 84, 110), rgb(120, 122, 84), rgb(190, 176, 150)])
  if (rng.next() < 0.55) {
    const trim = surface.checks(rug, shade(rug, 0.7), 0.22)
    planes.push(plane([0, 0.004, -0.2], [1, 0, 0], [0, 0, -1], [-1.5, -0.9], [1.5, 0.9], trim, warm, true))
  }
  const windowX = rng.uniform(-2.2, 2.2)
  const outside: Colour = night ? [0.015, 0.02, 0.05] : [1, 1.05, 1.15]
  box(props, [windowX, 1.55, back + 0.02], [0.62, 0.72, 0.03], rgb(240, 238, 232))
  for (const s of [-0.3, 0.3]) box(props, [windowX + s, 1.55, back + 0.05], [0.26, 0.64, 0.01], outside)
  const drape = rng.pick([rgb(190, 90, 80), rgb(90, 120, 150), rgb(214, 200, 170)])
  for (const s of [-0.8, 0.8]) box(props, [windowX + s, 1.5, back + 0.08], [0.16, 0.9, 0.04], drape)
  const free = [-2.6, -1.7, 1.7, 2.6].filter((x) => Math.abs(x - windowX) > 0.4)
  const places = rng.shuffle(free)
  if (rng.next() < 0.7) things.shelf(props, places[0], back + 0.2, rng)
  const cloth = rng.pick([rgb(120, 60, 60), rgb(70, 90, 120), rgb(130, 130, 120), rgb(90, 110, 80)])
  if (rng.next() < 0.6 && places.length > 1) things.sofa(props, places[1] * 0.9, back + 0.55, cloth)
  if (rng.next() < 0.6) things.floorLamp(props, places[places.length - 1] * 0.8, back + 0.35, night)
  if (rng.next() < 0.6) things.plant(props, rng.pick([-3.1, 3.1, -1.3, 1.3]), back + 0.4, rng)
  for (let i = 0; i < 3; i++) {
    const x = rng.uniform(-2.8, 2.8)
    if (Math.abs(x - windowX) < 1.35) continue
    const picture = rgb(rng.uniform(40, 220), rng.uniform(60, 200), rng.uniform(60, 200))
    things.frame(props, x, rng.uniform(1.6, 1.9), back + 0.02, [0.24, 0.19, 0.02], picture, rgb(60, 46, 36))
  }
  const lampX = rng.uniform(-1.5, 1.5)
  return {
    name: "room",
    planes,
    sky: darkness,
    props,
    light: daylight({
      sky: night ? [0.5, 0.42, 0.3] : [0.68, 0.68, 0.68],
      ground: night ? [0.2, 0.15, 0.1] : [0.36, 0.33, 0.3],
      key: night ? [0.62, 0.5, 0.34] : [0.6, 0.58, 0.54],
      direction: [night ? lampX * 0.3 : windowX * 0.25, 1.5, 0.75],
      shadow: 0.42,
      softness: 2,
    }),
    pool: (x, y, z) =>
      night
        ? 0.62 + 0.55 * Math.max(0, 1 - ((x - lampX) ** 2 + (y - 1.8) ** 2 * 0.6 + (z + 1) ** 2) / 9)
        : 0.88 + 0.2 * Math.max(0, 1 - (x - windowX) ** 2 / 8),
    spots: [
      [-2.1, back + 0.9],
      [2.1, back + 0.9],
    ],
  }
}

export function gym(rng: Rng): Scene {
  const props = new Mesh()
  const hall = rng.next() < 0.5
  const back = -rng.uniform(2.6, 3.6)
  const bright: Colour = [0.92, 0.93, 0.94]
  const wood = surface.marked(
    surface.planks(rgb(206, 156, 96), 0.1),
    rng.pick([rgb(40, 90, 160), rgb(190, 50, 46), rgb(245, 245, 240)]),
    [
      ["v", 0.9, -50, 50, 0.03],
      ["u", rng.uniform(-1.5, 1.5), -50, 50, 0.03],
      ["v", -1.2, -50, 50, 0.025],
    ],
  )
  const speck = rng.pick([rgb(70, 110, 170), rgb(180, 70, 60), rgb(150, 150, 150)])
  const floor = hall ? wood : surface.rubber(rgb(62, 64, 70), speck)
  const lower = rng.pick([rgb(66, 116, 150), rgb(86, 140, 110), rgb(176, 80, 62), rgb(96, 98, 106)])
  const upper = rng.pick([rgb(226, 226, 220), rgb(200, 208, 214), rgb(216, 206, 188)])
  const block = surface.tiles(upper, shade(upper, 0.7), 0.4, 0.06, 0.03)
  const pad = surface.tiles(lower, shade(lower, 0.6), 1, 0.08, 0.02)
  const planes = [
    ground(floor, bright),
    backWall(back, 9, 4.5, block, shade(bright, 0.9)),
    backWall(back + 0.03, 9, 1.35, pad, shade(bright, 0.9)),
    sideWall(-5.5, 6, back, 4.5, block, shade(bright, 0.72)),
    sideWall(5.5, 6, back, 4.5, block, shade(bright, 0.76)),
  ]
  if (hall) {
    for (const x of rng.shuffle([-2.8, -1.7, 1.7, 2.8]).slice(0, 2 + rng.int(2))) things.wallBars(props, x, back + 0.12)
    if (rng.next() < 0.5) things.bench(props, rng.pick([-1.9, 1.9]), back + 0.6, 0, rgb(190, 150, 100))
  } else {
    things.rack(props, rng.pick([-2, 2]), back + 0.35, rng)
    box(props, [rng.uniform(-1, 1), 1.5, back + 0.06], [1.1, 0.65, 0.02], rgb(168, 184, 196))
    if (rng.next() < 0.5) things.rack(props, rng.pick([-3.6, 3.6]), back + 0.4, rng)
  }
  if (rng.next() < 0.7) {
    const mat = rng.pick([rgb(48, 84, 160), rgb(180, 50, 46), rgb(40, 130, 110)])
    box(props, [rng.uniform(-1.5, 1.5), 0.02, back + 0.9], [1, 0.02, 0.5], mat)
  }
  if (rng.next() < 0.5) {
    const big = rng.uniform(0.28, 0.36)
    things.foliage(props, [rng.pick([-2.7, 2.7]), -1, back + 0.6], 0.01, lower)
    box(props, [rng.pick([-3, 3]), big, back + 0.5], [big, big, big], rgb(150, 110, 70))
  }
  return {
    name: "gym",
    planes,
    sky: darkness,
    props,
    light: daylight({
      sky: [0.78, 0.79, 0.8],
      ground: [0.34, 0.33, 0.32],
      key: [0.52, 0.52, 0.5],
      direction: [rng.uniform(-0.3, 0.3), 1.6, 0.55],
      shadow: 0.38,
      softness: 2,
    }),
    pool: (x, y) => 0.88 + 0.14 * Math.max(0, noise(x * 3 + 40, 10) * 2 - 0.8) + 0.02 * y,
    spots: [
      [-2.6, back + 1],
      [2.5, back + 0.9],
      [0.9, back + 0.7],
    ],
  }
}

export function stage(rng: Rng): Scene {
  const props = new Mesh()
  const cloth = rng.pick([rgb(196, 44, 48), rgb(104, 78, 160), rgb(50, 120, 142), rgb(160, 50, 90), rgb(116, 116, 126)])
  const back = -rng.uniform(2, 2.7)
  const boards = surface.planks(rng.pick([rgb(92, 64, 46), rgb(58, 54, 56), rgb(132, 92, 60)]), 0.18)
  const beam = rng.pick<Colour>([
    [1.25, 1.15, 0.95],
    [1.1, 1.15, 1.25],
    [1.3, 1.05, 0.85],
  ])
  const planes = [ground(boards, shade(beam, 0.95)), backWall(back, 9, 6, surface.curtain(cloth), shade(beam, 0.8))]
  for (const s of [-1, 1]) {
    box(props, [s * 3.3, 2, back + 0.9], [0.5, 2, 0.12], shade(cloth, 0.5))
    if (rng.next() < 0.6) things.speaker(props, s * rng.uniform(2.3, 2.7), back + 0.6)
  }
  if (rng.next() < 0.45) {
    const x = rng.pick([-1.7, 1.7])
    box(props, [x, 0.02, -1], [0.16, 0.02, 0.16], rgb(50, 50, 52))
    box(props, [x, 0.75, -1], [0.012, 0.75, 0.012], rgb(120, 120, 124))
    box(props, [x, 1.52, -0.97], [0.03, 0.03, 0.06], rgb(60, 60, 64))
  }
  if (rng.next() < 0.4) {
    const x = rng.pick([-1.9, 1.9])
    box(props, [x, 0.5, back + 0.5], [0.5, 0.06, 0.32], rgb(26, 24, 26))
    for (const s of [-0.4, 0.4]) box(props, [x + s, 0.22, back + 0.5], [0.04, 0.22, 0.25], rgb(26, 24, 26))
  }
  for (let i = -3; i <= 3; i++) box(props, [i * 1.1, 0.05, back + 0.12], [0.07, 0.05, 0.05], [2.2, 1.9, 1.2])
  const spotX = rng.uniform(-0.5, 0.5)
  const second = rng.pick([-2.4, 2.4])
  return {
    name: "stage",
    planes,
    sky: darkness,
    props,
    light: daylight({
      sky: [0.5, 0.48, 0.5],
      ground: [0.2, 0.17, 0.16],
      key: shade(beam, 0.85),
      direction: [rng.uniform(-0.6, 0.6), 1.2, 0.75],
      shadow: 0.62,
      softness: 1,
    }),
    pool: (x, y, z) => {
      const disc = (cx: number, r: number) =>
        smoothstep(r, r * 0.7, Math.sqrt((x - cx) ** 2 + (z * 1.2) ** 2 + 0.15 * y * y))
      const wash = clamp(0.42 + 0.12 * noise(x * 8, y * 8), 0, 1)
      return wash + 0.75 * disc(spotX, 2.4) + 0.3 * disc(second, 1.8)
    },
    spots: [
      [-2, back + 0.8],
      [2, back + 0.7],
      [1, back + 0.5],
    ],
  }
}
