/**
 * Models in this process. llama.cpp and transformers.js run for real, on LLaVAs of random weights, where their packages are
 * installed (FOURTIER_PACKAGES may name a node_modules folder that has them); elsewhere modules of the same shape stand in.
 */

import { createRequire } from "node:module"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import sharp from "sharp"
import { beforeAll, expect, it, describe as suite } from "vitest"
import { resolvePrompts, togetherSchema } from "../../src/describe/prompts.ts"
import type { Question } from "../../src/describe/provider.ts"
import { openLlama } from "../../src/describe/providers/llama.ts"
import { llamaSchema } from "../../src/describe/providers/llama-settings.ts"
import { openTransformers } from "../../src/describe/providers/transformers.ts"
import { transformersSchema } from "../../src/describe/providers/transformers-settings.ts"
import { clip, scratch } from "./fixtures.ts"
import { writeTinyLlava as writeTinyGguf } from "./tiny-gguf.ts"
import { writeTinyLlava } from "./tiny-llava.ts"

const folder = scratch()
const [prompt] = resolvePrompts("paper").prompts
const { signal } = new AbortController()
const llamaPackage = find("@fugood/llama.node")
const transformersPackage = find("@huggingface/transformers")

/** The package's entry file, from FOURTIER_PACKAGES (a node_modules folder) or from beside the tests. */
function find(name: string): string | null {
  const from = process.env.FOURTIER_PACKAGES ? join(process.env.FOURTIER_PACKAGES, "x.js") : import.meta.filename
  try {
    return pathToFileURL(createRequire(from).resolve(name)).href
  } catch {
    return null
  }
}

async function question(colour: string): Promise<Question> {
  const jpeg = await sharp({ create: { width: 320, height: 64, channels: 3, background: colour } })
    .jpeg()
    .toBuffer()
  return {
    clip: clip(0),
    prompts: [prompt],
    system: "Be brief.",
    text: prompt.text,
    schema: null,
    strip: async () => jpeg,
  }
}

suite("llama.cpp", () => {
  const [model, projector] = [join(folder, "tiny.gguf"), join(folder, "mmproj.gguf")]
  beforeAll(() => writeTinyGguf(model, projector))

  it.skipIf(llamaPackage === null)(
    "sees images from Node: equal pictures give equal answers, others do not",
    async () => {
      const config = llamaSchema.parse({ kind: "llama", model, projector, maxTokens: 12, context: 1024 })
      const provider = await openLlama(config, llamaPackage ? () => import(llamaPackage) : undefined)
      try {
        const replies = []
        for (const colour of ["red", "blue", "red"]) replies.push(await provider.ask(await question(colour), signal))
        expect(replies[0].text).toBe(replies[2].text)
        expect(replies[0].text).not.toBe(replies[1].text)
        expect(replies[0].inputTokens).toBeGreaterThan(40)
        expect([replies[0].outputTokens, replies[0].finish]).toEqual([12, "length"])
        expect(provider.destination).toBeNull()
      } finally {
        await provider.close?.()
      }
    },
  )

  it("hands over data URL, system text and schema, and names the model by file", async () => {
    const asked: object[] = []
    const context = {
      initMultimodal: () => true,
      completion: async (options: object) => {
        asked.push(options)
        return { text: "a hug", tokens_evaluated: 90, tokens_predicted: 10, stopped_limited: false }
      },
      stopCompletion: () => {},
      release: async () => {},
    }
    const config = llamaSchema.parse({ kind: "llama", model, projector })
    const provider = await openLlama(config, async () => ({ loadModel: async () => context }))
    const schema = togetherSchema([prompt])
    const reply = await provider.ask({ ...(await question("red")), schema }, signal)
    expect(reply).toEqual({ text: "a hug", inputTokens: 80, outputTokens: 10, finish: "stop" })
    expect(provider.model).toBe("tiny.gguf")
    expect(JSON.stringify(asked[0])).toMatch(/"role":"system".*data:image\/jpeg;base64,\/9j\/.*json_schema/)
    const other = await openLlama(llamaSchema.parse({ ...config, model: projector }), async () => ({
      loadModel: async () => context,
    }))
    expect(other.settings.files).not.toEqual(provider.settings.files)
  })

  it("says what to install, and which file is missing", async () => {
    const config = llamaSchema.parse({ kind: "llama", model, projector })
    const absent = () => Promise.reject(new Error("Cannot find package"))
    await expect(openLlama(config, absent)).rejects.toThrow(/Cannot find package/)
    await expect(openLlama({ ...config, projector: join(folder, "none.gguf") })).rejects.toThrow(
      /none\.gguf: cannot be read/,
    )
    if (llamaPackage === null) await expect(openLlama(config)).rejects.toThrow(/npm install @fugood\/llama\.node/)
  })
})

suite("transformers.js", () => {
  /** The calls that the package receives, and answers like its own. */
  function standIn(family: string) {
    const calls: unknown[][] = []
    const ids = {
      dims: [1, 30],
      slice: (_: null, range: unknown) => ({ ...ids, dims: [1, 30 - Number([range].flat()[0])] }),
    }
    const processor = Object.assign(
      async (...args: unknown[]) => {
        calls.push(["processor", ...args])
        return { input_ids: { dims: [1, 20] }, pixel_values: 1 }
      },
      {
        apply_chat_template: (messages: unknown[]) => `chat:${JSON.stringify(messages)}`,
        batch_decode: (tensor: { dims: number[] }) => [` ${tensor.dims[1]} words `],
        construct_prompts: (text: string) => [`task:${text}`],
      },
    )
    const tokenizer = Object.assign((text: string) => ({ input_ids: { dims: [1, text.length] } }), {
      apply_chat_template: (messages: unknown[]) => `tokens:${JSON.stringify(messages)}`,
    })
    const loads = <T>(value: T) => Object.assign(() => {}, { from_pretrained: async () => value })
    const model = {
      config: { model_type: family },
      generate: async (inputs: Record<string, unknown>) => {
        calls.push(["generate", inputs])
        return ids
      },
      dispose: async () => {},
    }
    const RawImage = Object.assign(() => {}, { fromBlob: async (blob: Blob) => `image of ${blob.type}` })
    return {
      calls,
      module: {
        AutoProcessor: loads(processor),
        AutoTokenizer: loads(tokenizer),
        AutoModelForImageTextToText: loads(model),
        RawImage,
        env: { allowRemoteModels: true, localModelPath: "" },
      },
    }
  }

  it.skipIf(transformersPackage === null)("sees images: equal pictures give equal answers, others do not", async () => {
    writeTinyLlava(join(folder, "models/tiny"))
    const config = transformersSchema.parse({
      kind: "transformers",
      model: "tiny",
      folder: join(folder, "models"),
      dtype: "fp32",
      maxTokens: 8,
    })
    const provider = await openTransformers(config, transformersPackage ? () => import(transformersPackage) : undefined)
    const replies = []
    for (const colour of ["red", "blue", "red"]) replies.push(await provider.ask(await question(colour), signal))
    expect(replies[0].text).toBe(replies[2].text)
    expect(replies[0].text).not.toBe(replies[1].text)
    expect(replies[0].inputTokens).toBeGreaterThan(40)
    await provider.close?.()
  })

  it.each([
    ["smolvlm", /chat:.*Be brief.*action category/, "image of image/jpeg"],
    ["llava", "image of image/jpeg", /chat:/],
    ["florence2", "image of image/jpeg", /^task:What is the action category\?$/],
    ["llava_onevision", "image of image/jpeg", undefined],
  ])("gives image and text to %s as its processor wants them", async (family, first, second) => {
    const { calls, module } = standIn(family)
    const provider = await openTransformers(
      transformersSchema.parse({ kind: "transformers", model: "m", folder }),
      async () => module,
    )
    const reply = await provider.ask(await question("red"), signal)
    const [, ...args] = calls[0]
    const flat = args.flat()
    if (first instanceof RegExp) expect(flat[0]).toMatch(first)
    else expect(flat[0]).toBe(first)
    if (second instanceof RegExp) expect(flat[1]).toMatch(second)
    else expect(flat[1]).toBe(second)
    expect(reply.finish).toBe("stop")
    expect(reply.text).toMatch(/^\d+ words$/)
    expect(module.env).toEqual({ allowRemoteModels: false, localModelPath: folder })
  })

  it("says what to install", async () => {
    const config = transformersSchema.parse({ kind: "transformers", model: "m" })
    if (transformersPackage === null) {
      await expect(openTransformers(config)).rejects.toThrow(/npm install @huggingface\/transformers/)
    }
  })
})
