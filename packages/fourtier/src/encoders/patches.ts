/** Pictures as tokens and back, as the transformer encoders share it: patches, their embedding, feature maps. */

import { add, expand, FourtierError, narrow, pad, reshape, slice, type Tensor, transpose } from "@fourtier/tensor"
import { project } from "./blocks.ts"
import type { WeightBinder } from "./weight-binder.ts"

/** Length in patches of a length in pixels; what does not fill a patch is cut off. */
export function gridOf(where: string, pixels: number, patch: number): number {
  const grid = Math.floor(pixels / patch)
  if (grid >= 1) return grid
  throw new FourtierError({ where, what: `patches of ${patch} pixels do not fit into ${pixels} pixels` })
}

/**
 * Cuts frames into patches: [B,T,H,W,3] -> [B,T/t,N,t·p·p·3], each patch in the order time, row, column, colour.
 *
 * @param kernel t, p and p again: frames, rows and columns of a patch
 */
export function patches(frames: Tensor, [t, p, q]: readonly [number, number, number]): Tensor {
  const [B, T, H, W, C] = frames.shape
  const [time, rows, columns] = [Math.floor(T / t), gridOf("patches", H, p), gridOf("patches", W, q)]
  const whole = slice(frames, [0, 0, 0, 0, 0], [B, time * t, rows * p, columns * q, C])
  const open = reshape(whole, [B, time, t, rows, p, columns, q, C])
  return reshape(transpose(open, [0, 1, 3, 5, 2, 4, 6, 7]), [B, time, rows * columns, t * p * q * C])
}

/** A convolution's weight [out,in,..kernel] as a matrix [..kernel·in, out] for `patches`. */
export function kernelMatrix(values: Float32Array, out: number, channels: number): Float32Array {
  const places = values.length / (out * channels)
  const result = new Float32Array(values.length)
  for (let o = 0; o < out; o++) {
    for (let c = 0; c < channels; c++) {
      for (let place = 0; place < places; place++) {
        result[(place * channels + c) * out + o] = values[(o * channels + c) * places + place]
      }
    }
  }
  return result
}

export interface PatchEmbedding {
  /** The convolution's name. */
  name: string
  width: number
  /** Its kernel in the checkpoint, with or without the axis of time. */
  kernel: readonly number[]
  bias: boolean
}

/** Pixels of patches [..,kernel·3] to vectors [..,width], with the weights of a convolution. */
export function embedPatches(
  binder: WeightBinder,
  pixels: Tensor,
  { name, width, kernel, bias }: PatchEmbedding,
): Tensor {
  const shape = [width, 3, ...kernel]
  const weight = binder.derive(
    `${name}.weight`,
    [{ name: `${name}.weight`, shape }],
    [pixels.shape[pixels.rank - 1], width],
    (values) => kernelMatrix(values, width, 3),
  )
  const product = project(pixels, weight)
  return bias ? add(product, binder.weight(`${name}.bias`, [width])) : product
}

/** A weight [D] or [1,..,D] as a token in front of every row: [rows,1,D]. */
export function prefixToken(token: Tensor, rows: number): Tensor {
  const width = token.shape[token.rank - 1]
  return expand(reshape(token, [1, 1, width]), [rows, 1, width])
}

/** [B,3,T,H,W] -> [B,T,H,W,3] */
export function fromChannelsFirst(clips: Tensor): Tensor {
  return transpose(clips, [0, 2, 3, 4, 1])
}

/** Images [B,3,H,W] as clips of one frame: [B,1,H,W,3] */
export function fromImages(images: Tensor): Tensor {
  const [B, C, H, W] = images.shape
  return reshape(transpose(images, [0, 2, 3, 1]), [B, 1, H, W, C])
}

/** Clips [B,T,H,W,3] as clips of one frame: [B·T,1,H,W,3] */
export function asImages(clips: Tensor): Tensor {
  const [B, T, ...frame] = clips.shape
  return reshape(clips, [B * T, 1, ...frame])
}

/** Tokens [rows,1+N,D] without the first one: [rows,N,D] */
export function withoutClassToken(tokens: Tensor): Tensor {
  return narrow(tokens, 1, 1, tokens.shape[1])
}

/** Tokens [..,D] of `B` clips of `T` frames, each a square grid, as a feature map [B,T,G,G,D]. */
export function squareMap(tokens: Tensor, B: number, T: number): Tensor {
  const D = tokens.shape[tokens.rank - 1]
  const G = Math.round(Math.sqrt(tokens.size / (B * T * D)))
  return reshape(tokens, [B, T, G, G, D])
}

/** Patches of a picture. */
export interface Grid {
  rows: number
  columns: number
}

/** The patches of pictures [..,H,W,3]; what does not fill a patch is cut off. */
export function gridOfPictures({ shape, rank }: Tensor, patch: number): Grid {
  return { rows: gridOf("height", shape[rank - 3], patch), columns: gridOf("width", shape[rank - 2], patch) }
}

/** Tokens [..,D] of `B` clips of `T` frames as a feature map [B,T,rows,columns,D]. */
export function gridMap(tokens: Tensor, B: number, T: number, { rows, columns }: Grid): Tensor {
  return reshape(tokens, [B, T, rows, columns, tokens.shape[tokens.rank - 1]])
}

/** Zeros before and after on one axis. */
export function padAxis(x: Tensor, axis: number, before: number, after: number): Tensor {
  return pad(
    x,
    x.shape.map((_, at): [number, number] => (at === axis ? [before, after] : [0, 0])),
  )
}
