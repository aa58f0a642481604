/** Sums over embeddings in memory. */

export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0
  for (let d = 0; d < a.length; d++) sum += a[d] * b[d]
  return sum
}

/** The vector scaled to length 1; zero stays zero. */
export function unit(vector: Float32Array): Float32Array {
  const length = Math.sqrt(dot(vector, vector))
  return length === 0 ? vector : vector.map((x) => x / length)
}

/** Every vector less the mean of all. */
export function centred(vectors: readonly Float32Array[]): Float32Array[] {
  const mean = new Float32Array(vectors[0]?.length ?? 0)
  for (const vector of vectors) for (let d = 0; d < mean.length; d++) mean[d] += vector[d] / vectors.length
  return vectors.map((vector) => vector.map((x, d) => x - mean[d]))
}
