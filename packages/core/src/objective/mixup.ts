/** Mixup (Zhang et al. 2018): each clip of a batch is blended with another, and so is what it should be told as. */

import {
  add,
  floatToHalf,
  gather,
  halfToFloat,
  mul,
  type Rng,
  reshape,
  slice,
  sub,
  type Tensor,
} from "@fourtier/tensor"

/** Which clip of the batch each clip is mixed with, and how much of itself stays. */
export interface Mixing {
  partner: BigInt64Array
  share: Float32Array
}

/**
 * Mixup partners for a batch: shares from Beta(alpha, alpha), one a clip, the larger part its own; with alpha 0 every clip
 * stays as it is. Features are mixed before the trained part: a frozen encoder's maps, not frames.
 *
 * @example
 * ```ts
 * import { drawMixing } from "@fourtier/core/objective"
 * import { Rng } from "@fourtier/tensor"
 *
 * const { partner, share } = drawMixing(16, 0.8, Rng.fork(0, "step", 1)) // [16] each, shares of a half or more
 * ```
 */
export function drawMixing(batch: number, alpha: number, rng: Rng): Mixing {
  const partner = BigInt64Array.from(rng.shuffle([...Array(batch).keys()]), BigInt)
  const share = new Float32Array(batch).fill(1)
  if (alpha > 0) {
    for (let i = 0; i < batch; i++) {
      const x = rng.beta(alpha, alpha)
      share[i] = Math.max(x, 1 - x)
    }
  }
  return { partner, share }
}

/**
 * x [B,..] mixed: share·x + (1 − share)·x[partner]. partner i64 [B], share f32 [B].
 *
 * @example
 * ```ts
 * import { mixBatch } from "@fourtier/core/objective"
 * import { input } from "@fourtier/tensor"
 *
 * mixBatch(input("m", [16, 8, 36, 64]), input("partner", [16], "i64"), input("share", [16])).shape // [16, 8, 36, 64]
 * ```
 */
export function mixBatch(x: Tensor, partner: Tensor, share: Tensor): Tensor {
  const column = reshape(share, [x.shape[0], ...new Array<number>(x.rank - 1).fill(1)])
  const other = gather(x, partner, 0)
  return add(other, mul(column, sub(x, other)))
}

/**
 * The same where the partners' rows lie behind the clips' own: x [2B,..] -> share·x[:B] + (1 − share)·x[B:]. share f32 [B].
 *
 * @example
 * ```ts
 * import { mixHalves } from "@fourtier/core/objective"
 * import { input } from "@fourtier/tensor"
 *
 * mixHalves(input("m", [32, 8, 36, 64]), input("share", [16])).shape // [16, 8, 36, 64]
 * ```
 */
export function mixHalves(x: Tensor, share: Tensor): Tensor {
  const [batch] = share.shape
  const from = (start: number) => {
    const starts = x.shape.map((_, axis) => (axis === 0 ? start : 0))
    return slice(
      x,
      starts,
      x.shape.map((length, axis) => (axis === 0 ? start + batch : length)),
    )
  }
  const column = reshape(share, [batch, ...new Array<number>(x.rank - 1).fill(1)])
  const other = from(batch)
  return add(other, mul(column, sub(from(0), other)))
}

/**
 * The same for records in memory: share·own + (1 − share)·other, one share a record, float16 in and out.
 *
 * @example
 * ```ts
 * import { mixRecords } from "@fourtier/core/objective"
 * import { floatToHalf, halfToFloat } from "@fourtier/tensor"
 *
 * const [own, other] = [floatToHalf(Float32Array.of(1)), floatToHalf(Float32Array.of(3))]
 * halfToFloat(mixRecords(own, other, Float32Array.of(0.75))) // [1.5]
 * ```
 */
export function mixRecords(own: Uint16Array, other: Uint16Array, share: Float32Array): Uint16Array {
  const mixed = halfToFloat(own)
  const partner = halfToFloat(other)
  const length = own.length / share.length
  for (let i = 0; i < mixed.length; i++) {
    const part = share[Math.floor(i / length)]
    mixed[i] = part * mixed[i] + (1 - part) * partner[i]
  }
  return floatToHalf(mixed)
}
