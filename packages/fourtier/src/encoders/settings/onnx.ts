/** Settings of the encoder `onnx`: a file, and patterns that say how frames go in and how the map comes out. */

import { z } from "zod"
import { precisionSchema } from "../precision.ts"
import { IMAGENET, rgbSchema } from "../presets.ts"
import { scaleSchema } from "../scale.ts"

export const onnxSettings = z.strictObject({
  kind: z.literal("onnx").describe("kind of encoder: docs/encoders.md"),
  path: z
    .string()
    .min(1)
    .describe("the .onnx file, or hub id hf:owner/name[#onnx/model.onnx]; weights beside it are found"),
  input: z.string().nullable().default(null).describe("name of the input; null: the only one"),
  output: z.string().nullable().default(null).describe("name of the output that holds the map; null: the first"),
  frames: z.int().positive().default(8).describe("frames of a clip, T"),
  size: z.int().positive().default(224).describe("pixels, height and width"),
  mean: rgbSchema.default([...IMAGENET.mean]).describe("of RGB on the scale 0 to 1; the default is ImageNet's"),
  std: rgbSchema.default([...IMAGENET.std]).describe("likewise, the standard deviation"),
  layout: z.string().default("(b t) c h w").describe("axes of the input, of b t c h w"),
  mapLayout: z
    .string()
    .default("(b t) n d")
    .describe("axes of the output, of b t n d, or h w in the place of n; t may be shorter than the frames"),
  skipTokens: z.int().min(0).default(0).describe("class and register tokens in front of the places"),
  grid: z.tuple([z.int().positive(), z.int().positive()]).nullable().default(null).describe("rows and columns of n"),
  scale: scaleSchema,
  precision: precisionSchema,
})

export type OnnxSettings = z.infer<typeof onnxSettings>
