/** Settings of provider `llama`: a GGUF model in this process, through llama.cpp. */

import { z } from "zod"
import { required } from "./required.ts"

export const llamaSchema = z.strictObject({
  kind: z.literal("llama").describe("kind of provider: docs/describe.md"),
  model: z
    .string(required("--model FILE.gguf, or describe.model in the settings"))
    .min(1)
    .describe("the language model, a `.gguf` file"),
  projector: z
    .string(required("describe.projector in the settings, see docs/describe.md"))
    .min(1)
    .describe("the projector published with the model, `mmproj-*.gguf`"),
  context: z.int().positive().default(4096).describe("context length in tokens; an image takes hundreds to thousands"),
  gpuLayers: z.int().nonnegative().default(0).describe("layers on the GPU: 0 for none, 99 for all"),
  variant: z
    .enum(["default", "vulkan", "cuda"])
    .default("default")
    .describe("build to use: `default` (CPU, Metal), `vulkan` or `cuda`"),
  threads: z.int().positive().optional().describe("CPU threads"),
  maxTokens: z.int().positive().default(300).describe("longest answer, in tokens"),
  temperature: z.number().min(0).max(2).default(0).describe("of sampling"),
  seed: z.int().default(0).describe("of sampling"),
})

export type LlamaSettings = z.infer<typeof llamaSchema>
