/** Every kind of visual encoder, and how a config names one. */

import { FRAMES } from "@fourtier/core/schemas"
import { countFlops, input, reshape } from "@fourtier/tensor"
import { toOnnx } from "@fourtier/tensor/onnx"
import { z } from "zod"
import { MAP, type VisualEncoder } from "./encoder.ts"
import { frozenEncoderSchemas, openFrozenEncoder } from "./frozen.ts"
import { loadMovenet, movenetFeatureSchema, movenetFeatures, movenetId, movenetWidth } from "./movenet.ts"
import { onnxEncoderSchema, openOnnxEncoder } from "./onnx.ts"
import { atPrecision, precisionSchema } from "./precision.ts"

export const movenetEncoderSchema = z.strictObject({
  kind: z.literal("movenet"),
  frames: z.int().positive().default(8).describe("frames of a clip, T"),
  resolution: z.int().multipleOf(32).positive().default(192).describe("pixels"),
  features: movenetFeatureSchema.prefault({}),
  precision: precisionSchema,
})

export const encoderSchema = z.discriminatedUnion("kind", [
  movenetEncoderSchema,
  onnxEncoderSchema,
  ...frozenEncoderSchemas,
])

export type EncoderConfig = z.infer<typeof encoderSchema>

/** @throws FourtierError when weights or packages are missing */
export async function openVisualEncoder(config: EncoderConfig): Promise<VisualEncoder> {
  return atPrecision(await openInFloat32(config), config.precision)
}

async function openInFloat32(config: EncoderConfig): Promise<VisualEncoder> {
  switch (config.kind) {
    case "movenet":
      return movenetEncoder(config)
    case "onnx":
      return openOnnxEncoder(config)
    default:
      return openFrozenEncoder(config)
  }
}

async function movenetEncoder(config: z.infer<typeof movenetEncoderSchema>): Promise<VisualEncoder> {
  const { frames: T, resolution, features } = config
  const weights = await loadMovenet()
  const [H, W] = features.grid
  const graph = (batch: number) => {
    const frames = input(FRAMES, [batch, T, resolution, resolution, 3])
    const flat = reshape(frames, [batch * T, resolution, resolution, 3]) // [B,T,H,W,3] -> [B·T,H,W,3]
    return movenetFeatures(weights, flat, T, features)
  }
  return {
    name: "movenet",
    id: movenetId(weights, features),
    frames: T,
    resolution: [resolution, resolution],
    size: { T, H, W, D: movenetWidth(features) },
    model: async (batch) => toOnnx({ outputs: { [MAP]: graph(batch) } }),
    flops: async () => countFlops("encoder", graph(1)),
  }
}
