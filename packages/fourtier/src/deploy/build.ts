/** The graph that ships: encoder, processors, integration and classifier in one ONNX model. */

import { type Bundle, FRAMES, PROBABILITIES, ROWS } from "@fourtier/core/bundle"
import type { ViewRecipe } from "@fourtier/core/frames"
import { type NetworkSpec, onRawMap, placesOf } from "@fourtier/core/model"
import { cast, input, softmax } from "@fourtier/tensor"
import { selectWeights, type Weights } from "@fourtier/tensor/nn"
import { type ModelProto, mergeModels, toOnnx } from "@fourtier/tensor/onnx"
import { MAP, type VisualEncoder } from "../encoders/encoder.ts"

/** Encoder and trained network as one graph: frames [1,T,H,W,3] -> probabilities [1,C]. */
export async function buildModel(
  encoder: VisualEncoder,
  classes: number,
  { build, width, pool }: Pick<NetworkSpec, "build" | "width" | "pool">,
  weights: Weights,
): Promise<ModelProto> {
  const { size } = encoder
  const m = input(MAP, [1, size.T, placesOf(size), size.D])
  // training saw features as the store holds them, in half precision: so does the shipped network
  const stored = cast(cast(m, "f16"), "f32")
  const network = onRawMap(stored, { size, classes, build, width, pool }, null)
  const head = toOnnx({
    outputs: { [PROBABILITIES]: softmax(network.final) },
    weights: selectWeights("bundle", [...network.trained, ...network.finalFrozen], weights),
  })
  return mergeModels(await encoder.model(1), head, { [MAP]: MAP })
}

/**
 * The same graph in two parts that meet where frames are still apart: a frame [1,1,H,W,3] -> rows [1,N,D'], and rows [1,T,N,D'] ->
 * probabilities [1,C]. Null where the encoder sees clips.
 */
export async function buildStream(
  encoder: VisualEncoder,
  classes: number,
  { build, width, pool }: Pick<NetworkSpec, "build" | "width" | "pool">,
  weights: Weights,
): Promise<{ frame: ModelProto; head: ModelProto } | null> {
  const { size, frameWise } = encoder
  if (!frameWise) return null
  const rows = input(ROWS, [1, size.T, frameWise.rows.N, frameWise.rows.D])
  const stored = cast(cast(frameWise.toMap(rows), "f16"), "f32")
  const network = onRawMap(stored, { size, classes, build, width, pool }, null)
  const head = toOnnx({
    outputs: { [PROBABILITIES]: softmax(network.final) },
    weights: selectWeights("bundle", [...network.trained, ...network.finalFrozen], weights),
  })
  return { frame: await frameWise.model(), head }
}

/** The input part of a bundle. */
export function describeInput({ frames, resolution }: VisualEncoder): Bundle["input"] {
  return { name: FRAMES, shape: [1, frames, resolution[0], resolution[1], 3] }
}

/** The view recipe of evaluation, as a bundle keeps it. */
export function describeViews({ sampling, steps }: ViewRecipe): Pick<Bundle, "sampling" | "steps"> {
  return { sampling, steps: [...steps] }
}
