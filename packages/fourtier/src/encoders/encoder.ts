/**
 * What a frozen visual encoder is to the rest of the project: one ONNX graph from pixels to a map.
 *
 * ```
 * frames [B,T,H,W,3] f32, RGB 0..255 ──► m [B,T',N,D] f32
 * ```
 * Normalisation is part of the graph. T' may be smaller than T (temporal stride).
 */

import { type MapSize, placesOf } from "@fourtier/core/model"
import { FRAMES } from "@fourtier/core/schemas"
import type { Flops, Session, SessionOptions, Tensor } from "@fourtier/tensor"
import type { ModelProto } from "@fourtier/tensor/onnx"
import type { JointTower } from "./joint.ts"
import { loadModel } from "./large.ts"

export interface VisualEncoder {
  /** To be shown: "movenet", "clip B/16". */
  name: string
  /** Hash of the weights and of every setting that changes the map: names the features in the store. */
  id: string
  /** Worth knowing about how it was opened, such as which of several sets of weights was taken. */
  notes?: readonly string[]
  /** Frames of a clip, T. */
  frames: number
  /** Height and width of a frame in pixels. */
  resolution: readonly [number, number]
  /** Axes of the map; `size.T` is T'. */
  size: MapSize
  /** The graph for `batch` clips: input `frames`, output `m`. */
  model(batch: number): Promise<ModelProto>
  /** Weights, and multiply–adds of one clip. */
  flops(): Promise<Flops>
  /** The same of the network as it was published, without its classification layer; absent where that is not known. */
  whole?(): Promise<Flops>
  /** For encoders that see one frame at a time: each frame needs to be seen once, whatever clips it is in. */
  frameWise?: FrameWise
  /** The space that it shares with a text tower, where its checkpoint has one. */
  joint?: JointSpace
}

/** An encoder of single frames, and how the map of a clip comes from the rows of its frames. */
export interface FrameWise {
  /** Places and channels of one frame's rows. */
  rows: { N: number; D: number }
  /** The graph for one frame: input `frames` [1,1,H,W,3], a clip of one frame, output `rows` [1,N,D']. */
  model(): Promise<ModelProto>
  /** rows [B,T,N,D'] -> m [B,T,N,D] */
  toMap(rows: Tensor): Tensor
}

/** What an encoder offers whose image tower has a text tower beside it. */
export interface JointSpace {
  /** The setting `text.encoder` that chooses the text tower. */
  readonly tower: JointTower
  /** See `jointSpace`. */
  readonly space: string
  /** E */
  readonly width: number
  /** The encoder with its rows as map [B,1,R,E]: to be stored and read as any other's. */
  readonly encoder: VisualEncoder
  /**
   * Logits [C] of clips by the model's own rule; their softmax are probabilities of the classes.
   *
   * @param clips rows [R,E] each
   * @param texts embeddings [E] of the classes
   */
  logits(clips: readonly Float32Array[], texts: readonly Float32Array[]): Promise<Float32Array[]>
}

/** Name of the output of an encoder's graph. The input is `FRAMES`. */
export const MAP = "m"

export { ROWS } from "@fourtier/core/schemas"

/**
 * Shapes of the encoder's input [B,T,H,W,3] and output [B,T',N,D].
 *
 * @example
 * ```ts
 * import { encoderSchema, encoderShapes, openVisualEncoder } from "fourtier/encoders"
 *
 * const encoder = await openVisualEncoder(encoderSchema.parse({ kind: "movenet" }))
 * encoderShapes(encoder, 2) // { frames: [2, 8, 192, 192, 3], m: [2, 8, 9, 320] }
 * ```
 */
export function encoderShapes(
  { frames, resolution, size }: Pick<VisualEncoder, "frames" | "resolution" | "size">,
  batch: number,
): { frames: number[]; m: number[] } {
  return {
    frames: [batch, frames, ...resolution, 3],
    m: [batch, size.T, placesOf(size), size.D],
  }
}

/**
 * The encoder ready to run on `batch` clips at a time.
 *
 * @throws FourtierError when weights do not fit the network, or the device is not there
 *
 * @example
 * ```ts
 * import { encoderSchema, openEncoder, openVisualEncoder } from "fourtier/encoders"
 *
 * const encoder = await openVisualEncoder(encoderSchema.parse({ kind: "movenet" }))
 * const session = await openEncoder(encoder, 1, { provider: "cpu" })
 * const frames = new Float32Array(8 * 192 * 192 * 3).fill(128) // a grey clip [1,T,H,W,3]
 * const { m } = await session.run({ frames }) // [1,T',N,D]
 * await session.release()
 * ```
 */
export async function openEncoder(encoder: VisualEncoder, batch: number, options: SessionOptions): Promise<Session> {
  const shapes = encoderShapes(encoder, batch)
  const types = {
    inputs: new Map([[FRAMES, { shape: shapes.frames, dtype: "f32" as const }]]),
    outputs: new Map([[MAP, { shape: shapes.m, dtype: "f32" as const }]]),
  }
  return loadModel(await encoder.model(batch), types, options)
}
