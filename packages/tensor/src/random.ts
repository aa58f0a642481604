/**
 * A small seeded generator (xoshiro128**, Blackman & Vigna 2018, https://prng.di.unimi.it) whose state can be stored
 * and restored, so that an interrupted run continues as if it had never stopped.
 */

import { sha256 } from "@noble/hashes/sha2"
import { utf8ToBytes } from "@noble/hashes/utils"

export type RngState = readonly [number, number, number, number]

/**
 * A seeded generator of random numbers. Equal seeds give equal numbers on every machine.
 *
 * @example
 * ```ts
 * import { Rng } from "@fourtier/tensor"
 *
 * const rng = new Rng("example")
 * rng.next() // in [0, 1)
 * rng.shuffle(["a", "b", "c"])
 * const noise = Rng.fork("example", "noise", 3) // independent of rng's state
 * ```
 */
export class Rng {
  #s: Uint32Array

  /** @param seed any number or text; equal seeds give equal streams on every machine. */
  constructor(seed: number | string) {
    const digest = sha256(utf8ToBytes(String(seed)))
    const words = new DataView(digest.buffer, digest.byteOffset, digest.byteLength)
    this.#s = Uint32Array.from([0, 4, 8, 12], (offset) => words.getUint32(offset, true) || 1)
  }

  static from(state: RngState): Rng {
    const rng = new Rng(0)
    rng.#s = Uint32Array.from(state)
    return rng
  }

  get state(): RngState {
    const [a, b, c, d] = this.#s
    return [a, b, c, d]
  }

  /** A generator of its own for one purpose or item, independent of how often this one was called. */
  static fork(seed: number | string, ...labels: (number | string)[]): Rng {
    return new Rng([seed, ...labels].join("\u0000"))
  }

  /** 32 random bits. */
  bits(): number {
    const s = this.#s
    const x = Math.imul(s[1], 5)
    const result = Math.imul((x << 7) | (x >>> 25), 9) >>> 0
    const t = s[1] << 9
    s[2] ^= s[0]
    s[3] ^= s[1]
    s[1] ^= s[2]
    s[0] ^= s[3]
    s[2] ^= t
    s[3] = (s[3] << 11) | (s[3] >>> 21)
    return result
  }

  /** Uniform in [0, 1), 32 bits of resolution. */
  next(): number {
    return this.bits() / 2 ** 32
  }

  uniform(low: number, high: number): number {
    return low + (high - low) * this.next()
  }

  /** An integer in [0, n). */
  int(n: number): number {
    return Math.floor(this.next() * n)
  }

  /** Standard normal (Box–Muller). */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.next()))
    return radius * Math.cos(2 * Math.PI * this.next())
  }

  /** Gamma with shape `k` and scale 1 (Marsaglia & Tsang 2000). */
  gamma(k: number): number {
    if (k < 1) return this.gamma(k + 1) * (1 - this.next()) ** (1 / k)
    const d = k - 1 / 3
    const c = 1 / Math.sqrt(9 * d)
    for (;;) {
      const x = this.normal()
      const v = (1 + c * x) ** 3
      if (v > 0 && Math.log(1 - this.next()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v
    }
  }

  /** Beta(a, b). */
  beta(a: number, b: number): number {
    const x = this.gamma(a)
    return x / (x + this.gamma(b))
  }

  pick<T>(items: readonly T[]): T {
    return items[this.int(items.length)]
  }

  /** A shuffled copy (Fisher–Yates). */
  shuffle<T>(items: readonly T[]): T[] {
    const copy = [...items]
    for (let i = copy.length - 1; i > 0; i--) {
      const j = this.int(i + 1)
      const swapped = copy[i]
      copy[i] = copy[j]
      copy[j] = swapped
    }
    return copy
  }
}
