/**
 * What a bundle that tells who does what, where, says of itself: `bundle.json`.
 *
 * ```
 * model.onnx    frames [1,T,H,W,3] f32, RGB 0..255, and boxes [K,4] ─ encoder ─ … ─ RoIAlign ─ linear ─ sigmoid ─► probabilities [K,C]
 * frame.onnx, head.onnx   the same in two parts: a frame [1,1,H,W,3] to its rows, rows of T frames and boxes to probabilities
 * bundle.json   labels, the window around a key frame, sampling, preprocessing, provenance, measured quality
 * ```
 */

import { z } from "zod"
import { FRAMES, PROBABILITIES } from "./bundle.ts"
import { samplingSchema } from "./sampling.ts"
import { stepSchema } from "./transform.ts"

/** Name of the graph's second input. */
export const BOXES = "boxes"

export const detectionBundleSchema = z.strictObject({
  format: z.literal("fourtier/bundle"),
  version: z.literal(1),
  task: z.literal("detection"),
  labels: z.array(z.string()).min(1),
  /** The classes' numbers as in AVA's files, in the order of `labels`. */
  classIds: z.array(z.int()).min(1),
  input: z.strictObject({
    frames: z.strictObject({
      name: z.literal(FRAMES),
      /** `[1,T,H,W,3]`, float32: RGB, 0 to 255. */
      shape: z.tuple([z.literal(1), z.int(), z.int(), z.int(), z.literal(3)]),
    }),
    boxes: z.strictObject({
      name: z.literal(BOXES),
      /** `[K,4]`, float32: left, top, right and bottom, as shares of the view that the frames are. Zeros where there are fewer people. */
      shape: z.tuple([z.int().positive(), z.literal(4)]),
    }),
  }),
  /** `[K,C]`: each class is its own yes or no. */
  output: z.strictObject({ name: z.literal(PROBABILITIES) }),
  /** Which frames of the window, and how they become the input: one view. */
  sampling: samplingSchema,
  steps: z.array(stepSchema),
  /** Seconds of the clip around a key frame, which is in its middle. */
  window: z.number().positive(),
  /** See `Bundle.stream`. */
  stream: z.strictObject({ rows: z.tuple([z.int(), z.int()]) }).nullable(),
  provenance: z.strictObject({
    fourtier: z.string(),
    created: z.string(),
    method: z.string(),
    encoder: z.strictObject({ name: z.string(), id: z.string() }),
    prompts: z.array(z.strictObject({ id: z.string(), text: z.string() })),
    /** Hash of the resolved configuration, which lies beside the results. */
    config: z.string(),
    seed: z.int(),
    /** Key frames and people learned from. */
    keyFrames: z.int(),
    people: z.int(),
  }),
  /** Frame mean average precision at IoU 0.5 with true boxes, with its 95 % interval; null where nothing was tested. */
  quality: z
    .strictObject({ on: z.string(), meanAveragePrecision: z.number(), low: z.number(), high: z.number() })
    .nullable(),
  /** The largest difference between the bundle's probabilities and the trainer's, over these many key frames and boxes. */
  parity: z.strictObject({ clips: z.int(), boxes: z.int(), largestDifference: z.number() }),
})

export type DetectionBundle = z.infer<typeof detectionBundleSchema>
