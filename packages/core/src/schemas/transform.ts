/** From decoded pictures to a network's input, as data. */

import { z } from "zod"

/** Numbers of views that the step `crop` cuts out of each temporal one. */
export const CROPS = [1, 3, 10] as const
export type Crops = (typeof CROPS)[number]

const side = z.int().positive().describe("size in pixels")
const amount = z.number().min(0).default(0).describe("colorJitter: factors are drawn from 1 ± this")

export const stepSchema = z.discriminatedUnion("step", [
  /** Resize so that the short side has `size` pixels, aspect kept. */
  z.strictObject({
    step: z
      .literal("shortSide")
      .describe(
        "shortSide, stretch and letterbox resize; crop and multiScaleCrop cut out; flip and mirrored mirror; colorJitter varies colours",
      ),
    size: side,
  }),
  /** Resize to exactly this, aspect not kept. */
  z.strictObject({ step: z.literal("stretch"), width: side, height: side }),
  /** Resize so that it fits, aspect kept, centred on a square of colour `fill` (RGB, 0 to 255), or on a frame of `height`. */
  z.strictObject({
    step: z.literal("letterbox"),
    size: side,
    height: side.optional().describe("letterbox: height of the frame in pixels, where it is not as high as wide"),
    fill: z
      .tuple([z.number(), z.number(), z.number()])
      .default([0, 0, 0])
      .describe("letterbox: RGB colour of the border, 0 to 255"),
  }),
  /** Square crops: one in the centre; three along the longer side; or four corners and the centre, and all five mirrored. */
  z.strictObject({
    step: z.literal("crop"),
    size: side,
    views: z
      .enum(["center", "three", "ten"])
      .default("center")
      .describe("crop: which views to cut out, one, three or ten"),
  }),
  /** Each view as it is and mirrored left and right: twice the views. Not where classes name a side. */
  z.strictObject({ step: z.literal("mirrored") }),
  /**
   * MultiScaleCrop of TSN (Wang et al. 2016): sides drawn from the short side times `scales`, at most `distortion` places
   * apart in that list, at one of 13 fixed places (or anywhere), resized to `size`. Random.
   */
  z.strictObject({
    step: z.literal("multiScaleCrop"),
    size: side,
    scales: z
      .array(z.number().positive().max(1))
      .min(1)
      .default([1, 0.875, 0.75, 0.66])
      .describe("multiScaleCrop: sides of the crop, as shares of the short side"),
    distortion: z
      .int()
      .min(0)
      .default(1)
      .describe("multiScaleCrop: how many places apart width and height may be in `scales`"),
    fixed: z.boolean().default(true).describe("multiScaleCrop: at one of 13 fixed places; false: anywhere"),
  }),
  /** Mirror left and right with this probability. Not where classes name a side. Random. */
  z.strictObject({
    step: z.literal("flip"),
    probability: z.number().min(0).max(1).default(0.5).describe("probability that the step is applied"),
  }),
  /** Factors drawn from `1 ± amount` (hue: `± amount` of a turn), applied in this order. Random. */
  z.strictObject({
    step: z.literal("colorJitter"),
    brightness: amount,
    contrast: amount,
    saturation: amount,
    hue: z.number().min(0).max(0.5).default(0).describe("colorJitter: hue shift, up to ± this share of a full turn"),
    probability: z.number().min(0).max(1).default(1).describe("probability that the step is applied"),
  }),
])

export type Step = z.infer<typeof stepSchema>

const triple = z.tuple([z.number(), z.number(), z.number()])

export const transformSchema = z.strictObject({
  steps: z.array(stepSchema),
  /** Of RGB on the scale 0 to 1. */
  mean: triple.default([0, 0, 0]),
  std: triple.default([1, 1, 1]),
  layout: z.enum(["NHWC", "NCHW"]).default("NHWC"),
})

export type Transform = z.infer<typeof transformSchema>
