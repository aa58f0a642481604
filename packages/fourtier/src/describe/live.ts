/**
 * Puts questions to a live provider, many at a time, until each is answered or given up.
 *
 *   jobs ── strip ── concurrency limiter ── ask ──┬── answer ── check ──┬── sound: stored
 *            ▲                                    │                     └── flagged: stored apart, asked once more
 *            └───────────── back-off ── retry ────┤
 *                                                 └── stop: no new request; those in progress end, then the error
 */

import { messageOf, type Rng } from "@fourtier/tensor"
import { backOff, pause } from "../util/back-off.ts"
import { type AnswerSink, type Job, RUN_ENDED, rejectedAnswer } from "./answer-sink.ts"
import type { Budget } from "./budget.ts"
import { type Checks, checkAnswer } from "./check.ts"
import { ConcurrencyLimiter } from "./concurrency-limiter.ts"
import { type Prompt, parseTogether, togetherQuestion, togetherSchema } from "./prompts.ts"
import { type DescribedClip, type LiveProvider, ProviderError, type Question, type Reply } from "./provider.ts"

export interface LiveOptions {
  provider: LiveProvider
  system: string | null
  /** One request per prompt, or one for all prompts of a clip. */
  ask: "separate" | "together"
  strip: (clip: DescribedClip) => Promise<Uint8Array>
  checks: Checks
  budget: Budget
  /** Attempts after the first, for requests that may succeed another time. */
  retries: number
  /** Longest wait before the first retry, milliseconds; doubles with each further one. */
  backoff: number
  /** Draws the waiting times. */
  rng: Rng
  signal: AbortSignal
}

/** A reply and its cost in dollars, or why there is no reply. */
type Outcome = { reply: Reply; cost: number | undefined } | string

/** When this many requests in a row are given up, the server is down. */
const MAX_GIVEN_UP = 10

/** When this many requests are rejected and none is answered, the request itself is wrong. */
const MAX_REJECTED = 5

/** @throws ProviderError `stop` when no request can succeed; the signal's reason when aborted. Answers so far are stored. */
export async function runLive(jobs: Iterable<Job>, options: LiveOptions, sink: AnswerSink): Promise<void> {
  await new LiveRun(options, sink).run(jobs)
}

class LiveRun {
  readonly #options: LiveOptions
  readonly #sink: AnswerSink
  readonly #limiter: ConcurrencyLimiter
  /** Work that has begun and not ended, including what waits for a retry. Its number is limited, and memory with it. */
  readonly #running = new Set<Promise<void>>()
  #stopped: Error | null = null
  #answered = 0
  #givenUp = 0
  #reportedFailure = false
  /** Rejections that become answers as soon as another request succeeds. */
  readonly #rejections: (() => void)[] = []

  constructor(options: LiveOptions, sink: AnswerSink) {
    this.#options = options
    this.#sink = sink
    this.#limiter = new ConcurrencyLimiter(options.provider.concurrency)
  }

  async run(jobs: Iterable<Job>): Promise<void> {
    try {
      for (const job of jobs) if (!(await this.#begin(job))) break
    } finally {
      while (this.#running.size > 0) await Promise.race(this.#running)
    }
    if (this.#stopped) throw this.#stopped
    this.#options.signal.throwIfAborted()
  }

  /** Starts a clip's questions as soon as there is room. @returns false when no further one may start */
  async #begin({ clip, prompts }: Job): Promise<boolean> {
    const { ask, budget, signal } = this.#options
    const strip = once(() => this.#options.strip(clip))
    const together = ask === "together" && prompts.length > 1
    for (const group of together ? [prompts] : prompts.map((prompt) => [prompt])) {
      while (this.#running.size >= 4 * this.#limiter.max) await Promise.race(this.#running)
      if (this.#stopped || signal.aborted || budget.exhausted) return false
      const acquired = group.filter((prompt) => this.#sink.acquire(clip, prompt))
      if (acquired.length > 0) this.#start(() => this.#askGroup(clip, acquired, strip))
    }
    return true
  }

  #start(work: () => Promise<void>): void {
    const running = work()
      .catch((error: unknown) => {
        this.#stopped ??= error instanceof Error ? error : new Error(String(error))
      })
      .finally(() => this.#running.delete(running))
    this.#running.add(running)
  }

  /** Asks several prompts in one request. Those without a sound answer are then asked one by one. */
  async #askGroup(clip: DescribedClip, prompts: readonly Prompt[], strip: () => Promise<Uint8Array>): Promise<void> {
    if (prompts.length === 1) return this.#askOne(clip, prompts[0], strip)
    const outcome = await this.#request(clip, prompts, strip)
    if (typeof outcome === "string") {
      for (const prompt of prompts) this.#sink.release(clip, prompt, outcome)
      return
    }
    const { reply } = outcome
    const texts = parseTogether(reply.text, prompts)
    const cost = outcome.cost === undefined ? undefined : outcome.cost / prompts.length
    const share = (count: number | null) => (count === null ? null : count / prompts.length)
    const [inputTokens, outputTokens] = [share(reply.inputTokens), share(reply.outputTokens)]
    const again: Prompt[] = []
    for (const prompt of prompts) {
      if (!texts) {
        again.push(prompt)
        continue
      }
      const text = texts[prompt.id]
      const flags = checkAnswer(text, reply.finish, prompt, this.#options.checks)
      this.#sink.store(clip, prompt, { text, flags, inputTokens, outputTokens, cost, together: true })
      if (flags.length > 0) again.push(prompt)
      else this.#sink.release(clip, prompt, null)
    }
    for (const prompt of again) await this.#askOne(clip, prompt, strip, texts !== null)
  }

  /** @param again whether an answer to this prompt has already been flagged */
  async #askOne(clip: DescribedClip, prompt: Prompt, strip: () => Promise<Uint8Array>, again = false): Promise<void> {
    const outcome = await this.#request(clip, [prompt], strip)
    if (typeof outcome === "string") return this.#sink.release(clip, prompt, outcome)
    const { reply, cost } = outcome
    const { text, inputTokens, outputTokens } = reply
    const flags = checkAnswer(text, reply.finish, prompt, this.#options.checks)
    this.#sink.store(clip, prompt, { text, flags, inputTokens, outputTokens, cost, together: false })
    if (flags.length > 0 && !again && this.#options.provider.usesStrip) return this.#askOne(clip, prompt, strip, true)
    this.#sink.release(clip, prompt, null)
  }

  /** Sends a question until it is answered or given up. */
  async #request(clip: DescribedClip, prompts: readonly Prompt[], strip: () => Promise<Uint8Array>): Promise<Outcome> {
    const { provider, budget, signal, retries, rng, system, backoff: base } = this.#options
    const single = prompts.length === 1
    const text = single ? prompts[0].text : togetherQuestion(prompts)
    const question: Question = { clip, prompts, system, strip, text, schema: single ? null : togetherSchema(prompts) }
    for (let failures = 0, throttled = 0; ; ) {
      if (provider.usesStrip) {
        try {
          await strip()
        } catch (error) {
          return `no strip: ${messageOf(error)}`
        }
      }
      const reserved = await this.#admit()
      if (reserved === null) return RUN_ENDED
      const sentAt = performance.now()
      try {
        const reply = await provider.ask(question, signal)
        this.#limiter.release()
        this.#succeeded(reply)
        return { reply, cost: budget.pay(reserved, reply.inputTokens, reply.outputTokens) }
      } catch (error) {
        const tooFast = error instanceof ProviderError && error.verdict === "throttled"
        if (tooFast) this.#limiter.throttled(error.retryAfter, sentAt)
        this.#limiter.release()
        budget.refund(reserved)
        if (signal.aborted) return RUN_ENDED
        if (!(error instanceof ProviderError)) throw error
        const final = this.#finalFailure(clip, prompts, error)
        if (final !== null) return final
        if (tooFast) throttled++
        else failures++
        if (!tooFast) this.#reportFirst(error)
        if (failures > retries || throttled > 10 * retries + 10) return this.#giveUp(error)
        const attempt = Math.max(0, failures + throttled - 1)
        const wait = error.retryAfter ?? backOff(attempt, { base, jitter: () => rng.next() })
        // the limiter already waits as long as a throttled request was told to
        if (!tooFast || error.retryAfter === null) await pause(wait, signal).catch(() => {})
      }
    }
  }

  /** Waits until a request may start. @returns its reserved cost; null when no further one may start */
  async #admit(): Promise<number | null> {
    try {
      await this.#limiter.acquire(this.#options.signal)
    } catch {
      return null
    }
    const reserved = this.#stopped ? null : this.#options.budget.reserve()
    if (reserved === null) this.#limiter.release()
    return reserved
  }

  #succeeded(reply: Reply): void {
    this.#limiter.succeeded()
    if (reply.pause !== undefined) this.#limiter.pause(reply.pause)
    this.#answered++
    this.#givenUp = 0
    for (const store of this.#rejections.splice(0)) store()
  }

  /** @returns why the question is not asked again; null when it may be */
  #finalFailure(clip: DescribedClip, prompts: readonly Prompt[], error: ProviderError): string | null {
    if (error.verdict === "stop") {
      this.#stopped ??= error
      return RUN_ENDED
    }
    if (error.verdict === "absent") return error.message
    if (error.verdict === "rejected") return this.#reject(clip, prompts, error)
    return null
  }

  #reportFirst(error: ProviderError): void {
    if (this.#answered > 0 || this.#reportedFailure) return
    this.#reportedFailure = true
    this.#sink.firstFailure(error)
  }

  #giveUp(error: ProviderError): string {
    this.#givenUp++
    if (this.#givenUp >= MAX_GIVEN_UP) {
      const { retries } = this.#options
      const text = `${this.#givenUp} requests in a row failed, each after ${retries} retries. The last: ${error.message}`
      const fix = "check whether the server is running, then run again; answers so far are kept"
      this.#stopped ??= new ProviderError("stop", text, { fix })
    }
    return error.message
  }

  /** A rejection is stored as the answer, once another request has shown that requests can succeed. */
  #reject(clip: DescribedClip, prompts: readonly Prompt[], error: ProviderError): string {
    const answer = rejectedAnswer(error.message, prompts.length > 1)
    const store = () => {
      for (const prompt of prompts) this.#sink.store(clip, prompt, answer)
    }
    if (this.#answered > 0) store()
    else this.#rejections.push(store)
    if (this.#answered === 0 && this.#rejections.length >= MAX_REJECTED) {
      const text = `the first ${MAX_REJECTED} requests were all rejected. The last: ${error.message}`
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
