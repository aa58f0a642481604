/** The graph that ships: encoder, processors, integration and classifier in one ONNX model. */

import { BOXES, type Bundle, FRAMES, PROBABILITIES, ROWS } from "@fourtier/core/bundle"
import type { ViewRecipe } from "@fourtier/core/frames"
import {
  asStored,
  type NetworkSpec,
  placesOf,
  type RegionSpec,
  regionsOnRawMap,
  shippedHead,
} from "@fourtier/core/model"
import { input, reshape, sigmoid, type Tensor } from "@fourtier/tensor"
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
  const head = shippedHead(m, { size, classes, build, width, pool }, weights)
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
  const head = shippedHead(frameWise.toMap(rows), { size, classes, build, width, pool }, weights)
  return { frame: await frameWise.model(), head }
}

/** Boxes that one run of a shipped detector takes: hardly a picture shows more people, and empty ones cost next to nothing. */
export const SHIPPED_BOXES = 32

/** Encoder and trained detector as one graph: frames [1,T,H,W,3] and boxes [K,4] -> probabilities [K,C]. */
export async function buildDetector(
  encoder: VisualEncoder,
  network: Omit<RegionSpec, "size">,
  weights: Weights,
): Promise<ModelProto> {
  const { size } = encoder
  const head = detectorHead(input(MAP, [1, size.T, placesOf(size), size.D]), encoder, network, weights)
  return mergeModels(await encoder.model(1), head, { [MAP]: MAP })
}

/** `buildStream` of a detector: the second part takes the boxes. */
export async function buildDetectorStream(
  encoder: VisualEncoder,
  network: Omit<RegionSpec, "size">,
  weights: Weights,
): Promise<{ frame: ModelProto; head: ModelProto } | null> {
  const { size, frameWise } = encoder
  if (!frameWise) return null
  const rows = input(ROWS, [1, size.T, frameWise.rows.N, frameWise.rows.D])
  return {
    frame: await frameWise.model(),
    head: detectorHead(frameWise.toMap(rows), encoder, network, weights),
  }
}

function detectorHead(
  m: Tensor,
  { size }: VisualEncoder,
  network: Omit<RegionSpec, "size">,
  weights: Weights,
): ModelProto {
  const boxes = reshape(input(BOXES, [SHIPPED_BOXES, 4]), [1, SHIPPED_BOXES, 4])
  const { logits, trained, frozen } = regionsOnRawMap(asStored(m), boxes, { ...network, size }, null)
  return toOnnx({
    outputs: { [PROBABILITIES]: sigmoid(logits) },
    weights: selectWeights("bundle", [...trained, ...frozen], weights),
  })
}

/** The input part of a bundle. */
export function describeInput({ frames, resolution }: VisualEncoder): Bundle["input"] {
  return { name: FRAMES, shape: [1, frames, resolution[0], resolution[1], 3] }
}

/** The view recipe of evaluation, as a bundle keeps it. */
export function describeViews({ sampling, steps }: ViewRecipe): Pick<Bundle, "sampling" | "steps"> {
  return { sampling, steps: [...steps] }
}
