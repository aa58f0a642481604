/** Similarity of feature maps: cosines of their rows, a row being the feature of one place in one frame. */

/** Cosines between −1 and 1, averaged over the rows of a map. */
export interface FeatureSimilarity {
  cosine: number
  /**
   * After the mean feature is subtracted from both: what all rows share makes cosines large and tells no clips apart, so
   * this is the stricter figure.
   */
  centred: number
}

/** Mean of the rows of maps [..,D]: [D]. */
export function meanRow(maps: readonly Float32Array[], D: number): Float64Array {
  const mean = new Float64Array(D)
  const rows = maps.reduce((sum, map) => sum + map.length / D, 0)
  for (const map of maps) for (let i = 0; i < map.length; i++) mean[i % D] += map[i] / rows
  return mean
}

/** @param mean the mean feature [D] of the maps that `map` and `other`, both [..,D], are from */
export function featureSimilarity(map: Float32Array, other: Float32Array, mean: Float64Array): FeatureSimilarity {
  const D = mean.length
  const zero = new Float64Array(D)
  const rows = map.length / D
  const total = { cosine: 0, centred: 0 }
  for (let row = 0; row < rows; row++) {
    const [a, b] = [map, other].map((one) => one.subarray(row * D, (row + 1) * D))
    total.cosine += cosine(a, b, zero)
    total.centred += cosine(a, b, mean)
  }
  return { cosine: total.cosine / rows, centred: total.centred / rows }
}

/** Of a − origin and b − origin; 1 where both are zero, 0 where one is. */
function cosine(a: Float32Array, b: Float32Array, origin: Float64Array): number {
  let [dot, lengthA, lengthB] = [0, 0, 0]
  for (let d = 0; d < origin.length; d++) {
    const [x, y] = [a[d] - origin[d], b[d] - origin[d]]
    dot += x * y
    lengthA += x * x
    lengthB += y * y
  }
  if (lengthA === 0 || lengthB === 0) return lengthA === lengthB ? 1 : 0
  return dot / Math.sqrt(lengthA * lengthB)
}
