/** Sums over embeddings in memory. */

/**
 * Σ a·b
 *
 * @example
 * ```ts
 * import { dot } from "@fourtier/core/train"
 *
 * dot(Float32Array.of(1, 2), Float32Array.of(3, 4)) // 11
 * ```
 */
export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0
  for (let d = 0; d < a.length; d++) sum += a[d] * b[d]
  return sum
}

/**
 * The vector scaled to length 1; zero stays zero.
 *
 * @example
 * ```ts
 * import { unit } from "@fourtier/core/train"
 *
 * unit(Float32Array.of(3, 4)) // [0.6, 0.8]
 * ```
 */
export function unit(vector: Float32Array): Float32Array {
  const length = Math.sqrt(dot(vector, vector))
  return length === 0 ? vector : vector.map((x) => x / length)
}

/**
 * Every vector less the mean of all.
 *
 * @example
 * ```ts
 * import { centred } from "@fourtier/core/train"
 *
 * centred([Float32Array.of(1), Float32Array.of(3)]) // [[-1], [1]]
 * ```
 */
export function centred(vectors: readonly Float32Array[]): Float32Array[] {
  const mean = new Float32Array(vectors[0]?.length ?? 0)
  for (const vector of vectors) for (let d = 0; d < mean.length; d++) mean[d] += vector[d] / vectors.length
  return vectors.map((vector) => vector.map((x, d) => x - mean[d]))
}
