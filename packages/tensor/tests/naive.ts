/** Reference implementations of ops as plain loops. */

import { type Shape, sizeOf } from "../src/shape.ts"

export interface Block {
  shape: Shape
  data: readonly number[]
}

/** Row-major strides in elements. */
function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length)
  let stride = 1
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride
    stride *= shape[axis]
  }
  return strides
}

/** Every index of a shape, last axis fastest. */
export function* indicesOf(shape: Shape): Generator<number[]> {
  const size = sizeOf(shape)
  const strides = stridesOf(shape)
  for (let i = 0; i < size; i++) yield shape.map((length, axis) => Math.floor(i / strides[axis]) % length)
}

/** The element at `index`; 0 outside. */
export function at({ shape, data }: Block, index: readonly number[]): number {
  const strides = stridesOf(shape)
  const inside = index.every((i, axis) => i >= 0 && i < shape[axis])
  return inside ? data[index.reduce((sum, i, axis) => sum + i * strides[axis], 0)] : 0
}

export interface Window {
  strides: readonly number[]
  pads: readonly (readonly [number, number])[]
  dilations: readonly number[]
  groups: number
}

/** x [B,C,space..], weight [O,C/groups,kernel..], bias [O] */
export function naiveConv(x: Block, weight: Block, bias: readonly number[] | null, window: Window): Block {
  const { strides, pads, dilations, groups } = window
  const [O, perGroup, ...kernel] = weight.shape
  const space = kernel.map((k, i) => {
    const padded = x.shape[i + 2] + pads[i][0] + pads[i][1]
    return Math.floor((padded - dilations[i] * (k - 1) - 1) / strides[i]) + 1
  })
  const shape = [x.shape[0], O, ...space]
  const data: number[] = []
  for (const [b, o, ...place] of indicesOf(shape)) {
    let sum = bias?.[o] ?? 0
    const group = Math.floor(o / (O / groups))
    for (let c = 0; c < perGroup; c++) {
      for (const tap of indicesOf(kernel)) {
        const from = place.map((p, i) => p * strides[i] - pads[i][0] + tap[i] * dilations[i])
        sum += at(x, [b, group * perGroup + c, ...from]) * at(weight, [o, c, ...tap])
      }
    }
    data.push(sum)
  }
  return { shape, data }
}

/** Largest element, or mean over the places inside the map (over all places with `countPad`). */
export function naivePool(
  x: Block,
  kind: "max" | "average",
  kernel: readonly number[],
  { strides, pads }: Pick<Window, "strides" | "pads">,
  countPad: boolean,
): Block {
  const space = kernel.map((k, i) => Math.floor((x.shape[i + 2] + pads[i][0] + pads[i][1] - k) / strides[i]) + 1)
  const shape = [x.shape[0], x.shape[1], ...space]
  const data: number[] = []
  for (const [b, c, ...place] of indicesOf(shape)) {
    const values: number[] = []
    for (const tap of indicesOf(kernel)) {
      const from = place.map((p, i) => p * strides[i] - pads[i][0] + tap[i])
      const inside = from.every((f, i) => f >= 0 && f < x.shape[i + 2])
      if (inside) values.push(at(x, [b, c, ...from]))
      else if (countPad && kind === "average") values.push(0)
    }
    data.push(kind === "max" ? Math.max(...values) : values.reduce((s, v) => s + v, 0) / values.length)
  }
  return { shape, data }
}
