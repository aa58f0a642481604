/** Settings of the encoder `movenet`: which maps of the network make up the feature map, and on what grid. */

import { z } from "zod"
import { precisionSchema } from "../precision.ts"

/** Places in MoveNet where a map can be taken. `open/movenet.ts` knows their nodes. */
export const MOVENET_TAPS = [
  "stage24",
  "stage32",
  "stage64",
  "stage96",
  "stage160",
  "stage320",
  "top1280",
  "fpn16",
  "fpn8",
  "fpn4",
  "keypointFeatures",
  "keypointHeatmaps",
  "centerHeatmap",
  "keypointRegression",
  "keypointOffsets",
] as const

export type MovenetTap = (typeof MOVENET_TAPS)[number]

const tapSchema = z.strictObject({
  tap: z.enum(MOVENET_TAPS).describe("place in the network"),
  pool: z
    .enum(["average", "max"])
    .default("average")
    .describe("how a cell of the grid sums up the part of the map below it"),
})

export type TapOptions = z.infer<typeof tapSchema>

/** Which taps make up the feature map m, and on what grid. */
export const movenetFeatureSchema = z.strictObject({
  taps: z
    .array(tapSchema)
    .min(1)
    .default([{ tap: "stage320", pool: "average" }])
    .describe("maps that are put together, channel by channel"),
  grid: z
    .tuple([z.int().positive(), z.int().positive()])
    .default([3, 3])
    .describe("rows and columns, N = rows · columns"),
  /**
   * `difference` adds as many channels again: |m[t+1] − m[t−1]|, at the ends the difference to the one neighbour. Pooling over
   * time then keeps some of the motion.
   */
  motion: z
    .enum(["none", "difference"])
    .default("none")
    .describe("difference: as many channels again, with what changes from frame to frame"),
  standardise: z
    .strictObject({
      mean: z.array(z.number()).describe("one per channel"),
      std: z.array(z.number().positive()).describe("one per channel"),
    })
    .nullable()
    .default(null)
    .describe("per channel of the whole map: (x − mean)/std"),
})

export type MovenetFeatureOptions = z.infer<typeof movenetFeatureSchema>

const side = z.int().multipleOf(32).positive()

export const movenetSettings = z.strictObject({
  kind: z.literal("movenet").describe("kind of encoder: docs/encoders.md"),
  frames: z.int().positive().default(8).describe("frames of a clip, T"),
  resolution: z
    .union([side, z.tuple([side, side])])
    .default(192)
    .describe(
      "pixels, a multiple of 32; two numbers: height and width of frames that are no squares, such as [192, 256]",
    ),
  features: movenetFeatureSchema.prefault({}),
  precision: precisionSchema,
})

export type MovenetSettings = z.infer<typeof movenetSettings>
