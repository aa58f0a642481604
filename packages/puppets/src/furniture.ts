/** Things that stand about: appended to a scene's mesh. Coordinates are the world's. */

import type { Rng } from "@fourtier/tensor"
import { add, apply, type Basis, cos, IDENTITY, rotation, sin, type Vec } from "./math.ts"
import { ball, box, type Colour, type Mesh, rgb, rod, shade, tube } from "./mesh.ts"
import { fineNoise } from "./noise.ts"

const wood = rgb(142, 98, 60)
const steel = rgb(150, 154, 160)
const leafGreen = rgb(70, 120, 58)

export function tree(mesh: Mesh, x: number, z: number, height: number, rng: Rng, bark: Colour, leaves: Colour): void {
  const lean = rng.uniform(-0.06, 0.06)
  const radius = height * rng.uniform(0.022, 0.034)
  const at = (h: number): Vec => [x + lean * h, h * height, z]
  tube(
    mesh,
    [0, 0.1, 0.45, 0.9].map((h, i) => ({
      centre: at(h),
      u: [1, 0, 0],
      v: [0, 0, 1],
      wide: radius * [1.6, 1.05, 0.85, 0.4][i],
      deep: radius * [1.6, 1.05, 0.85, 0.4][i],
      colour: shade(bark, [0.6, 0.8, 1, 0.9][i]),
    })),
    8,
  )
  for (let i = 0; i < 7; i++) {
    const angle = rng.uniform(0, 6.28)
    const out = rng.uniform(0, 0.2) * height
    const centre = add(at(rng.uniform(0.6, 1)), [cos(angle) * out, 0, sin(angle) * out])
    foliage(mesh, centre, rng.uniform(0.13, 0.22) * height, shade(leaves, rng.uniform(0.7, 1.1)))
  }
}

export function foliage(mesh: Mesh, centre: Vec, size: number, colour: Colour): void {
  const offset = centre[0] * 31 + centre[2] * 17
  ball(mesh, centre, IDENTITY, [size, size * 0.8, size], {
    colour: (x, y, z) => shade(colour, 0.25 + 0.3 * y + 1.3 * fineNoise(x * 60 + offset, z * 60 + y * 50)),
    swell: (x, y, z) => 0.7 + 0.6 * fineNoise(x * 35 + offset, y * 35 + z * 30),
    bands: 9,
    segments: 14,
  })
}

export function palm(mesh: Mesh, x: number, z: number, height: number, rng: Rng): void {
  const lean = rng.uniform(-0.7, 0.7)
  const at = (h: number): Vec => [x + lean * h * h, h * height, z]
  tube(
    mesh,
    [0, 0.25, 0.5, 0.75, 1].map((h) => ({
      centre: at(h),
      u: [1, 0, 0],
      v: [0, 0, 1],
      wide: 0.14 - 0.05 * h,
      deep: 0.14 - 0.05 * h,
      colour: rgb(140, 112, 80),
    })),
    7,
  )
  for (let i = 0; i < 9; i++) {
    const angle = (i / 9) * 6.28 + rng.uniform(-0.2, 0.2)
    const out: Vec = [cos(angle), 0, sin(angle)]
    const side: Vec = [-out[2], 0, out[0]]
    const crown = at(1)
    const point = (s: number): Vec => add(crown, [out[0] * s * 1.5, 0.35 * s - 0.95 * s * s, out[2] * s * 1.5])
    const colour = shade(rgb(74, 128, 60), rng.uniform(0.7, 1.1))
    for (let k = 0; k < 3; k++) {
      const [a, b] = [point(k / 3), point((k + 1) / 3)]
      const w = [0.1, 0.2, 0.14, 0.02]
      const edge = (p: Vec, half: number): [Vec, Vec] => [
        [p[0] + side[0] * half, p[1] - half * 0.4, p[2] + side[2] * half],
        [p[0] - side[0] * half, p[1] - half * 0.4, p[2] - side[2] * half],
      ]
      const [al, ar] = edge(a, w[k])
      const [bl, br] = edge(b, w[k + 1])
      mesh.quad(al, ar, br, bl, colour)
      mesh.quad(bl, br, ar, al, shade(colour, 0.7))
    }
  }
}

export function bench(mesh: Mesh, x: number, z: number, heading: number, colour: Colour = wood): void {
  const basis = rotation(0, heading, 0)
  const at = (v: Vec) => add([x, 0, z], apply(basis, v))
  for (let i = 0; i < 3; i++) box(mesh, at([0, 0.44, -0.15 + i * 0.15]), [0.75, 0.018, 0.06], colour, basis)
  for (let i = 0; i < 2; i++) box(mesh, at([0, 0.62 + i * 0.16, -0.26]), [0.75, 0.06, 0.015], colour, basis)
  for (const side of [-0.6, 0.6]) {
    box(mesh, at([side, 0.21, 0.12]), [0.025, 0.21, 0.025], steel, basis)
    box(mesh, at([side, 0.42, -0.24]), [0.025, 0.42, 0.025], steel, basis)
  }
}

export function lampPost(mesh: Mesh, x: number, z: number, lit: boolean): void {
  rod(mesh, [x, 0, z], [x, 3.6, z], 0.05, rgb(60, 64, 66), 6)
  rod(mesh, [x, 3.6, z], [x + 0.5, 3.75, z], 0.03, rgb(60, 64, 66), 5)
  const glow: Colour = lit ? [6, 5, 3] : rgb(210, 212, 205)
  box(mesh, [x + 0.62, 3.7, z], [0.2, 0.04, 0.08], glow)
}

export function car(mesh: Mesh, x: number, z: number, colour: Colour, facing: 1 | -1): void {
  const side = (d: number) => x + d * facing
  box(mesh, [x, 0.55, z], [2, 0.3, 0.8], colour)
  tube(
    mesh,
    [
      [0.8, 1.35, 0.76],
      [1.36, 0.85, 0.62],
      [1.42, 0.75, 0.58],
    ].map(([y, wide, deep]) => ({ centre: [side(-0.2), y, z], u: [1, 0, 0], v: [0, 0, 1], wide, deep, colour })),
    12,
  )
  box(mesh, [side(-0.2), 1.08, z + 0.68], [0.85, 0.17, 0.04], rgb(60, 76, 90))
  for (const w of [-1.25, 1.25]) {
    rod(mesh, [side(w), 0.32, z + 0.72], [side(w), 0.32, z + 0.86], 0.32, rgb(28, 28, 30), 12)
    rod(mesh, [side(w), 0.32, z + 0.86], [side(w), 0.32, z + 0.88], 0.17, steel, 10)
  }
  box(mesh, [side(1.98), 0.62, z + 0.5], [0.04, 0.07, 0.15], [3, 3, 2.4])
}

export function sofa(mesh: Mesh, x: number, z: number, colour: Colour): void {
  box(mesh, [x, 0.22, z], [0.95, 0.2, 0.4], shade(colour, 0.8))
  for (const s of [-0.44, 0.44]) box(mesh, [x + s, 0.47, z + 0.04], [0.42, 0.07, 0.36], colour)
  box(mesh, [x, 0.6, z - 0.38], [0.95, 0.3, 0.1], colour)
  for (const s of [-1, 1]) box(mesh, [x + s, 0.36, z], [0.1, 0.28, 0.42], shade(colour, 0.9))
}

export function shelf(mesh: Mesh, x: number, z: number, rng: Rng): void {
  const deep = 0.15
  box(mesh, [x, 0.95, z - deep + 0.02], [0.5, 0.95, 0.02], shade(wood, 0.5))
  for (const s of [-0.5, 0.5]) box(mesh, [x + s, 0.95, z], [0.02, 0.95, deep], wood)
  for (let level = 0; level < 5; level++) {
    const y = 0.04 + level * 0.46
    box(mesh, [x, y, z], [0.5, 0.02, deep], wood)
    if (level === 4) break
    let at = -0.46
    while (at < 0.4) {
      const thick = rng.uniform(0.02, 0.05)
      const tall = rng.uniform(0.13, 0.18)
      const colour = rgb(rng.uniform(40, 220), rng.uniform(40, 200), rng.uniform(40, 200))
      if (rng.next() < 0.8) box(mesh, [x + at + thick, y + 0.02 + tall, z + 0.02], [thick * 0.9, tall, 0.1], colour)
      at += thick * 2
    }
  }
}

export function plant(mesh: Mesh, x: number, z: number, rng: Rng): void {
  rod(mesh, [x, 0, z], [x, 0.32, z], 0.13, rgb(170, 100, 70), 8, 0.17)
  for (let i = 0; i < 9; i++) {
    const angle = rng.uniform(0, 6.28)
    const out = rng.uniform(0.1, 0.3)
    const high = rng.uniform(0.6, 1.2)
    rod(mesh, [x, 0.3, z], [x + cos(angle) * out, high, z + sin(angle) * out], 0.05, leafGreen, 5, 0.02)
  }
}

export function floorLamp(mesh: Mesh, x: number, z: number, lit: boolean): void {
  rod(mesh, [x, 0, z], [x, 1.5, z], 0.018, rgb(50, 50, 52), 5)
  rod(mesh, [x, 0, z], [x, 0.03, z], 0.14, rgb(50, 50, 52), 8)
  rod(mesh, [x, 1.42, z], [x, 1.72, z], 0.2, lit ? [2.4, 2, 1.3] : rgb(225, 214, 190), 10, 0.13)
}

export function rack(mesh: Mesh, x: number, z: number, rng: Rng): void {
  for (const s of [-0.8, 0.8]) box(mesh, [x + s, 0.45, z], [0.03, 0.45, 0.2], rgb(40, 42, 46))
  for (let level = 0; level < 2; level++) {
    const y = 0.35 + level * 0.42
    box(mesh, [x, y, z], [0.8, 0.02, 0.2], rgb(60, 62, 66))
    for (let i = 0; i < 6; i++) {
      const at = x - 0.66 + i * 0.26
      const size = rng.uniform(0.05, 0.09)
      for (const s of [-0.09, 0.09])
        rod(mesh, [at, y + 0.1, z + s], [at, y + 0.1, z + s * 1.7], size, rgb(36, 36, 40), 7)
      rod(mesh, [at, y + 0.1, z - 0.1], [at, y + 0.1, z + 0.1], 0.02, steel, 5)
    }
  }
}

/** Wall bars, as in school gyms. */
export function wallBars(mesh: Mesh, x: number, z: number): void {
  for (const s of [-0.5, 0.5]) box(mesh, [x + s, 1.25, z], [0.03, 1.25, 0.05], wood)
  for (let i = 0; i < 12; i++)
    rod(mesh, [x - 0.5, 0.2 + i * 0.2, z], [x + 0.5, 0.2 + i * 0.2, z], 0.018, shade(wood, 1.2), 5)
}

export function umbrella(mesh: Mesh, x: number, z: number, a: Colour, b: Colour): void {
  rod(mesh, [x, 0, z], [x, 2.1, z], 0.025, rgb(225, 225, 220), 5)
  const segments = 10
  const top: Vec = [x, 2.25, z]
  const rim = (i: number): Vec => {
    const angle = (6.2832 * i) / segments
    return [x + 1.15 * cos(angle), 1.75, z + 1.15 * sin(angle)]
  }
  for (let i = 0; i < segments; i++) {
    const colour = i % 2 ? a : b
    mesh.quad(top, rim(i + 1), rim(i), top, colour)
    mesh.quad(top, rim(i), rim(i + 1), top, shade(colour, 0.6))
  }
}

export function speaker(mesh: Mesh, x: number, z: number): void {
  box(mesh, [x, 0.6, z], [0.3, 0.6, 0.25], rgb(30, 30, 34))
  for (const [y, r] of [
    [0.4, 0.2],
    [0.9, 0.12],
  ] as const) {
    rod(mesh, [x, y, z + 0.24], [x, y, z + 0.27], r, rgb(70, 70, 76), 12)
  }
}

export function frame(mesh: Mesh, x: number, y: number, z: number, half: Vec, picture: Colour, border: Colour): void {
  box(mesh, [x, y, z], half, border)
  box(mesh, [x, y, z + half[2]], [half[0] * 0.85, half[1] * 0.82, 0.006], picture)
}

export function crate(mesh: Mesh, centre: Vec, half: Vec, colour: Colour, basis: Basis = IDENTITY): void {
  box(mesh, centre, half, colour, basis, shade(colour, 1.15))
}
