/**
 * Puts questions to a live provider, many at a time, until each is answered or given up.
 *
 *   jobs ── strip ── concurrency limiter ── ask ──┬── answer ── check ──┬── sound: stored
 *            ▲                                    │                     └── flagged: stored apart, asked once more
 *            └───────────── back-off ── retry ────┤
 *                                                 └── stop: no new request; those in progress end, then the error
 *
 * An interrupt starts no new request either; those in progress, which are paid for in any case, are waited for, up to a limit.
 */

import { formatSeconds, plural } from "@fourtier/core"
import { messageOf, type Rng } from "@fourtier/tensor"
import { backOff, pause } from "../util/back-off.ts"
import { askPatience } from "../util/patience.ts"
import { type AnswerSink, allRejected, type Job, MAX_REJECTED, RUN_ENDED, rejectedAnswer } from "./answer-sink.ts"
import type { Budget } from "./budget.ts"
import { type Checks, judgeReply } from "./check.ts"
import { ConcurrencyLimiter } from "./concurrency-limiter.ts"
import { type Prompt, parseTogether, togetherQuestion, togetherSchema } from "./prompts.ts"
import { type DescribedClip, type LiveProvider, ProviderError, type Question, type Reply } from "./provider.ts"
import { stripReasoning } from "./reasoning.ts"

export interface LiveOptions {
  provider: LiveProvider
  /** Told how many requests may be in progress at most, whenever that changes; absent: as many as the provider allows. */
  onShare?: ((tell: (most: number) => void) => void) | undefined
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
  /** Longest wait for the requests in progress after an interrupt, milliseconds. */
  grace: number
}

/** A reply and its cost in dollars, or why there is no reply. */
type Outcome = { reply: Reply; cost: number | undefined } | string

/** When this many requests in a row are given up, the server is down. */
const MAX_GIVEN_UP = 10

/** When this many replies have come and each was cut off within the model's reasoning, `maxTokens` is too small. */
const MAX_CUT_OFF = 5

/** Pauses that are longer are told, with the server's words. */
const TOLD_PAUSE_MS = 60_000

/** @throws ProviderError `stop` when no request can succeed; the signal's reason when aborted. Answers so far are stored. */
export async function runLive(
  jobs: Iterable<Job> | AsyncIterable<Job>,
  options: LiveOptions,
  sink: AnswerSink,
): Promise<void> {
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
  /** Replies that were cut off within the reasoning, while there has been no other. */
  #cutOff = 0
  #givenUp = 0
  #reportedFailure = false
  #toldPauseUntil = 0
  readonly #toldAdaptations = new Set<string>()
  /** Rejections that become answers as soon as another request succeeds. */
  readonly #rejections: (() => void)[] = []
  /** Ends the requests in progress. */
  readonly #hardStop = new AbortController()

  constructor(options: LiveOptions, sink: AnswerSink) {
    this.#options = options
    this.#sink = sink
    this.#limiter = new ConcurrencyLimiter(options.provider.concurrency, options.backoff)
    options.onShare?.((most) => this.#limiter.cap(most))
  }

  async run(jobs: Iterable<Job> | AsyncIterable<Job>): Promise<void> {
    const { signal } = this.#options
    let over: (() => void) | undefined
    const interrupted = () => {
      over = this.#waitForRequests()
    }
    if (signal.aborted) interrupted()
    else signal.addEventListener("abort", interrupted, { once: true })
    try {
      for await (const job of jobs) if (!(await this.#begin(job))) break
    } finally {
      while (this.#running.size > 0) await Promise.race(this.#running)
      signal.removeEventListener("abort", interrupted)
      over?.()
    }
    if (this.#stopped) throw this.#stopped
    signal.throwIfAborted()
  }

  /** After an interrupt: lets requests in progress end, and ends those that do not. @returns to be called when all have ended */
  #waitForRequests(): (() => void) | undefined {
    const { signal, grace, provider } = this.#options
    const { active } = this.#limiter
    if (provider.destination === null || active === 0 || grace <= 0) {
      this.#hardStop.abort(signal.reason)
      return undefined
    }
    const requests = plural(active, "request that is", "requests that are")
    this.#sink.notice(
      `waiting up to ${formatSeconds(grace / 1000)} for the answers to ${requests} under way and paid for`,
    )
    const impatient = askPatience(grace)
    const timer = setTimeout(() => this.#hardStop.abort(signal.reason), grace)
    return () => {
      clearTimeout(timer)
      impatient()
    }
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
    const texts = parseTogether(stripReasoning(reply.text).text, prompts)
    const cost = outcome.cost === undefined ? undefined : outcome.cost / prompts.length
    const share = (count: number | null) => (count === null ? null : count / prompts.length)
    const [inputTokens, outputTokens] = [share(reply.inputTokens), share(reply.outputTokens)]
    const { adapted } = reply
    const again: Prompt[] = []
    for (const prompt of prompts) {
      if (!texts) {
        again.push(prompt)
        continue
      }
      const { text, flags } = judgeReply({ text: texts[prompt.id], finish: reply.finish }, prompt, this.#options.checks)
      this.#sink.store(clip, prompt, { text, flags, inputTokens, outputTokens, cost, together: true, adapted })
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
    const { inputTokens, outputTokens, adapted } = reply
    const { text, flags } = judgeReply(reply, prompt, this.#options.checks)
    this.#sink.store(clip, prompt, { text, flags, inputTokens, outputTokens, cost, together: false, adapted })
    const unfinished = flags.includes("reasoning without an answer")
    this.#countCutOff(unfinished && flags.includes("cut off"))
    if (flags.length > 0 && !unfinished && !again && this.#options.provider.usesStrip) {
      return this.#askOne(clip, prompt, strip, true)
    }
    this.#sink.release(clip, prompt, null)
  }

  /** Further answers of a model that never gets beyond its reasoning would be paid for in vain. */
  #countCutOff(cutOff: boolean): void {
    if (!cutOff) this.#cutOff = Number.NEGATIVE_INFINITY
    this.#cutOff++
    if (this.#cutOff < MAX_CUT_OFF) return
    const { maxTokens } = this.#options.provider.settings
    const limit = typeof maxTokens === "number" ? `, at maxTokens ${maxTokens}` : ""
    const text = `the first ${this.#cutOff} replies were all cut off while the model was still reasoning${limit}`
    this.#stopped ??= new ProviderError("stop", text, {
      fix: "raise maxTokens in the provider's settings, for example maxTokens: 2000, or turn the model's reasoning off",
    })
  }

  /** Sends a question until it is answered or given up. */
  async #request(clip: DescribedClip, prompts: readonly Prompt[], strip: () => Promise<Uint8Array>): Promise<Outcome> {
    const { provider, budget, signal, retries, rng, system, backoff: base } = this.#options
    const single = prompts.length === 1
    const text = single ? prompts[0].text : togetherQuestion(prompts)
    const question: Question = { clip, prompts, system, strip, text, schema: single ? null : togetherSchema(prompts) }
    let last: string | null = null
    for (let failures = 0, throttled = 0; ; ) {
      if (provider.usesStrip) {
        try {
          await strip()
        } catch (error) {
          return `no strip: ${messageOf(error)}`
        }
      }
      const reserved = await this.#admit()
      if (reserved === null) return (budget.exhausted && last) || RUN_ENDED
      const sentAt = performance.now()
      try {
        const reply = await provider.ask(question, this.#hardStop.signal)
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
        if (error.verdict === "adapted") {
          this.#tellAdaptation(error)
          continue
        }
        const final = this.#finalFailure(clip, prompts, error)
        if (final !== null) return final
        last = error.message
        if (tooFast) throttled++
        else failures++
        if (!tooFast) this.#reportFirst(error)
        this.#tellPause(error.retryAfter, error.message)
        if (failures > retries || throttled > 10 * retries + 10) return this.#giveUp(error)
        const attempt = Math.max(0, failures + throttled - 1)
        const own = Math.max(base / 4, backOff(attempt, { base, jitter: () => rng.next() }))
        // the limiter already waits as long as a throttled request was told to
        if (!tooFast || error.retryAfter === null) {
          await pause(Math.max(own, error.retryAfter ?? 0), signal).catch(() => {})
        }
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
    const reserved = this.#stopped ? null : await this.#options.budget.reserve()
    if (reserved === null) this.#limiter.release()
    return reserved
  }

  #succeeded(reply: Reply): void {
    this.#limiter.succeeded()
    if (reply.pause !== undefined) {
      this.#limiter.pause(reply.pause)
      this.#tellPause(reply.pause, "the server's quota is used up")
    }
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
    this.#sink.notice(`${error.message}; trying again`)
  }

  /** Tells of a long pause, once for all requests that wait for its end. */
  #tellPause(milliseconds: number | null, why: string): void {
    if (milliseconds === null || milliseconds <= TOLD_PAUSE_MS) return
    const until = performance.now() + milliseconds
    if (until < this.#toldPauseUntil + TOLD_PAUSE_MS) return
    this.#toldPauseUntil = until
    this.#sink.notice(`waiting ${formatSeconds(milliseconds / 1000)}, as the server asks: ${why}`)
  }

  #tellAdaptation({ message }: ProviderError): void {
    if (this.#toldAdaptations.has(message)) return
    this.#toldAdaptations.add(message)
    this.#sink.notice(message)
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
      this.#stopped ??= allRejected(MAX_REJECTED, error.message)
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
