/** Tileable fractal noise, tabulated once: textures read it, they never compute it. */

import { Rng } from "@fourtier/tensor"

const SIZE = 256
const MASK = SIZE - 1

function fractal(seed: string, firstCell: number): Float32Array {
  const table = new Float32Array(SIZE * SIZE)
  let amplitude = 1
  let total = 0
  for (let cell = firstCell; cell >= 1; cell >>= 1) {
    const rng = Rng.fork(seed, cell)
    const n = SIZE / cell
    const lattice = Float64Array.from({ length: n * n }, () => rng.next())
    for (let y = 0; y < SIZE; y++) {
      const v = y / cell
      const y0 = Math.floor(v)
      const fy = ease(v - y0)
      for (let x = 0; x < SIZE; x++) {
        const u = x / cell
        const x0 = Math.floor(u)
        const fx = ease(u - x0)
        const at = (i: number, j: number) => lattice[((y0 + j) % n) * n + ((x0 + i) % n)]
        const top = at(0, 0) + (at(1, 0) - at(0, 0)) * fx
        const bottom = at(0, 1) + (at(1, 1) - at(0, 1)) * fx
        table[y * SIZE + x] += amplitude * (top + (bottom - top) * fy)
      }
    }
    total += amplitude
    amplitude *= 0.5
  }
  for (let i = 0; i < table.length; i++) table[i] /= total
  return table
}

function ease(t: number): number {
  return t * t * (3 - 2 * t)
}

const clouds = fractal("clouds", 64)
const grain = fractal("grain", 4)

/** Smooth noise in 0..1 with period 256, nearest entry: read at 10 to 60 units a metre for textures. */
export function noise(u: number, v: number): number {
  return clouds[((Math.floor(v) & MASK) << 8) | (Math.floor(u) & MASK)]
}

/** Fine noise in 0..1 with period 256. */
export function fineNoise(u: number, v: number): number {
  return grain[((Math.floor(v) & MASK) << 8) | (Math.floor(u) & MASK)]
}

/** A random number in 0..1 for a cell of a grid. */
export function hash(i: number, j: number): number {
  let h = Math.imul(Math.floor(i), 374761393) ^ Math.imul(Math.floor(j), 668265263)
  h = Math.imul(h ^ (h >>> 13), 1274126177)
  return ((h ^ (h >>> 16)) >>> 0) / 2 ** 32
}
