/** What a run would cost, estimated before anything is sent. */

import type { Job } from "./answer-sink.ts"
import type { DescriptionCache } from "./cache.ts"
import { costOf, FREE, imageTokens, type Price, textTokens } from "./cost.ts"
import { type Prompt, type PromptSet, togetherQuestion } from "./prompts.ts"
import { type Provider, usesStrip } from "./provider.ts"
import { jpegSize, type StripSource } from "./strip.ts"

export interface Estimate {
  clips: number
  /** How many of them are or were test clips. */
  testClips: number
  /** Answers that the cache lacks. */
  answers: number
  requests: number
  /** Null where it is not known how the model counts images. */
  imageTokens: number | null
  textTokens: number
  outputTokens: number
  /** Mean strip of a few clips, pixels and bytes; null where the model is shown none. */
  strip: { width: number; height: number; bytes: number } | null
  /** Bytes of all strips that are sent, as base64. */
  uploadBytes: number
  /** US dollars; null where no price is known. */
  cost: number | null
  costPerRequest: number | null
  /** Seconds, at the rate of the answers in the cache; null without any. */
  seconds: number | null
  /** Number of answers from which length and rate of further ones are estimated. */
  basedOn: number
}

/** Tokens of an answer, while the cache has none. */
export const TYPICAL_ANSWER = 80

/** What is asked about one clip: requests, and the tokens of their text. */
export function questionsAbout(
  prompts: readonly Prompt[],
  system: string | null,
  together: boolean,
): { requests: number; text: number } {
  const own = textTokens(system ?? "")
  if (together && prompts.length > 1) return { requests: 1, text: own + textTokens(togetherQuestion(prompts)) }
  return { requests: prompts.length, text: prompts.reduce((sum, { text }) => sum + own + textTokens(text), 0) }
}

/** Bytes of a picture as it is sent: base64. */
export const uploadOf = (bytes: number): number => Math.ceil((4 / 3) * bytes)

/** Estimates from the questions, a few strips, and the answers that the model has given so far. */
export async function estimate(
  jobs: readonly Job[],
  options: {
    provider: Provider
    prompts: PromptSet
    strips: StripSource
    ask: "separate" | "together"
    price: Price | undefined
    cache: DescriptionCache
    testClips: number
  },
): Promise<Estimate> {
  const { provider, price, ask, strips } = options
  const together = ask === "together" && provider.mode === "live"
  let requests = 0
  let text = 0
  let answers = 0
  for (const { prompts } of jobs) {
    answers += prompts.length
    const asked = questionsAbout(prompts, options.prompts.system, together)
    requests += asked.requests
    text += asked.text
  }
  const past = recent(options.cache, provider.model)
  const sample = usesStrip(provider) ? await sampleStrips(jobs, strips, price, provider) : null
  const images = usesStrip(provider) ? (sample?.tokens ?? null) : 0
  const output = answers * (past.outputTokens ?? TYPICAL_ANSWER)
  const cost = price === FREE ? 0 : price && images !== null ? costOf(price, images * requests + text, output) : null
  return {
    clips: jobs.length,
    testClips: options.testClips,
    answers,
    requests,
    imageTokens: images === null ? null : Math.round(images * requests),
    textTokens: text,
    outputTokens: Math.round(output),
    strip: sample && { width: sample.width, height: sample.height, bytes: sample.bytes },
    uploadBytes: uploadOf((sample?.bytes ?? 0) * requests),
    cost,
    costPerRequest: cost === null || requests === 0 ? null : cost / requests,
    seconds: past.rate === null ? null : answers / past.rate,
    basedOn: past.count,
  }
}

interface Sample {
  width: number
  height: number
  bytes: number
  /** Null without a price, which says how images are counted. */
  tokens: number | null
}

/** Means over the strips of up to three clips; null without a clip. */
async function sampleStrips(
  jobs: readonly Job[],
  strips: StripSource,
  price: Price | undefined,
  provider: Provider,
): Promise<Sample | null> {
  if (jobs.length === 0) return null
  const some = [0, Math.floor(jobs.length / 2), jobs.length - 1].map((i) => jobs[i].clip)
  const chosen = [...new Set(some)]
  const detail = typeof provider.settings.detail === "string" ? provider.settings.detail : "auto"
  const counted = price !== undefined && price !== FREE
  const sum = { width: 0, height: 0, bytes: 0, tokens: 0 }
  for (const clip of chosen) {
    const jpeg = await strips.encode(clip)
    const { width, height } = jpegSize(jpeg) ?? { width: 1024, height: 256 }
    sum.width += width
    sum.height += height
    sum.bytes += jpeg.length
    if (counted) sum.tokens += imageTokens(price.image, width, height, detail)
  }
  const mean = (total: number) => total / chosen.length
  return {
    width: Math.round(mean(sum.width)),
    height: Math.round(mean(sum.height)),
    bytes: Math.round(mean(sum.bytes)),
    tokens: counted ? mean(sum.tokens) : null,
  }
}

/** Mean length and rate of a model's last answers. A gap of more than two minutes counts as a pause of the run. */
function recent(
  cache: DescriptionCache,
  model: string,
): { count: number; outputTokens: number | null; rate: number | null } {
  let [count, counted, tokens, seconds, last] = [0, 0, 0, 0, 0]
  for (const answer of cache.latest(2000)) {
    if (answer.model !== model) continue
    const time = Date.parse(answer.time) / 1000
    if (count > 0) seconds += Math.min(120, Math.max(0, time - last))
    last = time
    count++
    if (answer.outputTokens !== undefined) {
      tokens += answer.outputTokens
      counted++
    }
  }
  return {
    count,
    outputTokens: counted > 0 ? tokens / counted : null,
    rate: count > 10 && seconds > 0 ? (count - 1) / seconds : null,
  }
}
