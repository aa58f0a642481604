/**
 * Asks a vision-language model every prompt about every clip, once, and keeps the answers.
 *
 *   clips ── guard ── plan (what the cache lacks) ── ask ── cache ── answers by clip and prompt
 *
 * Lu et al., Section 3.2. A description's identity is (clip content, strip, prompt text, system text, model, settings); as
 * long as none of them changes, nothing is asked twice: not by a later run, nor by another process at the same time.
 */

import { setMaxListeners } from "node:events"
import { setTimeout as sleep } from "node:timers/promises"
import { plural, type Reporter, silent, type Task } from "@fourtier/core"
import { FourtierError, Rng } from "@fourtier/tensor"
import { hashJson } from "@fourtier/tensor/node"
import { openBatches, runBatch } from "./batch.ts"
import { type Answer, answerKey, DescriptionCache, promptSpec, specId } from "./cache.ts"
import { type Checks, checksSchema } from "./check.ts"
import { listPrices, type Price, Purse, priceOf, requirePrice } from "./cost.ts"
import { type Estimate, estimate } from "./estimate.ts"
import { Claims } from "./leases.ts"
import { type Desk, type Job, OVERTAKEN, runLive } from "./live.ts"
import type { Prompt, PromptSet } from "./prompts.ts"
import { type DescribedClip, type Provider, ProviderError } from "./provider.ts"
import { type DescribeReport, summarise } from "./report.ts"
import { type StripSource, throttle } from "./strip.ts"

export interface DescribeOptions {
  clips: readonly DescribedClip[]
  prompts: PromptSet
  provider: Provider
  strips: StripSource
  /** `descriptions.jsonl`. */
  cachePath: string
  /**
   * Which clips may be described. No other clip is sent anywhere, and no answer about another clip comes back, not even one
   * that the cache holds. By default every clip whose `split` is not "test".
   */
  mayDescribe?: (clip: DescribedClip) => boolean
  ask?: "separate" | "together"
  checks?: Partial<Checks>
  /** Ask flagged answers anew. */
  retryFlagged?: boolean
  /** US dollars for this run. */
  budget?: number
  /** Requests of this run. */
  limit?: number
  prices?: Record<string, Price>
  /** Tries after the first for a request that may heal. */
  retries?: number
  /** First wait before a retry, milliseconds. */
  backoff?: number
  /** Strips made at a time. */
  stripWorkers?: number
  /** False leaves `answers` empty, for runs too large to hold in memory. */
  collect?: boolean
  reporter?: Reporter
  signal?: AbortSignal
  /** Of the random part of waiting times; by default another one in each process. */
  seed?: number
}

/**
 * The sound answers about the clips that may be described: clip id → prompt id → text. Flagged and failed ones are missing
 * and reported. @throws FourtierError when the provider cannot be used (bad key, no such model, server down)
 */
export async function describeClips(options: DescribeOptions): Promise<Map<string, Record<string, string>>> {
  return (await describe(options)).answers
}

/** What a run would ask and cost. Nothing is sent. */
export async function estimateDescriptions(options: DescribeOptions): Promise<Estimate> {
  const run = new Describer(options)
  try {
    return await run.estimate()
  } finally {
    run.close()
  }
}

/** As `describeClips`, with everything there is to say about the run. */
export async function describe(options: DescribeOptions): Promise<DescribeReport> {
  const run = new Describer(options)
  try {
    return await run.run()
  } finally {
    run.close()
  }
}

class Describer {
  readonly #options: DescribeOptions
  readonly #clips: readonly DescribedClip[]
  readonly #cache: DescriptionCache
  readonly #reporter: Reporter
  readonly #checks: Checks
  readonly #specs: Map<string, string>
  readonly #failed = new Map<string, { clip: string; prompt: string; reason: string }>()

  constructor(options: DescribeOptions) {
    this.#options = options
    this.#reporter = options.reporter ?? silent
    this.#checks = checksSchema.parse(options.checks ?? {})
    this.#clips = options.clips.filter(options.mayDescribe ?? ((clip) => clip.split !== "test"))
    this.#cache = new DescriptionCache(options.cachePath)
    this.#specs = new Map(options.prompts.prompts.map((prompt) => [prompt.id, specId(this.#spec(prompt))]))
  }

  close(): void {
    this.#cache.close()
  }

  #spec(prompt: Prompt) {
    const { provider, prompts, strips } = this.#options
    const { model, settings } = provider
    const looks = provider.mode === "batch" || provider.looks
    return promptSpec(prompt, { system: prompts.system, model, settings, strip: looks ? strips.settings : {} })
  }

  #key(clip: DescribedClip, prompt: Prompt): string {
    return answerKey(clip.hash, this.#specs.get(prompt.id) ?? "")
  }

  /** Clips with the prompts that the cache cannot answer. */
  *#pending(): Generator<Job> {
    for (const clip of this.#clips) {
      const prompts = this.#options.prompts.prompts.filter((prompt) => this.#lacks(this.#key(clip, prompt)))
      if (prompts.length > 0) yield { clip, prompts }
    }
  }

  readonly #reasked = new Set<string>()

  #lacks(key: string): boolean {
    const state = this.#cache.state(key)
    if (state === "flagged") return this.#options.retryFlagged === true && !this.#reasked.has(key)
    return state === undefined
  }

  #price(): Price | undefined {
    const { provider, budget, prices } = this.#options
    const table = { ...listPrices, ...prices }
    const batch = provider.mode === "batch"
    if (provider.destination === null) return undefined
    return budget === undefined ? priceOf(provider.model, table, batch) : requirePrice(provider.model, table, batch)
  }

  async estimate(): Promise<Estimate> {
    const { provider, prompts, strips, ask = "separate" } = this.#options
    return estimate([...this.#pending()], { provider, prompts, strips, ask, price: this.#price(), cache: this.#cache })
  }

  async run(): Promise<DescribeReport> {
    const { provider, prompts } = this.#options
    const wanted = this.#clips.length * prompts.prompts.length
    let pending = 0
    for (const job of this.#pending()) pending += job.prompts.length
    const withheld = this.#options.clips.length - this.#clips.length
    if (withheld > 0) {
      const verb = withheld === 1 ? "is" : "are"
      const left = `${plural(withheld, "clip")} may not be described (test split, or not asked for) and ${verb} left out`
      this.#reporter.say(`  ${left}`)
    }
    if (this.#cache.damaged > 0) {
      this.#reporter.warn(
        `${this.#cache.path}: ${this.#cache.damaged} damaged lines are skipped; their answers are asked again`,
      )
    }
    const purse = new Purse({ price: undefined, guess: 0 })
    const spent = pending === 0 ? purse : await this.#ask(pending)
    const report: DescribeReport = {
      answers: new Map(),
      flagged: [],
      failed: [...this.#failed.values()],
      withheld,
      good: 0,
      cached: wanted - pending,
      requests: spent.requests,
      spent: spent.price ? spent.spent : null,
      ended: spent.empty,
    }
    this.#collect(report)
    summarise(report, wanted, provider.model, this.#reporter)
    return report
  }

  /** Asks everything that is pending, and waits for what other processes are asking. */
  async #ask(pending: number): Promise<Purse> {
    const { provider, budget, limit, strips } = this.#options
    const signal = AbortSignal.any(this.#options.signal ? [this.#options.signal] : [])
    setMaxListeners(0, signal)
    const price = this.#price()
    const guess = price && budget !== undefined ? (await this.estimate()).costPerRequest : 0
    const purse = new Purse({ price, budget, limit, guess: guess ?? 0 })
    for (const prompt of this.#options.prompts.prompts) this.#cache.register(this.#spec(prompt))
    if (provider.destination !== null) {
      this.#reporter.say(
        `  key-frame images of ${plural(this.#countClips(), "clip")} will be sent to ${provider.destination}, model ${provider.model}`,
      )
    }
    const folder = `${this.#cache.path}.batches`
    const batches = await openBatches(folder)
    if (provider.mode === "live" && batches.length > 0) {
      this.#reporter.warn(
        `${batches.length} batches are under way: run openai-batch again to fetch their answers, or pay for them twice`,
      )
    }
    const claims = await Claims.open(this.#cache.path)
    const task = this.#reporter.task("describe", pending, "answers")
    try {
      const strip = throttle(this.#options.stripWorkers ?? 2, (clip: DescribedClip) => strips.encode(clip))
      for (;;) {
        const elsewhere = new Set<string>()
        const desk = this.#desk(claims, purse, task, elsewhere)
        const common = { system: this.#options.prompts.system, strip, checks: this.#checks, purse, signal }
        if (provider.mode === "batch") {
          const signature = hashJson([...this.#specs.values()])
          await runBatch(this.#pending(), { ...common, provider, folder, signature, reporter: this.#reporter }, desk)
        } else {
          const { retries = 8, backoff = 500, seed = process.pid } = this.#options
          const ask = provider.looks ? (this.#options.ask ?? "separate") : "separate"
          await runLive(this.#pending(), { ...common, provider, ask, retries, backoff, rng: new Rng(seed) }, desk)
        }
        if (elsewhere.size > 0 && !purse.empty) await this.#await(elsewhere, claims, task, signal)
        if (elsewhere.size > 0 && !purse.empty) continue
        task.done()
        return purse
      }
    } catch (error) {
      task.done("stopped")
      throw error instanceof ProviderError ? this.#complaint(error) : error
    } finally {
      claims.close()
    }
  }

  #countClips(): number {
    let count = 0
    for (const _ of this.#pending()) count++
    return count
  }

  #desk(claims: Claims, purse: Purse, task: Task, elsewhere: Set<string>): Desk {
    const { provider } = this.#options
    /** Being asked by this run: clips of equal content share keys. */
    const mine = new Set<string>()
    return {
      take: (clip, prompt) => {
        const key = this.#key(clip, prompt)
        if (this.#failed.has(`${clip.id}\u0000${prompt.id}`)) return false
        if (mine.has(key)) return false
        if (!claims.take(key)) {
          elsewhere.add(key)
          return false
        }
        this.#cache.refresh()
        if (this.#lacks(key)) {
          mine.add(key)
          return true
        }
        claims.release(key)
        task.tick(1)
        return false
      },
      keep: (clip, prompt, received) => {
        const key = this.#key(clip, prompt)
        if (this.#options.retryFlagged) this.#reasked.add(key)
        this.#cache.append(toAnswer(clip, prompt, received, { key, spec: this.#specs.get(prompt.id) ?? "", provider }))
      },
      troubled: (error) => this.#reporter.warn(`${error.message}; trying again`),
      end: (clip, prompt, reason) => {
        mine.delete(this.#key(clip, prompt))
        claims.release(this.#key(clip, prompt))
        if (reason === OVERTAKEN) return
        if (reason !== null)
          this.#failed.set(`${clip.id}\u0000${prompt.id}`, { clip: clip.id, prompt: prompt.id, reason })
        task.tick(1, purse.price ? `${purse.spent.toFixed(purse.spent < 1 ? 4 : 2)} USD` : undefined)
      },
    }
  }

  /** Waits until another process has answered one of `keys` or has let go of one; takes answered ones out. */
  async #await(keys: Set<string>, claims: Claims, task: Task, signal: AbortSignal): Promise<void> {
    this.#reporter.say(`  waiting for ${plural(keys.size, "answer")} that another process is asking for`)
    for (;;) {
      this.#cache.refresh()
      for (const key of keys) {
        if (this.#lacks(key)) {
          if (claims.holder(key) === undefined) return
        } else {
          keys.delete(key)
          task.tick(1)
        }
      }
      if (keys.size === 0) return
      await sleep(200, undefined, { signal })
    }
  }

  #collect(report: DescribeReport): void {
    const collect = this.#options.collect ?? true
    for (const clip of this.#clips) {
      for (const prompt of this.#options.prompts.prompts) {
        const key = this.#key(clip, prompt)
        const state = this.#cache.state(key)
        if (state === "good") report.good++
        if (state === undefined || (state === "good" && !collect)) continue
        const answer = this.#cache.read(key)
        if (!answer) continue
        if (state === "flagged") {
          const { flags = [] } = answer
          report.flagged.push({ clip: clip.id, prompt: prompt.id, answer: answer.answer, flags })
        } else {
          const texts = report.answers.get(clip.id) ?? {}
          texts[prompt.id] = answer.answer
          report.answers.set(clip.id, texts)
        }
      }
    }
  }

  #complaint(error: ProviderError): FourtierError {
    const kept = this.#cache.size > 0 ? `${this.#cache.size} answers are kept in ${this.#cache.path}` : undefined
    return new FourtierError(
      {
        where: `provider ${this.#options.provider.kind}`,
        what: error.message,
        ...(error.fix ? { fix: error.fix } : {}),
        ...(kept ? { found: kept } : {}),
      },
      { cause: error },
    )
  }
}

function toAnswer(
  clip: DescribedClip,
  prompt: Prompt,
  received: Parameters<Desk["keep"]>[2],
  known: { key: string; spec: string; provider: Provider },
): Answer {
  const { text, flags, inputTokens, outputTokens, cost, together } = received
  return {
    key: known.key,
    ok: flags.length === 0 ? 1 : 0,
    clip: clip.id,
    path: clip.relative,
    prompt: prompt.id,
    answer: text.trim(),
    ...(flags.length > 0 ? { flags } : {}),
    model: known.provider.model,
    spec: known.spec,
    by: known.provider.kind,
    time: new Date().toISOString(),
    ...(inputTokens === null ? {} : { inputTokens }),
    ...(outputTokens === null ? {} : { outputTokens }),
    ...(cost === undefined ? {} : { cost }),
    ...(together ? { together } : {}),
  }
}
