/**
 * A bundle: one folder with everything that recognising needs and nothing that training needed.
 *
 * ```
 * model.onnx    frames [1,T,H,W,3] f32, RGB 0..255 ─ encoder ─ processors ─ integration ─ classifier ─► probabilities [1,C]
 * bundle.json   labels, sampling, preprocessing, provenance, measured accuracy
 * ```
 */

import { join } from "node:path"
import { z } from "zod"
import { FRAMES, MAP, type VisualEncoder } from "../encoders/encoder.ts"
import type { ViewRecipe } from "../encoders/extract.ts"
import { placesOf } from "../model/config.ts"
import type { Weights } from "../tensor/nn/params.ts"
import { selectWeights } from "../tensor/nn/params.ts"
import { mergeModels } from "../tensor/onnx/merge.ts"
import type { ModelProto } from "../tensor/onnx/proto.ts"
import { toOnnx } from "../tensor/onnx/write.ts"
import { cast, softmax } from "../tensor/ops/functions.ts"
import { input } from "../tensor/tensor.ts"
import { type ClassifierSpec, onRawMap } from "../train/finetune.ts"
import { FourtierError } from "../util/errors.ts"
import { readJson } from "../util/files.ts"
import { samplingSchema } from "../video/sampling.ts"
import { stepSchema } from "../video/transform.ts"

export const PROBABILITIES = "probabilities"

const accuracySchema = z.strictObject({
  /** What was tested: split, clips, seeds. */
  on: z.string(),
  top1: z.number(),
  /** 95 % interval. */
  low: z.number(),
  high: z.number(),
})

export const bundleSchema = z.strictObject({
  format: z.literal("fourtier/bundle"),
  version: z.literal(1),
  labels: z.array(z.string()).min(2),
  input: z.strictObject({
    name: z.literal(FRAMES),
    /** [1,T,H,W,3]: float32, RGB, 0 to 255. */
    shape: z.tuple([z.literal(1), z.int(), z.int(), z.int(), z.literal(3)]),
  }),
  output: z.strictObject({ name: z.literal(PROBABILITIES) }),
  /** Which frames, and how they become the input: a clip's views are averaged. */
  sampling: samplingSchema,
  steps: z.array(stepSchema),
  provenance: z.strictObject({
    fourtier: z.string(),
    created: z.string(),
    method: z.string(),
    encoder: z.strictObject({ name: z.string(), id: z.string() }),
    prompts: z.array(z.strictObject({ id: z.string(), text: z.string() })),
    /** Hash of the resolved configuration, which lies in the run's folder. */
    config: z.string(),
    split: z.string(),
    seed: z.int(),
    /** All clips trained on, and how many of them had a pseudo-label instead of a label. */
    trainingClips: z.int(),
    pseudoLabelled: z.int().default(0),
  }),
  /** Of the method, as the report has it; null when nothing was held back for testing. */
  accuracy: accuracySchema.nullable(),
  /** The largest difference between the bundle's probabilities and the trainer's, over these many clips. */
  parity: z.strictObject({ clips: z.int(), largestDifference: z.number() }),
})

export type Bundle = z.infer<typeof bundleSchema>

export const modelPath = (folder: string) => join(folder, "model.onnx")
export const bundlePath = (folder: string) => join(folder, "bundle.json")

/** Reads and checks `bundle.json`. */
export async function readBundle(folder: string): Promise<Bundle> {
  const path = bundlePath(folder)
  const parsed = bundleSchema.safeParse(await readJson(path))
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new FourtierError({
    where: `${path}, ${issue.path.join(".") || "top level"}`,
    what: "not a bundle of this version",
    found: issue.message,
    fix: "export the model again",
  })
}

/** Encoder and trained network as one graph: frames [1,T,H,W,3] -> probabilities [1,C]. */
export async function buildModel(
  encoder: VisualEncoder,
  classes: number,
  { build, width }: Pick<ClassifierSpec, "build" | "width">,
  weights: Weights,
): Promise<ModelProto> {
  const { size } = encoder
  const m = input(MAP, [1, size.T, placesOf(size), size.D])
  // training saw features as the store holds them, in half precision: so does the shipped network
  const stored = cast(cast(m, "f16"), "f32")
  const network = onRawMap(stored, { size, classes, build, width }, null)
  const head = toOnnx({
    outputs: { [PROBABILITIES]: softmax(network.final) },
    weights: selectWeights("bundle", [...network.trained, ...network.finalFrozen], weights),
  })
  return mergeModels(await encoder.model(1), head, { [MAP]: MAP })
}

/** The input part of a bundle. */
export function describeInput({ frames, resolution }: VisualEncoder): Bundle["input"] {
  return { name: FRAMES, shape: [1, frames, resolution[0], resolution[1], 3] }
}

/** The view recipe of evaluation, as a bundle keeps it. */
export function describeViews({ sampling, steps }: ViewRecipe): Pick<Bundle, "sampling" | "steps"> {
  return { sampling, steps: [...steps] }
}
