/**
 * Models with ONNX weights, in this process, through `@huggingface/transformers`: SmolVLM, Idefics 3, LLaVA,
 * LLaVA-OneVision, Qwen2-VL and its successors, Gemma 3, PaliGemma, Florence-2, Moondream. The package is optional; it
 * downloads weights from the Hugging Face hub or reads them from a folder.
 */

import { FourtierError, messageOf } from "@fourtier/tensor"
import { z } from "zod"
import { type LiveProvider, ProviderError, type Question } from "../provider.ts"
import { importOptional } from "./optional.ts"
import type { TransformersSettings } from "./transformers-settings.ts"

interface Tensor {
  dims: number[]
  slice(...ranges: (null | [number, number | null])[]): Tensor
}

type Inputs = Record<string, unknown>

interface Processor {
  (...args: unknown[]): Promise<Inputs>
  apply_chat_template(messages: unknown[], options: object): string
  batch_decode(ids: Tensor, options: object): string[]
  construct_prompts?(text: string): string | string[]
}

interface Tokenizer {
  (text: string): Inputs
  apply_chat_template(messages: unknown[], options: object): string
}

interface Model {
  config: { model_type?: string }
  generate(inputs: Inputs): Promise<Tensor>
  dispose(): Promise<unknown>
}

interface Loader<T> {
  from_pretrained(id: string, options: object): Promise<T>
}

function loader<T>() {
  return z.custom<Loader<T>>((value) => typeof value === "function" && "from_pretrained" in value)
}

const moduleSchema = z.object({
  AutoProcessor: loader<Processor>(),
  AutoTokenizer: loader<Tokenizer>(),
  AutoModelForImageTextToText: loader<Model>(),
  RawImage: z.custom<{ fromBlob(blob: Blob): Promise<unknown> }>(
    (value) => typeof value === "function" && "fromBlob" in value,
  ),
  env: z.custom<{ allowRemoteModels: boolean; localModelPath: string }>((value) => typeof value === "object"),
})

/** How a family's processor takes image and text: in one call, in this order, or in separate calls. */
type Call = "text, images" | "images, text" | "separate"

/** By the `model_type` in the model's config.json; "text, images" for all others. */
const calls: Record<string, Call> = {
  llava: "images, text",
  paligemma: "images, text",
  lfm2_vl: "images, text",
  mistral3: "images, text",
  florence2: "images, text",
  llava_onevision: "separate",
  llava_qwen2: "separate",
  moondream1: "separate",
}

/**
 * Opens provider `transformers`.
 * @param load a replacement for the package
 * @throws FourtierError when the package is not installed or the model cannot be loaded
 */
export async function openTransformers(
  config: TransformersSettings,
  load: () => Promise<z.infer<typeof moduleSchema>> = () =>
    importOptional({ name: "@huggingface/transformers", version: "4.3.1" }, moduleSchema, "provider transformers"),
): Promise<LiveProvider> {
  const library = await load()
  const { maxTokens, dtype, device, revision } = config
  if (config.folder !== undefined) {
    library.env.localModelPath = config.folder
    library.env.allowRemoteModels = false
  }
  let parts: [Processor, Tokenizer, Model]
  try {
    parts = await Promise.all([
      library.AutoProcessor.from_pretrained(config.model, { revision }),
      library.AutoTokenizer.from_pretrained(config.model, { revision }),
      library.AutoModelForImageTextToText.from_pretrained(config.model, { revision, dtype, device }),
    ])
  } catch (error) {
    throw new FourtierError(
      {
        where: "provider transformers",
        what: `model ${config.model} cannot be loaded`,
        found: messageOf(error),
        fix: "choose an image-text-to-text model with ONNX weights; without a connection, put them in a folder and set `folder`",
      },
      { cause: error },
    )
  }
  const [processor, tokenizer, model] = parts
  const call = calls[model.config.model_type ?? ""] ?? "text, images"

  async function answer(question: Question): Promise<{ text: string; inputTokens: number; outputTokens: number }> {
    const image = await library.RawImage.fromBlob(
      new Blob([Buffer.from(await question.strip())], { type: "image/jpeg" }),
    )
    const text = promptText(model.config.model_type ?? "", question, processor, tokenizer)
    const inputs =
      call === "separate"
        ? { ...tokenizer(text), ...(await processor(image)) }
        : await (call === "images, text" ? processor(image, text) : processor(text, [image]))
    const ids = await model.generate({
      ...inputs,
      max_new_tokens: maxTokens * question.prompts.length,
      do_sample: false,
    })
    const given = promptLength(inputs)
    const fresh = model.config.model_type === "florence2" ? ids : ids.slice(null, [given, null])
    const [words = ""] = processor.batch_decode(fresh, { skip_special_tokens: true })
    return { text: words.trim(), inputTokens: given, outputTokens: fresh.dims[fresh.dims.length - 1] }
  }

  return {
    mode: "live",
    kind: "transformers",
    model: config.model,
    settings: { revision, dtype, maxTokens },
    destination: null,
    usesStrip: true,
    concurrency: { initial: 1, max: 1 },
    async ask(question) {
      try {
        const { text, inputTokens, outputTokens } = await answer(question)
        const finish = outputTokens >= maxTokens * question.prompts.length ? "length" : "stop"
        return { text, inputTokens, outputTokens, finish }
      } catch (error) {
        throw new ProviderError("rejected", `transformers: ${messageOf(error)}`, { cause: error })
      }
    },
    async close() {
      await model.dispose()
    },
  }
}

/** The question in the format that the model was trained with. */
function promptText(family: string, question: Question, processor: Processor, tokenizer: Tokenizer): string {
  const words = question.system === null ? question.text : `${question.system}\n${question.text}`
  if (family === "florence2") {
    const built = processor.construct_prompts?.(question.text) ?? question.text
    return typeof built === "string" ? built : built[0]
  }
  if (family === "moondream1") return `<image>\n\nQuestion: ${words}\n\nAnswer:`
  if (family === "paligemma") return `<image>${question.text}`
  const options = { tokenize: false, add_generation_prompt: true }
  if (calls[family] === "separate") {
    return tokenizer.apply_chat_template([{ role: "user", content: `<image>\n${words}` }], options)
  }
  const content = [{ type: "image" }, { type: "text", text: words }]
  return processor.apply_chat_template([{ role: "user", content }], options)
}

/** Tokens of the prompt, `[1, L]`. */
function promptLength(inputs: Inputs): number {
  const parsed = z.object({ input_ids: z.object({ dims: z.array(z.number()) }) }).safeParse(inputs)
  return parsed.success ? (parsed.data.input_ids.dims.at(-1) ?? 0) : 0
}
