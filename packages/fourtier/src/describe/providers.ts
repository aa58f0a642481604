/**
 * Every kind of provider, each listed once: its settings, and how one is opened. Reading settings loads nothing but zod;
 * `open` loads the implementation.
 */

import { z } from "zod"
import type { Provider } from "./provider.ts"
import { httpSchema } from "./providers/http-settings.ts"
import { llamaSchema } from "./providers/llama-settings.ts"
import { openaiBatchSchema } from "./providers/openai-batch-settings.ts"
import { openaiSchema } from "./providers/openai-settings.ts"
import { replaySchema } from "./providers/replay-settings.ts"
import { transformersSchema } from "./providers/transformers-settings.ts"

const providers = {
  replay: define(replaySchema, async (settings) => (await import("./providers/replay.ts")).openReplay(settings)),
  openai: define(openaiSchema, async (settings) => (await import("./providers/openai.ts")).openOpenai(settings)),
  "openai-batch": define(openaiBatchSchema, async (settings) => {
    return (await import("./providers/openai-batch.ts")).openOpenaiBatch(settings)
  }),
  http: define(httpSchema, async (settings) => (await import("./providers/http.ts")).openHttp(settings)),
  transformers: define(transformersSchema, async (settings) => {
    return (await import("./providers/transformers.ts")).openTransformers(settings)
  }),
  llama: define(llamaSchema, async (settings) => (await import("./providers/llama.ts")).openLlama(settings)),
}

function define<Kind extends string, Schema extends z.ZodObject<{ kind: z.ZodLiteral<Kind> }>>(
  schema: Schema,
  open: (settings: z.output<Schema>) => Promise<Provider>,
) {
  return { kind: schema.shape.kind.value, schema, open: async (settings: unknown) => open(schema.parse(settings)) }
}

const [first, ...others] = Object.values(providers).map(({ schema }) => schema)

/** What a config may say under `describe`. */
export const providerSchema = z.discriminatedUnion("kind", [first, ...others])

export type ProviderConfig = z.input<typeof providerSchema>

/**
 * Opens a provider. Close it after use if it has a `close` method.
 * @throws FourtierError when something it needs is missing (a file, a package)
 *
 * @example
 * ```ts
 * import { openProvider } from "fourtier/describe"
 *
 * const provider = await openProvider({ kind: "openai", model: "llava", baseUrl: "http://127.0.0.1:11434/v1" })
 * ```
 */
export async function openProvider(config: ProviderConfig): Promise<Provider> {
  const settings = providerSchema.parse(config)
  return providers[settings.kind].open(settings)
}
