/** Settings of provider `transformers`: ONNX weights in this process, through transformers.js. */

import { z } from "zod"
import { required } from "./required.ts"

export const transformersSchema = z.strictObject({
  kind: z.literal("transformers").describe("kind of provider: docs/describe.md"),
  model: z
    .string(required("--model NAME, or describe.model in the settings"))
    .min(1)
    .describe("hub id, or the name of a subfolder of `folder`"),
  revision: z.string().default("main").describe("branch, tag or commit on the hub"),
  folder: z.string().optional().describe("read weights from this folder and download nothing"),
  dtype: z
    .enum(["fp32", "fp16", "q8", "int8", "uint8", "q4", "q4f16", "bnb4"])
    .default("q8")
    .describe("number format of the weights"),
  device: z.enum(["cpu", "cuda", "dml", "webgpu"]).default("cpu").describe("where the model runs"),
  maxTokens: z.int().positive().default(300).describe("longest answer, in tokens"),
})

export type TransformersSettings = z.infer<typeof transformersSchema>
