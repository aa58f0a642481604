/** Convolution, pooling and resizing of channel-first maps [B,C,space..]. */

import { apply, type Tensor } from "../../tensor.ts"
import type { ConvAttrs, PoolAttrs, ResizeAttrs } from "../attributes.ts"

/**
 * Convolution of x [B,C,space..] with weight [O,C/groups,kernel..] and bias [O]. For frozen encoders: it has no gradient.
 * Strides, dilations and groups default to 1, pads to 0.
 *
 * @example
 * ```ts
 * import { conv, input } from "@fourtier/tensor"
 *
 * const [frames, weight] = [input("frames", [8, 3, 224, 224]), input("w", [64, 3, 16, 16])]
 * conv(frames, weight, null, { strides: [16, 16] }).shape // [8, 64, 14, 14]
 * ```
 */
export function conv(x: Tensor, weight: Tensor, bias: Tensor | null, options: Partial<ConvAttrs> = {}): Tensor {
  const spatial = Math.max(0, x.rank - 2)
  return apply("conv", bias ? [x, weight, bias] : [x, weight], {
    strides: options.strides ?? new Array<number>(spatial).fill(1),
    pads: options.pads ?? new Array<[number, number]>(spatial).fill([0, 0]),
    dilations: options.dilations ?? new Array<number>(spatial).fill(1),
    groups: options.groups ?? 1,
  })
}

/**
 * Largest or average value of each window of x [B,C,space..]. For frozen encoders: it has no gradient. Strides default to the
 * kernel, pads to 0.
 *
 * @example
 * ```ts
 * import { input, pool } from "@fourtier/tensor"
 *
 * pool(input("x", [8, 64, 14, 14]), "average", [2, 2]).shape // [8, 64, 7, 7]
 * ```
 */
export function pool(
  x: Tensor,
  kind: PoolAttrs["kind"],
  kernel: readonly number[],
  options: Partial<PoolAttrs> = {},
): Tensor {
  return apply("pool", [x], {
    kind,
    kernel,
    strides: options.strides ?? kernel,
    pads: options.pads ?? new Array<[number, number]>(kernel.length).fill([0, 0]),
    countPad: options.countPad ?? false,
  })
}

/**
 * The last axes resized to the lengths `size`, without low-pass filter; linear with half-pixel centres by default.
 *
 * @example
 * ```ts
 * import { input, resize } from "@fourtier/tensor"
 *
 * resize(input("x", [8, 64, 7, 7]), [14, 14], { mode: "cubic" }).shape // [8, 64, 14, 14]
 * ```
 */
export function resize(x: Tensor, size: readonly number[], options: Partial<ResizeAttrs> = {}): Tensor {
  return apply("resize", [x], {
    size,
    mode: options.mode ?? "linear",
    coordinates: options.coordinates ?? "half-pixel",
  })
}
