/**
 * Puts questions to a live provider, many at a time, until each is answered or given up.
 *
 *   jobs ── strip ── gate ── ask ──┬── answer ── check ──┬── sound: kept
 *            ▲                     │                     └── flagged: kept apart, asked once more
 *            └── wait ── retry ────┤
 *                                  └── stop: no new request, the ones under way end, then the error
 */

import type { Rng } from "@fourtier/tensor"
import { type Checks, checkAnswer, type Flag } from "./check.ts"
import { backoff, Gate, pauseFor } from "./concurrency-limiter.ts"
import type { Purse } from "./cost.ts"
import { type Prompt, parseTogether, togetherQuestion, togetherSchema } from "./prompts.ts"
import { type DescribedClip, type LiveProvider, ProviderError, type Question, type Reply } from "./provider.ts"

/** A clip and the prompts to ask about it. */
export interface Job {
  clip: DescribedClip
  prompts: readonly Prompt[]
}

/** One prompt's answer as it came. */
export interface Received {
  text: string
  flags: (Flag | string)[]
  inputTokens: number | null
  outputTokens: number | null
  cost: number | undefined
  together: boolean
}

/** Where answers go and who may ask. */
export interface Desk {
  /** Claims the right to ask. False: answered meanwhile, or being asked already, here or by another process. */
  take(clip: DescribedClip, prompt: Prompt): boolean
  /** Writes an answer down at once. */
  keep(clip: DescribedClip, prompt: Prompt, received: Received): void
  /** Ends the claim: answered, or given up for `reason`. */
  end(clip: DescribedClip, prompt: Prompt, reason: string | null): void
  /** Told once, of the first request that failed before any was answered: it is tried again. */
  troubled(error: ProviderError): void
}

export interface LiveOptions {
  provider: LiveProvider
  system: string | null
  /** One request a prompt, or one for all of a clip's prompts. */
  ask: "separate" | "together"
  strip: (clip: DescribedClip) => Promise<Uint8Array>
  checks: Checks
  purse: Purse
  /** Tries after the first for a request that may heal. */
  retries: number
  /** First wait before a retry, milliseconds; doubles with each. */
  backoff: number
  rng: Rng
  signal: AbortSignal
}

/** The reason of questions that the end of the run overtook: they are not failures. */
export const OVERTAKEN = "the run ended first"

/** This many requests given up in a row mean that the server is down. */
const DOWN = 10
/** This many requests rejected, and none answered, mean that the request itself is wrong. */
const WRONG = 5

/** @throws ProviderError `stop` when going on is pointless; the signal's reason when aborted. Answers so far are kept. */
export async function runLive(jobs: Iterable<Job>, options: LiveOptions, desk: Desk): Promise<void> {
  const run = new LiveRun(options, desk)
  await run.all(jobs)
}

class LiveRun {
  readonly #options: LiveOptions
  readonly #desk: Desk
  #troubled = false
  readonly #gate: Gate
  /** Tasks begun and not ended, those that wait for a retry included: bounds memory. */
  readonly #tasks = new Set<Promise<void>>()
  #stopped: Error | null = null
  #answered = 0
  #givenUp = 0
  readonly #rejections: (() => void)[] = []

  constructor(options: LiveOptions, desk: Desk) {
    this.#options = options
    this.#desk = desk
    this.#gate = new Gate(options.provider.concurrency)
  }

  async all(jobs: Iterable<Job>): Promise<void> {
    try {
      for (const job of jobs) if (!(await this.#begin(job))) break
    } finally {
      while (this.#tasks.size > 0) await Promise.race(this.#tasks)
    }
    if (this.#stopped) throw this.#stopped
    this.#options.signal.throwIfAborted()
  }

  /** Starts a clip's questions as places come free. @returns false when no further one may start */
  async #begin({ clip, prompts }: Job): Promise<boolean> {
    const strip = once(() => this.#options.strip(clip))
    const together = this.#options.ask === "together" && prompts.length > 1
    for (const group of together ? [prompts] : prompts.map((prompt) => [prompt])) {
      while (this.#tasks.size >= 4 * this.#gate.most) await Promise.race(this.#tasks)
      if (this.#stopped || this.#options.signal.aborted || this.#options.purse.empty) return false
      const mine = group.filter((prompt) => this.#desk.take(clip, prompt))
      if (mine.length > 0) this.#start(() => this.#group(clip, mine, strip))
    }
    return true
  }

  #start(work: () => Promise<void>): void {
    const task = work()
      .catch((error: unknown) => {
        this.#stopped ??= error instanceof Error ? error : new Error(String(error))
      })
      .finally(() => this.#tasks.delete(task))
    this.#tasks.add(task)
  }

  /** Asks a clip's prompts in one request (or its one prompt), falling back to one request each. */
  async #group(clip: DescribedClip, prompts: readonly Prompt[], strip: () => Promise<Uint8Array>): Promise<void> {
    if (prompts.length === 1) return this.#single(clip, prompts[0], strip)
    const outcome = await this.#try(clip, prompts, strip)
    if (typeof outcome === "string") {
      for (const prompt of prompts) this.#desk.end(clip, prompt, outcome)
      return
    }
    const { reply } = outcome
    const texts = parseTogether(reply.text, prompts)
    const share = (count: number | null) => (count === null ? null : count / prompts.length)
    const alone: Prompt[] = []
    for (const prompt of prompts) {
      if (!texts) alone.push(prompt)
      else {
        const flags = checkAnswer(texts[prompt.id], reply.finish, prompt, this.#options.checks)
        const cost = outcome.cost === undefined ? undefined : outcome.cost / prompts.length
        const [inputTokens, outputTokens] = [share(reply.inputTokens), share(reply.outputTokens)]
        this.#desk.keep(clip, prompt, {
          text: texts[prompt.id],
          flags,
          inputTokens,
          outputTokens,
          cost,
          together: true,
        })
        if (flags.length > 0) alone.push(prompt)
        else this.#desk.end(clip, prompt, null)
      }
    }
    for (const prompt of alone) await this.#single(clip, prompt, strip, texts !== null)
  }

  /** @param again whether this already is the second asking */
  async #single(clip: DescribedClip, prompt: Prompt, strip: () => Promise<Uint8Array>, again = false): Promise<void> {
    const outcome = await this.#try(clip, [prompt], strip)
    if (typeof outcome === "string") return this.#desk.end(clip, prompt, outcome)
    const { reply, cost } = outcome
    const flags = checkAnswer(reply.text, reply.finish, prompt, this.#options.checks)
    const { text, inputTokens, outputTokens } = reply
    this.#desk.keep(clip, prompt, { text, flags, inputTokens, outputTokens, cost, together: false })
    if (flags.length > 0 && !again && this.#options.provider.looks) return this.#single(clip, prompt, strip, true)
    this.#desk.end(clip, prompt, null)
  }

  /** One question until it is answered or hopeless. @returns the reply, or why there is none */
  async #try(
    clip: DescribedClip,
    prompts: readonly Prompt[],
    strip: () => Promise<Uint8Array>,
  ): Promise<{ reply: Reply; cost: number | undefined } | string> {
    const { provider, purse, signal, retries, rng } = this.#options
    const question: Question = {
      clip,
      prompts,
      system: this.#options.system,
      strip,
      text: prompts.length === 1 ? prompts[0].text : togetherQuestion(prompts),
      schema: prompts.length === 1 ? null : togetherSchema(prompts),
    }
    for (let failures = 0, refusals = 0; ; ) {
      if (provider.looks) {
        try {
          await strip()
        } catch (error) {
          return `no strip: ${error instanceof Error ? error.message : String(error)}`
        }
      }
      const entered = await this.#gate.enter(signal).then(
        () => true,
        () => false,
      )
      if (!entered) return OVERTAKEN
      const reserved = this.#stopped ? null : purse.reserve()
      if (reserved === null) {
        this.#gate.leave()
        return OVERTAKEN
      }
      const sentAt = performance.now()
      try {
        const reply = await provider.ask(question, signal)
        this.#gate.leave()
        this.#gate.succeeded()
        if (reply.pause !== undefined) this.#gate.pause(reply.pause)
        this.#answered++
        this.#givenUp = 0
        for (const record of this.#rejections.splice(0)) record()
        return { reply, cost: purse.pay(reserved, reply.inputTokens, reply.outputTokens) }
      } catch (error) {
        const refusal = error instanceof ProviderError && error.verdict === "throttled"
        if (refusal) this.#gate.throttled(error.retryAfter, sentAt)
        this.#gate.leave()
        purse.refund(reserved)
        if (signal.aborted) return OVERTAKEN
        if (!(error instanceof ProviderError)) throw error
        if (error.verdict === "stop") {
          this.#stopped ??= error
          return OVERTAKEN
        }
        if (error.verdict === "absent") return error.message
        if (error.verdict === "rejected") return this.#rejected(clip, prompts, error)
        if (refusal) refusals++
        else failures++
        if (!refusal && this.#answered === 0 && !this.#troubled) {
          this.#troubled = true
          this.#desk.troubled(error)
        }
        if (failures > retries || refusals > 10 * retries + 10) return this.#exhausted(error)
        const wait =
          error.retryAfter ?? backoff(Math.max(0, failures + refusals - 1), () => rng.next(), this.#options.backoff)
        if (error.verdict === "retry" || error.retryAfter === null) await pauseFor(wait, signal).catch(() => {})
      }
    }
  }

  #exhausted(error: ProviderError): string {
    this.#givenUp++
    if (this.#givenUp >= DOWN) {
      const text = `${this.#givenUp} requests in a row failed, each after ${this.#options.retries} retries. The last: ${error.message}`
      this.#stopped ??= new ProviderError("stop", text, {
        fix: "see whether the server is up, then run again: answers so far are kept",
      })
    }
    return error.message
  }

  /** Remembers a rejection as the answer, once another request has shown that requests can succeed. */
  #rejected(clip: DescribedClip, prompts: readonly Prompt[], error: ProviderError): string {
    const record = () => {
      for (const prompt of prompts) {
        const received = {
          text: "",
          flags: [`rejected: ${error.message}`],
          inputTokens: null,
          outputTokens: null,
          cost: undefined,
        }
        this.#desk.keep(clip, prompt, { ...received, together: prompts.length > 1 })
      }
    }
    if (this.#answered > 0) record()
    else this.#rejections.push(record)
    if (this.#answered === 0 && this.#rejections.length >= WRONG) {
      const text = `the first ${WRONG} requests were all rejected. The last: ${error.message}`
      this.#stopped ??= new ProviderError("stop", text, { fix: "check the model, its settings and the image size" })
    }
    return error.message
  }
}

/** Calls `make` on the first call only; a failure is not remembered. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => {
    made ??= make().catch((error) => {
      made = undefined
      throw error
    })
    return made
  }
}
