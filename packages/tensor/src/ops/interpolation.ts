/** Resizing of one axis as a matrix. */

import type { ResizeAttrs } from "./attributes.ts"

/** The cubic convolution parameter that PyTorch and ONNX use by default (Keys 1981). */
export const CUBIC_COEFFICIENT = -0.75

/**
 * The matrix [to,from] that resizes one axis as the op `resize` does: row i holds the weights of output i. Beyond the
 * ends, the first and the last element are repeated.
 *
 * @example
 * ```ts
 * import { interpolationMatrix } from "@fourtier/tensor"
 *
 * interpolationMatrix(4, 2, { mode: "linear", coordinates: "half-pixel" }) // [0.5, 0.5, 0, 0,  0, 0, 0.5, 0.5]
 * ```
 */
export function interpolationMatrix(
  from: number,
  to: number,
  { mode, coordinates }: Pick<ResizeAttrs, "mode" | "coordinates">,
): Float32Array {
  const matrix = new Float32Array(to * from)
  const put = (row: number, column: number, weight: number) => {
    matrix[row * from + Math.min(from - 1, Math.max(0, column))] += weight
  }
  for (let i = 0; i < to; i++) {
    const at =
      coordinates === "half-pixel"
        ? ((i + 0.5) * from) / to - 0.5
        : coordinates === "asymmetric"
          ? (i * from) / to
          : to === 1
            ? 0
            : (i * (from - 1)) / (to - 1)
    const base = Math.floor(at)
    const t = at - base
    if (mode === "nearest") {
      put(i, coordinates === "asymmetric" ? base : Math.ceil(at - 0.5), 1)
    } else if (mode === "linear") {
      put(i, base, 1 - t)
      put(i, base + 1, t)
    } else {
      const a = CUBIC_COEFFICIENT
      const near = (d: number) => ((a + 2) * d - (a + 3)) * d * d + 1
      const far = (d: number) => ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
      put(i, base - 1, far(1 + t))
      put(i, base, near(t))
      put(i, base + 1, near(1 - t))
      put(i, base + 2, far(2 - t))
    }
  }
  return matrix
}
