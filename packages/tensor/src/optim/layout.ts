/**
 * All trained parameters in one flat buffer, found by name. Parameters with weight decay come first, the others after
 * them; both groups are cut into chunks of one length, so that one small update graph serves every chunk and its
 * temporaries stay in the processor's cache.
 *
 * ```
 * | decayed parameters .. padding | others .. padding |
 * | chunk | chunk | chunk | chunk | chunk | chunk     |
 * ```
 */

import { FourtierError } from "../errors.ts"
import { type Shape, sizeOf } from "../shape.ts"

export interface Parameter {
  name: string
  shape: Shape
  /** Whether weight decay pulls it to zero: true for matrices, false for biases, norms and scalars. */
  decay: boolean
}

export interface FlatLayout {
  /** Elements of the flat buffer. */
  readonly size: number
  /** Elements of a chunk; divides `size`. */
  readonly chunk: number
  /** Where each parameter starts, by name. */
  readonly offsets: ReadonlyMap<string, number>
  /** Chunks that start before this element are decayed. */
  readonly decayEnd: number
}

/** Largest chunk: a dozen temporaries of 2^16 floats (256 KiB) share a last-level cache. */
const CHUNK = 2 ** 16

/** Parameters start on a cache line. */
const ALIGNMENT = 16

const roundUp = (n: number, multiple: number) => Math.ceil(n / multiple) * multiple

/** Places for all parameters. Throws when two share a name. */
export function layout(parameters: readonly Parameter[], largestChunk = CHUNK): FlatLayout {
  const groups = [parameters.filter(({ decay }) => decay), parameters.filter(({ decay }) => !decay)]
  const lengths = groups.map((group) => group.reduce((sum, { shape }) => sum + roundUp(sizeOf(shape), ALIGNMENT), 0))
  const chunk = Math.max(ALIGNMENT, Math.min(roundUp(largestChunk, ALIGNMENT), Math.max(...lengths)))
  const offsets = new Map<string, number>()
  const ends = [0, 0]
  let end = 0
  for (const [i, group] of groups.entries()) {
    for (const { name, shape } of group) {
      if (offsets.has(name)) {
        throw new FourtierError({ where: `parameter ${name}`, what: "two parameters share this name" })
      }
      offsets.set(name, end)
      end += roundUp(sizeOf(shape), ALIGNMENT)
    }
    end = roundUp(end, chunk)
    ends[i] = end
  }
  return { size: end, chunk, offsets, decayEnd: ends[0] }
}
