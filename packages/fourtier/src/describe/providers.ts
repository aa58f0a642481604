/** Every kind of provider, and how a config names one. */

import { z } from "zod"
import { httpSchema, openHttp } from "./http.ts"
import { llamaSchema, openLlama } from "./llama.ts"
import { openaiSchema, openOpenai } from "./openai.ts"
import { openaiBatchSchema, openOpenaiBatch } from "./openai-batch.ts"
import type { Provider } from "./provider.ts"
import { openReplay, replaySchema } from "./replay.ts"
import { openTransformers, transformersSchema } from "./transformers.ts"

export const providerSchema = z.discriminatedUnion("kind", [
  replaySchema,
  openaiSchema,
  openaiBatchSchema,
  httpSchema,
  transformersSchema,
  llamaSchema,
])

export type ProviderConfig = z.input<typeof providerSchema>

/** @throws FourtierError when what the provider needs is missing (a key, a file, a package) */
export async function openProvider(config: ProviderConfig): Promise<Provider> {
  const parsed = providerSchema.parse(config)
  switch (parsed.kind) {
    case "replay":
      return openReplay(parsed)
    case "openai":
      return openOpenai(parsed)
    case "openai-batch":
      return openOpenaiBatch(parsed)
    case "http":
      return openHttp(parsed)
    case "transformers":
      return openTransformers(parsed)
    case "llama":
      return openLlama(parsed)
  }
}
