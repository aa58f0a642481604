/** Inputs of reference implementations as an encoder takes them. */

/** Normalised arrays as pixels 0..255, [B,T,H,W,3]. */
export function pixelsOf(
  data: Float32Array,
  shape: readonly number[],
  order: string,
  mean: readonly number[],
  std: readonly number[],
): Float32Array {
  const lengths = Object.fromEntries([...order].map((axis, at) => [axis, shape[at]]))
  const { b, c, h, w, t = 1 } = lengths
  const strides: Record<string, number> = { t: 0 }
  let stride = 1
  for (const axis of [...order].reverse()) {
    strides[axis] = stride
    stride *= lengths[axis]
  }
  const result = new Float32Array(data.length)
  let at = 0
  for (let B = 0; B < b; B++)
    for (let T = 0; T < t; T++)
      for (let H = 0; H < h; H++)
        for (let W = 0; W < w; W++)
          for (let C = 0; C < c; C++) {
            const from = B * strides.b + T * strides.t + H * strides.h + W * strides.w + C * strides.c
            result[at++] = (data[from] * std[C] + mean[C]) * 255
          }
  return result
}
