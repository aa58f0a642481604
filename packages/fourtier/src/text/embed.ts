/** What every text encoder offers, and how its token vectors become rows of e_i (paper Sec. 3.1). */

import { FourtierError } from "@fourtier/tensor"

/** Token vectors of one text: data [length, width], special tokens left out. */
export interface TokenVectors {
  readonly data: Float32Array
  /** L */
  readonly length: number
}

export interface TextEmbeddings {
  /** One vector [width] a text. */
  readonly pooled: Float32Array[]
  readonly tokens: TokenVectors[]
}

/** A frozen text encoder. */
export interface TextEncoder {
  /** Hash of everything that the embeddings depend on: weights, vocabulary, limits. */
  readonly id: string
  /** Worth knowing about how it was opened, such as which of several sets of weights was taken. */
  readonly notes?: readonly string[]
  /** Dt */
  readonly width: number
  /** Names the space that pooled vectors share with pictures (`encoders/joint.ts`); none where they share none. */
  readonly space?: string | null
  /** Embeddings in the order of `texts`; each depends on its own text alone. */
  embed(texts: readonly string[]): Promise<TextEmbeddings>
  release(): Promise<void>
}

/**
 * Linear interpolation along the token axis: tokens [L, Dt] -> [rows, Dt], row i at (i + ½)·L/rows − ½, ends repeated
 * (PyTorch's `interpolate(mode="linear", align_corners=False)`).
 *
 * @throws FourtierError when there is no token
 *
 * @example
 * ```ts
 * import { resampleTokens } from "fourtier/text"
 *
 * resampleTokens({ data: Float32Array.of(0, 2), length: 2 }, 4) // [0, 0.5, 1.5, 2]
 * ```
 */
export function resampleTokens({ data, length }: TokenVectors, rows: number): Float32Array {
  if (length === 0) {
    throw new FourtierError({
      where: "text embedding",
      what: "a text without tokens cannot be resampled",
      expected: "at least one token",
      fix: "leave empty answers out",
    })
  }
  const width = data.length / length
  const result = new Float32Array(rows * width)
  for (let row = 0; row < rows; row++) {
    const at = Math.min(length - 1, Math.max(0, ((row + 0.5) * length) / rows - 0.5))
    const from = Math.floor(at) * width
    const to = Math.min(length - 1, Math.floor(at) + 1) * width
    const t = at - Math.floor(at)
    for (let d = 0; d < width; d++) result[row * width + d] = (1 - t) * data[from + d] + t * data[to + d]
  }
  return result
}
