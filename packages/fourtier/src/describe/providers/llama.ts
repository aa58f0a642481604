/**
 * A GGUF model with its multimodal projector, in this process, through `@fugood/llama.node` (bindings of llama.cpp):
 * LLaVA 1.5 and 1.6, MiniCPM-V, Qwen2-VL, SmolVLM, Moondream, and every other multimodal model of llama.cpp. The package
 * is optional. It logs to standard error; its option to turn this off would keep the process from exiting, so it is not
 * used.
 */

import { createHash } from "node:crypto"
import { open } from "node:fs/promises"
import { basename } from "node:path"
import { FourtierError, messageOf } from "@fourtier/tensor"
import { z } from "zod"
import { type LiveProvider, ProviderError } from "../provider.ts"
import type { LlamaSettings } from "./llama-settings.ts"
import { importOptional } from "./optional.ts"

interface Completion {
  text: string
  stopped_limited?: boolean | undefined
  truncated?: boolean | undefined
  context_full?: boolean | undefined
  tokens_evaluated?: number | undefined
  tokens_predicted?: number | undefined
}

interface Context {
  initMultimodal(options: { path: string; use_gpu: boolean }): boolean
  completion(options: object): Promise<Completion>
  stopCompletion(): void
  release(): Promise<void>
}

const completionSchema: z.ZodType<Completion> = z.object({
  text: z.string(),
  stopped_limited: z.boolean().optional(),
  truncated: z.boolean().optional(),
  context_full: z.boolean().optional(),
  tokens_evaluated: z.number().optional(),
  tokens_predicted: z.number().optional(),
})

const moduleSchema = z.object({
  loadModel: z.custom<(options: object) => Promise<Context>>((value) => typeof value === "function"),
})

/**
 * Opens provider `llama`.
 * @param load a replacement for the package
 * @throws FourtierError when the package is not installed or a model file cannot be loaded
 */
export async function openLlama(
  config: LlamaSettings,
  load: () => Promise<z.infer<typeof moduleSchema>> = () =>
    importOptional({ name: "@fugood/llama.node", version: "1.7.15" }, moduleSchema, "provider llama"),
): Promise<LiveProvider> {
  const files = await Promise.all([config.model, config.projector].map(fingerprint))
  const { loadModel } = await load()
  const { maxTokens, temperature, seed } = config
  let context: Context
  try {
    context = await loadModel({
      model: config.model,
      n_ctx: config.context,
      n_gpu_layers: config.gpuLayers,
      lib_variant: config.variant,
      ctx_shift: false,
      ...(config.threads === undefined ? {} : { n_threads: config.threads }),
    })
    if (!context.initMultimodal({ path: config.projector, use_gpu: config.gpuLayers > 0 })) {
      throw new Error("the projector was not accepted")
    }
  } catch (error) {
    throw new FourtierError(
      {
        where: "provider llama",
        what: "the model cannot be loaded",
        found: messageOf(error),
        fix: "use a GGUF language model and the mmproj GGUF published with it",
      },
      { cause: error },
    )
  }
  return {
    mode: "live",
    kind: "llama",
    model: basename(config.model),
    settings: { files, maxTokens, temperature, seed },
    destination: null,
    usesStrip: true,
    concurrency: { initial: 1, max: 1 },
    async ask(question, signal) {
      const image = Buffer.from(await question.strip()).toString("base64")
      const content = [
        { type: "image_url", image_url: { url: `data:image/jpeg;base64,${image}` } },
        { type: "text", text: question.text },
      ]
      const stop = () => context.stopCompletion()
      signal.addEventListener("abort", stop, { once: true })
      try {
        const raw = await context.completion({
          messages: [
            ...(question.system === null ? [] : [{ role: "system", content: question.system }]),
            { role: "user", content },
          ],
          n_predict: maxTokens * question.prompts.length,
          temperature,
          seed,
          ...(question.schema
            ? { response_format: { type: "json_schema", json_schema: { schema: question.schema } } }
            : {}),
        })
        const reply = completionSchema.parse(raw)
        return {
          text: reply.text,
          inputTokens: (reply.tokens_evaluated ?? 0) - (reply.tokens_predicted ?? 0),
          outputTokens: reply.tokens_predicted ?? 0,
          finish: reply.stopped_limited || reply.context_full || reply.truncated ? "length" : "stop",
        }
      } catch (error) {
        if (signal.aborted) throw signal.reason
        throw new ProviderError("rejected", `llama.cpp: ${messageOf(error)}`, { cause: error })
      } finally {
        signal.removeEventListener("abort", stop)
      }
    },
    close: () => context.release(),
  }
}

/** Identifies a model file of many gigabytes: its size, and a hash of its first megabyte, which holds the metadata. */
async function fingerprint(path: string): Promise<string> {
  try {
    const file = await open(path)
    try {
      const { size } = await file.stat()
      const head = Buffer.alloc(Math.min(size, 1 << 20))
      await file.read(head, 0, head.length, 0)
      return `${size}-${createHash("sha256").update(head).digest("hex").slice(0, 16)}`
    } finally {
      await file.close()
    }
  } catch (error) {
    throw new FourtierError({ where: path, what: "cannot be read", found: messageOf(error) }, { cause: error })
  }
}
