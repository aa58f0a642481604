/** Procedural surfaces: functions from metres to colour, built on the noise tables. */

import { clamp, cos, smoothstep } from "./math.ts"
import type { Colour } from "./mesh.ts"
import { fineNoise, hash, noise } from "./noise.ts"
import { type Ink, type Material, mixInk, setInk } from "./world.ts"

function fade(far: number): number {
  return clamp(1.6 - far * 0.1, 0, 1)
}

export function plain(colour: Colour): Material {
  return (u, v, ink) => setInk(ink, colour, 0.94 + 0.12 * noise(u * 30, v * 30))
}

export function planks(colour: Colour, across = 0.14): Material {
  return (u, v, ink, far) => {
    const row = Math.floor(v / across)
    const shift = hash(row, 7) * 2
    const cell = Math.floor((u + shift) / 1.6)
    const tone = 0.78 + 0.36 * hash(row, cell) + 0.3 * (noise(u * 8 + row * 37, v * 160) - 0.5)
    const edge = v / across - row < 0.06 || (u + shift) / 1.6 - cell < 0.008
    setInk(ink, colour, edge ? tone * (1 - 0.55 * fade(far)) : tone)
  }
}

export function tiles(colour: Colour, grout: Colour, size: number, variation = 0.2, width = 0.035): Material {
  return (u, v, ink, far) => {
    const i = Math.floor(u / size)
    const j = Math.floor(v / size)
    const line = u / size - i < width || v / size - j < width
    setInk(ink, colour, 1 - variation / 2 + variation * hash(i, j) + 0.18 * (noise(u * 60, v * 60) - 0.5))
    if (line) mixInk(ink, grout, 0.8 * fade(far))
  }
}

export function checks(a: Colour, b: Colour, size: number): Material {
  return (u, v, ink) => {
    const odd = (Math.floor(u / size) + Math.floor(v / size)) & 1
    setInk(ink, odd ? a : b, 0.9 + 0.2 * noise(u * 50, v * 50))
  }
}

export function bricks(colour: Colour, mortar: Colour): Material {
  return (u, v, ink, far) => {
    const row = Math.floor(v / 0.09)
    const shifted = u / 0.24 + (row & 1) * 0.5
    const cell = Math.floor(shifted)
    const line = v / 0.09 - row < 0.14 || shifted - cell < 0.055
    setInk(ink, colour, 0.72 + 0.5 * hash(row, cell) + 0.25 * (fineNoise(u * 90, v * 90) - 0.5))
    if (line) mixInk(ink, mortar, 0.85 * fade(far))
  }
}

export function wallpaper(colour: Colour, figure: Colour, kind: "plain" | "stripes" | "dots"): Material {
  return (u, v, ink, far) => {
    setInk(ink, colour, 0.95 + 0.1 * noise(u * 25, v * 25))
    if (kind === "stripes" && Math.floor(u / 0.12) & 1) mixInk(ink, figure, 0.5)
    if (kind === "dots") {
      const x = u / 0.2 - Math.floor(u / 0.2) - 0.5
      const y = v / 0.2 - Math.floor(v / 0.2) - 0.5
      if (x * x + y * y < 0.03) mixInk(ink, figure, 0.7 * fade(far))
    }
  }
}

export function carpet(colour: Colour): Material {
  return (u, v, ink) => setInk(ink, colour, 0.72 + 0.3 * fineNoise(u * 70, v * 70) + 0.3 * noise(u * 20, v * 20))
}

export function asphalt(colour: Colour): Material {
  return (u, v, ink) => setInk(ink, colour, 0.6 + 0.45 * fineNoise(u * 60, v * 60) + 0.4 * noise(u * 12, v * 12))
}

export function sand(colour: Colour): Material {
  return (u, v, ink, far) => {
    const ripple = noise(u * 9 + noise(u * 20, v * 20) * 12, v * 60)
    setInk(
      ink,
      colour,
      0.7 + 0.35 * ripple + 0.22 * (fineNoise(u * 55, v * 55) - 0.5) * fade(far) + 0.12 * noise(u * 6, v * 6),
    )
  }
}

export function grass(light: Colour, dark: Colour): Material {
  return (u, v, ink, far) => {
    setInk(ink, dark)
    mixInk(ink, light, clamp(noise(u * 22, v * 22) * 1.1 + (fineNoise(u * 90, v * 45) - 0.5) * fade(far), 0, 1))
  }
}

/** Leaf litter with a trodden path along u. */
export function forestFloor(soil: Colour, leaves: Colour, moss: Colour): Material {
  return (u, v, ink, far) => {
    setInk(ink, soil, 0.7 + 0.5 * noise(u * 30, v * 30))
    const leaf = fineNoise(u * 45, v * 45)
    if (leaf > 0.55) mixInk(ink, leaves, clamp((leaf - 0.55) * 5, 0, 0.8) * fade(far))
    mixInk(ink, moss, smoothstep(0.52, 0.7, noise(u * 14 + 90, v * 14)) * 0.8)
  }
}

/** Water that runs up to the shore at v = 0 (v grows towards the horizon). */
export function water(deep: Colour, shallow: Colour, foam: Colour): Material {
  return (u, v, ink, far) => {
    const stretch = 1 + far * 0.05
    const wave = noise((u * 14) / stretch, (v * 50) / stretch)
    setInk(ink, shallow)
    mixInk(ink, deep, smoothstep(0, 9, v))
    mixInk(ink, foam, smoothstep(0.6, 0.78, wave) * 0.5)
    const wash = v - 0.5 * noise(u * 20, 3)
    if (wash < 0.45) mixInk(ink, foam, wash < 0.2 ? 0.85 : 0.5 * smoothstep(0.45, 0.2, wash))
  }
}

export function curtain(colour: Colour): Material {
  return (u, v, ink) => {
    const fold = cos(u * 17 + 3 * noise(u * 9, 5)) * 0.5 + 0.5
    setInk(ink, colour, 0.25 + 0.85 * fold * fold + 0.1 * noise(u * 40, v * 10))
  }
}

/** A house front with rows of windows. */
export function facade(
  wall: Material,
  frame: Colour,
  glass: Colour,
  lamp: Colour,
  litShare: number,
  wide = 1.9,
): Material {
  return (u, v, ink, far) => {
    wall(u, v, ink, far)
    const i = Math.floor(u / wide)
    const j = Math.floor((v - 0.3) / 2.9)
    const x = u / wide - i
    const y = (v - 0.3) / 2.9 - j
    if (v > 0.3 && x > 0.25 && x < 0.75 && y > 0.27 && y < 0.78) {
      const border = x < 0.29 || x > 0.71 || y < 0.3 || y > 0.75 || Math.abs(x - 0.5) < 0.015
      if (border) setInk(ink, frame)
      else setInk(ink, hash(i, j) < litShare ? lamp : glass, 0.7 + 0.5 * noise(u * 20 + v * 30, v * 8))
    }
    if (v < 0.3) mixInk(ink, [0.05, 0.05, 0.05], 0.5)
  }
}

export function rubber(colour: Colour, speck: Colour): Material {
  return (u, v, ink, far) => {
    setInk(ink, colour, 0.85 + 0.2 * noise(u * 30, v * 30))
    if (fineNoise(u * 80, v * 80) > 0.66) mixInk(ink, speck, 0.6 * fade(far))
  }
}

/** Lines of paint on top of another material: [fixed axis, position, from, to, half width]. */
export function marked(
  base: Material,
  paint: Colour,
  lines: readonly (readonly ["u" | "v", number, number, number, number])[],
): Material {
  return (u, v, ink, far) => {
    base(u, v, ink, far)
    for (const [axis, place, from, to, half] of lines) {
      const [across, alongLine] = axis === "u" ? [u, v] : [v, u]
      if (Math.abs(across - place) < half && alongLine > from && alongLine < to) mixInk(ink, paint, 0.85)
    }
  }
}

/** The edge of a wood: trunks in front of leaves, light coming through higher up. */
export function thicket(leaves: Colour, trunk: Colour, gap: Colour): Material {
  return (u, v, ink) => {
    setInk(ink, leaves, 0.3 + 0.8 * noise(u * 50, v * 50) + 0.7 * (fineNoise(u * 22, v * 22) - 0.5))
    mixInk(ink, gap, smoothstep(0.6, 0.75, noise(u * 30 + 130, v * 40)) * clamp(v / 5, 0.1, 0.8))
    const stem = noise(u * 34 + 6 * noise(v * 4, 9), 40)
    if (stem > 0.58 && v < 3 + 8 * hash(u * 0.7, 3)) mixInk(ink, trunk, 0.75)
    mixInk(ink, leaves, smoothstep(0.9, 0.2, v + 0.5 * noise(u * 40, 7)) * 0.8)
  }
}

/** Evening to noon skies with clouds, or stars. */
export function skyOf(top: Colour, horizon: Colour, cloud: Colour, amount: number, stars = false) {
  return (x: number, y: number, z: number, ink: Ink): void => {
    const flat = Math.sqrt(x * x + z * z)
    const height = clamp(y / flat, 0, 1.4)
    setInk(ink, horizon)
    mixInk(ink, top, smoothstep(0, 0.75, height))
    const k = 40 / (height + 0.22)
    const cover = noise((x / flat) * k + 300, (z / flat) * k * 0.6 + k * 2)
    mixInk(ink, cloud, smoothstep(0.52, 0.72, cover) * amount)
    if (stars && hash(x * 170, y * 170) > 0.996) mixInk(ink, [0.7, 0.7, 0.8], 0.8)
  }
}
