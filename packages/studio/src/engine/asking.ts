/**
 * Asks the endpoint that a person has entered about clips, in OpenAI's chat-completions protocol, which most servers of models speak.
 * The key is in the request and nowhere else.
 */

import { z } from "zod"
import { judgeReply } from "../../../fourtier/src/describe/check.ts"
import { costOf, imageTokens, type Price, priceOf, textTokens } from "../../../fourtier/src/describe/cost.ts"
import type { api, Endpoint } from "../home.ts"
import type { StoredClip } from "../store/database.ts"
import type { Description } from "./description.ts"
import { type Strip, stripOf } from "./strip.ts"

/** What is asked about a clip. */
export interface Question {
  clip: StoredClip
  /** Ids of the prompts. */
  prompts: string[]
}

export type Cost = api.Describing["spent"]

/** Questions under way at once. */
const AT_ONCE = 4
const TRIES = 4
/** Milliseconds before a second try; twice as long before each further one. */
const FIRST_PAUSE = 1000
/** Tokens that an answer has, about. */
const USUAL_ANSWER = 80
/** How servers count an image, where nothing is known. */
const USUAL_IMAGE: Price["image"] = { rule: "tiles", base: 85, tile: 170 }

const replySchema = z.object({
  choices: z
    .array(z.object({ message: z.object({ content: z.string().nullish() }), finish_reason: z.string().nullish() }))
    .min(1),
  usage: z.object({ prompt_tokens: z.number(), completion_tokens: z.number() }).nullish(),
})

/** What asking would cost; dollars where the model's price is known. */
export function expectedCost(questions: readonly Question[], model: string, description: Description): Cost {
  const { keyFrames, prices, prompts, system } = description
  const price = priceOf(model, prices)
  const texts = new Map(prompts.map(({ id, text }) => [id, textTokens(`${system ?? ""}${text}`)]))
  let [calls, input] = [0, 0]
  for (const { clip, prompts: ids } of questions) {
    const { width, height } = stripSize(clip, keyFrames)
    for (const id of ids) {
      calls++
      input += imageTokens(price?.image ?? USUAL_IMAGE, width, height) + (texts.get(id) ?? 0)
    }
  }
  const output = calls * USUAL_ANSWER
  return { calls, tokens: input + output, dollars: price ? costOf(price, input, output) : null }
}

function stripSize({ width, height }: StoredClip, keyFrames: Description["keyFrames"]) {
  const [wide, high] = [width ?? 320, height ?? 240]
  const tall = keyFrames.height === null ? high : Math.min(high, keyFrames.height === "auto" ? 384 : keyFrames.height)
  return { width: Math.round((wide * tall) / high) * keyFrames.count, height: tall }
}

export interface Listener {
  answered(clip: string, answer: api.Answer): void
  spent(cost: Cost): void
}

/**
 * Asks all questions. Answers are told as they come.
 * @throws Error where the endpoint cannot be used: what has been answered stays
 */
export async function askAll(
  questions: readonly Question[],
  endpoint: Endpoint,
  description: Description,
  signal: AbortSignal,
  listener: Listener,
): Promise<void> {
  const chat = new Chat(endpoint, description, signal)
  const price = priceOf(endpoint.model, description.prices)
  const cost: Cost = { calls: 0, tokens: 0, dollars: price ? 0 : null }
  const waiting = questions.flatMap(({ clip, prompts }) => {
    let strip: Promise<Strip> | null = null
    const picture = () => {
      strip ??= stripOf(clip, description.keyFrames)
      return strip
    }
    return prompts.map((id) => ({ clip: clip.id, id, picture }))
  })
  const work = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const prompt = description.prompts.find(({ id }) => id === next?.id)
      if (!prompt) continue
      const { text, finish, input, output } = await chat.ask(prompt.text, (await next.picture()).jpeg)
      cost.calls++
      cost.tokens += input + output
      if (price && cost.dollars !== null) cost.dollars += costOf(price, input, output)
      listener.answered(next.clip, {
        prompt: prompt.id,
        ...judgeReply({ text, finish }, prompt, description.checks),
        byHand: false,
      })
      listener.spent({ ...cost })
    }
  }
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, work))
  } catch (error) {
    // the others end with what they are doing
    waiting.length = 0
    throw error
  }
}

interface Reply {
  text: string
  finish: "stop" | "length" | "refused"
  input: number
  output: number
}

class Chat {
  readonly #endpoint: Endpoint
  readonly #description: Description
  readonly #signal: AbortSignal
  /** Fields that the server does not take. */
  readonly #refused = new Set<string>()

  constructor(endpoint: Endpoint, description: Description, signal: AbortSignal) {
    this.#endpoint = endpoint
    this.#description = description
    this.#signal = signal
  }

  async ask(text: string, jpeg: Blob): Promise<Reply> {
    const image = await dataUrl(jpeg)
    for (let tries = 1; ; ) {
      const response = await this.#send(this.#body(text, image))
      if (response.ok) return readReply(await response.json().catch(() => null))
      const words = (await response.text()).slice(0, 2000)
      if (response.status === 400 && this.#adapt(words)) continue
      if (![408, 409, 425, 429].includes(response.status) && response.status < 500)
        throw this.#refusal(response.status, words)
      if (tries++ >= TRIES) throw this.#refusal(response.status, words)
      await pause(Number(response.headers.get("retry-after")) * 1000 || FIRST_PAUSE * 2 ** (tries - 2), this.#signal)
    }
  }

  async #send(body: object): Promise<Response> {
    const { url, key } = this.#endpoint
    try {
      return await fetch(`${url.replace(/\/+$/, "")}/chat/completions`, {
        method: "POST",
        headers: { "content-type": "application/json", ...(key === "" ? {} : { authorization: `Bearer ${key}` }) },
        body: JSON.stringify(body),
        credentials: "omit",
        referrerPolicy: "no-referrer",
        redirect: "error",
        signal: this.#signal,
      })
    } catch (error) {
      this.#signal.throwIfAborted()
      throw new Error(
        `${url} cannot be reached from this page (${error instanceof Error ? error.message : error}): it has to run, and to allow requests of pages (CORS) from ${self.location.origin}`,
      )
    }
  }

  #body(text: string, image: string): object {
    const { system, maxTokens } = this.#description
    const apart = system !== null && !this.#refused.has("system")
    const question = system === null || apart ? text : `${system}\n\n${text}`
    const content = [
      { type: "image_url", image_url: { url: image } },
      { type: "text", text: question },
    ]
    return {
      model: this.#endpoint.model,
      messages: [...(apart ? [{ role: "system", content: system }] : []), { role: "user", content }],
      [this.#refused.has("max_tokens") ? "max_completion_tokens" : "max_tokens"]: maxTokens,
      ...(this.#refused.has("temperature") ? {} : { temperature: 0 }),
    }
  }

  /** Leaves out what the server says that it does not take. @returns whether there was something */
  #adapt(words: string): boolean {
    const named = ["max_tokens", "temperature", "system"].find(
      (field) => words.includes(field) && !this.#refused.has(field),
    )
    if (named) this.#refused.add(named)
    return named !== undefined
  }

  #refusal(status: number, words: string): Error {
    const { url, key } = this.#endpoint
    const said = (key === "" ? words : words.replaceAll(key, "…")).replaceAll(/\s+/g, " ").slice(0, 200)
    const why =
      status === 401 || status === 403
        ? "it does not take the key"
        : status === 404
          ? "there is no such model, or address"
          : said
    return new Error(`${url} answers ${status}: ${why}`)
  }
}

function readReply(value: unknown): Reply {
  const parsed = replySchema.safeParse(value)
  if (!parsed.success)
    throw new Error(
      "the endpoint answers with something that is no chat completion: is the address right? It often ends in /v1",
    )
  const [{ message, finish_reason: reason }] = parsed.data.choices
  const { usage } = parsed.data
  return {
    text: message.content ?? "",
    finish: reason === "length" ? "length" : reason === "content_filter" ? "refused" : "stop",
    input: usage?.prompt_tokens ?? 0,
    output: usage?.completion_tokens ?? 0,
  }
}

function dataUrl(jpeg: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader()
    reader.onload = () => resolve(String(reader.result))
    reader.onerror = () => reject(reader.error)
    reader.readAsDataURL(jpeg)
  })
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds)
    signal.addEventListener("abort", () => {
      clearTimeout(timer)
      reject(signal.reason)
    })
  })
}
