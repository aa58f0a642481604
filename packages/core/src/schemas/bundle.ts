/**
 * What a bundle says of itself: `bundle.json`.
 *
 * ```
 * model.onnx    frames [1,T,H,W,3] f32, RGB 0..255 ─ encoder ─ processors ─ integration ─ classifier ─► probabilities [1,C]
 * frame.onnx, head.onnx   the same in two parts, for streams: see `Bundle.stream`
 * bundle.json   labels, sampling, preprocessing, provenance, measured accuracy
 * ```
 */

import { z } from "zod"
import { samplingSchema } from "./sampling.ts"
import { stepSchema } from "./transform.ts"

/** Names of the graph's input and output. */
export const FRAMES = "frames"
export const PROBABILITIES = "probabilities"

/** What `frame.onnx` gives of one frame and `head.onnx` takes of T. */
export const ROWS = "rows"

const accuracySchema = z.strictObject({
  /** What was tested: split, clips, seeds. */
  on: z.string(),
  top1: z.number(),
  /** 95 % interval. */
  low: z.number(),
  high: z.number(),
})

export const calibrationSchema = z.strictObject({
  /** What the mean over a clip's views is brought to: see `withTemperature`. */
  temperature: z.number().positive(),
  /** Held-out clips that it comes from, and where those come from. */
  clips: z.int(),
  from: z.string(),
})

export const unknownSchema = z.strictObject({
  /** An answer is unknown where its best class is not more probable than this, background as an alternative included. */
  threshold: z.number().min(0).max(1),
  /** Share of background clips that may be named an action, and how many clips the threshold comes from. */
  falseAlarmRate: z.number(),
  clips: z.int(),
  /** Whether the model has one more output, the last, for what shows none of the classes: it has learned from such clips. */
  learned: z.boolean().default(false),
})

export type Unknown = z.infer<typeof unknownSchema>

export type Calibration = z.infer<typeof calibrationSchema>

export const bundleSchema = z.strictObject({
  format: z.literal("fourtier/bundle"),
  version: z.literal(1),
  labels: z.array(z.string()).min(2),
  input: z.strictObject({
    name: z.literal(FRAMES),
    /** `[1,T,H,W,3]`, float32: RGB, 0 to 255. */
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
  /**
   * Where the encoder sees single frames: `frame.onnx`, a frame [1,1,H,W,3] to its rows [1,N,D], and `head.onnx`, the rows of T frames to
   * probabilities, both with their weights in the file of `model.onnx`. Null: a stream runs the whole model.
   */
  stream: z
    .strictObject({ rows: z.tuple([z.int(), z.int()]) })
    .nullable()
    .default(null),
  /** Median duration of the clips trained on, in seconds: how long the windows of a stream are. */
  clipSeconds: z.number().positive().nullable().default(null),
  /** How sure answers may be; null where too few clips could be held out: answers are as the network gives them. */
  calibration: calibrationSchema.nullable().default(null),
  /** From which probability of the best class on it is believed; null where no clips of background said how sure nothing looks. */
  unknown: unknownSchema.nullable().default(null),
  /** Of the method, as the report has it; null when nothing was held back for testing. */
  accuracy: accuracySchema.nullable(),
  /** The largest difference between the bundle's probabilities and the trainer's, over these many clips. */
  parity: z.strictObject({ clips: z.int(), largestDifference: z.number() }),
})

export type Bundle = z.infer<typeof bundleSchema>

/**
 * How many probabilities the model of a bundle gives: one for each class, and one for none of them where it has learned that.
 *
 * @example
 * ```ts
 * import { type Bundle, outputsOf } from "@fourtier/core/schemas"
 *
 * const learnsBackground = (bundle: Bundle) => outputsOf(bundle) > bundle.labels.length
 * ```
 */
export function outputsOf({ labels, unknown }: Pick<Bundle, "labels" | "unknown">): number {
  return labels.length + Number(unknown?.learned ?? false)
}
