/** An encoder small enough to follow by hand, and what a bundle of it needs. */

import { type Method, methodNamed, type NetworkSpec, onRawMap, placesOf } from "@fourtier/core/model"
import { type Bundle, FRAMES, modelSchema } from "@fourtier/core/schemas"
import { input, mean, mul, Rng, reshape, transpose } from "@fourtier/tensor"
import { initialize, type Weights } from "@fourtier/tensor/nn"
import { toOnnx } from "@fourtier/tensor/onnx"
import { MAP, ROWS, type VisualEncoder } from "../../src/encoders/encoder.ts"

/** Frames of a clip, and their height and width. */
export const [T, SIDE] = [4, 32]

/** Averages quarters of each frame: m [B,T,4,3]. */
export const quarters: VisualEncoder = {
  name: "quarters",
  id: "quarters",
  frames: T,
  resolution: [SIDE, SIDE],
  size: { T, H: 2, W: 2, D: 3 },
  frameWise: {
    rows: { N: 4, D: 3 },
    model: async () => toOnnx({ outputs: { [ROWS]: quartersOf(1, 1) } }),
    toMap: (rows) => rows,
  },
  flops: async () => ({ part: "encoder", weights: 0, macs: 0 }),
  model: async (batch) => toOnnx({ outputs: { [MAP]: reshape(quartersOf(batch, T), [batch, T, 4, 3]) } }),
}

/** [B·T,4,3] */
function quartersOf(batch: number, time: number) {
  const half = SIDE / 2
  const frames = reshape(input(FRAMES, [batch, time, SIDE, SIDE, 3]), [batch * time, 2, half, 2, half, 3])
  const means = mean(transpose(frames, [0, 1, 3, 2, 4, 5]), [3, 4]) // [B·T,2,2,3]
  return mul(reshape(means, [batch * time, 4, 3]), 1 / 255)
}

/** A method's network on an encoder's map, and fresh weights for it. */
export function freshNetwork(
  { size }: VisualEncoder,
  method: Method,
  { classes, headWidth, prompts = [] }: { classes: number; headWidth: number; prompts?: string[] },
): { network: NetworkSpec; weights: Weights; final: ReturnType<typeof onRawMap>["final"] } {
  const model = modelSchema.parse({ headWidth, blocks: 1 })
  const build = methodNamed(method).build({ prompts, model, space: null })
  const network = { size, classes, width: null, pool: model.pool, build }
  const { trained, finalFrozen, final } = onRawMap(input("m", [1, size.T, placesOf(size), size.D]), network, null)
  return { network, weights: initialize([...trained, ...finalFrozen], (name) => Rng.fork(0, name)), final }
}

export function provenanceOf({ name, id }: VisualEncoder, method: Method): Bundle["provenance"] {
  return {
    fourtier: "0.0.0",
    created: "2026-01-01T00:00:00Z",
    method,
    encoder: { name, id },
    prompts: [],
    config: "made up",
    split: "none",
    seed: 0,
    trainingClips: 1,
    pseudoLabelled: 0,
  }
}
