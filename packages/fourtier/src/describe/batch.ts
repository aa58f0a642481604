/**
 * Questions that are answered within hours, for half the price: many are uploaded as one file and their answers fetched
 * later.
 *
 *   questions ── file ── upload ── create ── poll ── results ──┬── answers: stored
 *      ▲                                                       └── failed or missing lines ──┐
 *      └─────────────────────────────────────────────────────────────────────────────────────┘
 *
 * A small file beside the cache records the progress of each batch. A run that was interrupted at any point resumes from
 * it: what was uploaded is not uploaded again, and what was paid for is fetched.
 */

import { randomUUID } from "node:crypto"
import { formatSeconds, plural, type Reporter } from "@fourtier/core"
import { messageOf } from "@fourtier/tensor"
import { backOff, pause, retry } from "../util/back-off.ts"
import { type AnswerSink, allRejected, type Job, MAX_REJECTED, RUN_ENDED, rejectedAnswer } from "./answer-sink.ts"
import { BatchStates, type Item, newItem, openBatches, type State } from "./batch-state.ts"
import type { Budget } from "./budget.ts"
import { type Checks, judgeReply } from "./check.ts"
import {
  type BatchProgress,
  type BatchProvider,
  type BatchResult,
  type DescribedClip,
  ProviderError,
  type Reply,
} from "./provider.ts"

export interface BatchOptions {
  provider: BatchProvider
  system: string | null
  strip: (clip: DescribedClip) => Promise<Uint8Array>
  checks: Checks
  budget: Budget
  /** Where the progress of each batch is recorded. */
  folder: string
  /** Identifies everything in a key but the clip: only a run with the same signature resumes a batch. */
  signature: string
  /** Contents of the clips that this run is about: batches about others alone are left to their own run. */
  hashes: ReadonlySet<string>
  reporter: Reporter
  signal: AbortSignal
}

/** A question that has failed this often is given up. */
const MAX_TRIES = 3

/** Retries of a call to the server. */
const MAX_RETRIES = 8

/** Looks at a finished batch whose results are not there yet, or arrive damaged. */
const MAX_LOOKS = 3

/** A server asked for a longer wait: told, with its words. */
const TOLD_PAUSE_MS = 60_000

/** @throws ProviderError `stop` when no batch can succeed; the signal's reason when aborted. A later run resumes them. */
export async function runBatch(jobs: Iterable<Job>, options: BatchOptions, sink: AnswerSink): Promise<void> {
  await new BatchRun(options, sink).run(jobs)
}

class BatchRun {
  readonly #options: BatchOptions
  readonly #sink: AnswerSink
  readonly #states: BatchStates
  readonly #open: State[] = []
  readonly #retries: Item[] = []
  /** What the budget has reserved, by item. */
  readonly #reserved = new Map<string, number>()
  #maxOpen: number
  readonly #reported = new Map<string, string>()
  /** How often a finished batch has been looked at without finding its results. */
  readonly #looks = new Map<string, number>()
  readonly #told = new Set<string>()
  #answered = 0
  /** Rejected requests, while none has been answered. */
  #rejected: { item: Item; message: string }[] = []

  constructor(options: BatchOptions, sink: AnswerSink) {
    this.#options = options
    this.#sink = sink
    this.#states = new BatchStates(options.folder)
    this.#maxOpen = options.provider.limits.open
  }

  async run(jobs: Iterable<Job>): Promise<void> {
    const { provider, signal } = this.#options
    await this.#resume()
    const fresh = this.#fresh(jobs)
    let more = true
    for (;;) {
      while (this.#open.length < this.#maxOpen && (more || this.#retries.length > 0)) {
        const { items, lines } = await this.#nextUpload(fresh)
        if (items.length === 0) {
          more = false
          break
        }
        await this.#submit(items, lines)
      }
      if (this.#open.length === 0) break
      if (!(await this.#pollAll())) await pause(provider.limits.pollSeconds * 1000, signal)
    }
    for (const { item, message } of this.#rejected) this.#sink.release(item.clip, item.prompt, message)
  }

  /** Continues the batches of an earlier run. */
  async #resume(): Promise<void> {
    const { provider, signature, hashes, reporter, signal } = this.#options
    for (const tag of await openBatches(this.#options.folder)) {
      const state = await this.#states.load(tag)
      if (!state.items.some(({ clip }) => hashes.has(clip.hash))) continue
      if (state.signature !== signature) {
        const name = state.batchId ?? tag
        reporter.warn(`batch ${name} is for other prompts, model or settings; run with those to fetch its answers`)
        continue
      }
      state.items = state.items.filter(({ clip, prompt }) => this.#sink.acquire(clip, prompt))
      if (state.items.length === 0) continue
      const { fileId } = state
      if (fileId === null) {
        this.#retries.push(...state.items)
        await this.#states.forget(state)
        continue
      }
      if (state.batchId === null) {
        state.batchId =
          (await this.#retrying(() => provider.find(state.tag, signal))) ??
          (await this.#retrying(() => provider.create(fileId, state.tag, signal)))
        await this.#states.save(state)
      }
      reporter.say(`  batch ${state.batchId} resumed: ${plural(state.items.length, "question")}`)
      this.#open.push(state)
    }
  }

  *#fresh(jobs: Iterable<Job>): Generator<Item> {
    for (const { clip, prompts } of jobs) {
      for (const prompt of prompts) {
        if (this.#options.budget.exhausted) return
        if (this.#sink.acquire(clip, prompt)) yield newItem(clip, prompt)
      }
    }
  }

  /** The questions of the next upload, within the provider's limits. */
  async #nextUpload(fresh: Generator<Item>): Promise<{ items: Item[]; lines: string[] }> {
    const { provider, budget, system, strip } = this.#options
    const items: Item[] = []
    const lines: string[] = []
    let bytes = 0
    let stripOf = ""
    let image: Promise<Uint8Array> = Promise.resolve(new Uint8Array())
    while (items.length < provider.limits.requests && bytes < provider.limits.bytes) {
      const item = this.#retries.shift() ?? fresh.next().value
      if (item === undefined) break
      const { clip, prompt } = item
      const reserved = await budget.reserve()
      if (reserved === null) {
        this.#sink.release(clip, prompt, RUN_ENDED)
        break
      }
      try {
        if (stripOf !== clip.id) image = strip(clip)
        stripOf = clip.id
        const own = image
        const question = { clip, prompts: [prompt], system, strip: () => own, text: prompt.text, schema: null }
        const line = await provider.line(item.id, question)
        this.#reserved.set(item.id, reserved)
        items.push(item)
        lines.push(line)
        bytes += line.length + 1
      } catch (error) {
        stripOf = ""
        budget.cancel(reserved)
        this.#sink.release(clip, prompt, `no strip: ${messageOf(error)}`)
      }
    }
    return { items, lines }
  }

  async #submit(items: Item[], lines: string[]): Promise<void> {
    const { provider, signature, signal, reporter } = this.#options
    const state: State = { tag: randomUUID(), signature, fileId: null, batchId: null, items }
    await this.#states.save(state)
    const text = `${lines.join("\n")}\n`
    const fileId = await this.#retrying(() => provider.upload(text, `${state.tag}.jsonl`, signal))
    state.fileId = fileId
    await this.#states.save(state)
    state.batchId = await this.#retrying(() => provider.create(fileId, state.tag, signal))
    await this.#states.save(state)
    reporter.say(`  batch ${state.batchId} submitted: ${plural(items.length, "question")}`)
    this.#open.push(state)
  }

  /** @returns whether any batch has ended */
  async #pollAll(): Promise<boolean> {
    const { provider, signal } = this.#options
    let ended = false
    for (const state of [...this.#open]) {
      const { batchId } = state
      if (batchId === null) continue
      const progress = await this.#retrying(() => provider.poll(batchId, signal)).catch((error: unknown) => {
        throw isGone(error) ? this.#lost(state, error) : error
      })
      this.#report(batchId, progress)
      if (progress.state === "running" || this.#isLate(batchId, progress)) continue
      ended = true
      if (progress.state === "failed") await this.#refused(state, progress)
      else {
        const results: BatchResult[] = []
        for (const file of progress.files) if (file !== "") results.push(...(await this.#download(batchId, file)))
        const stop = this.#settle(state, results) ?? progress.stop
        await this.#states.forget(state)
        if (stop) throw stop
      }
      this.#open.splice(this.#open.indexOf(state), 1)
    }
    return ended
  }

  /** A batch that the server does not know may be another account's: asking again at once could pay for it twice. */
  #lost({ batchId, tag, items }: State, error: ProviderError): ProviderError {
    const text = `batch ${batchId} is not on the server: ${error.message}`
    const again = `${plural(items.length, "question is", "questions are")} asked again`
    const fix = `if it belongs to another account or server, give that key and base URL; otherwise delete ${this.#states.file(tag)}, and its ${again}`
    return new ProviderError("stop", text, { fix })
  }

  /** Whether a finished batch is worth another look, because its results are not there yet. */
  #isLate(batchId: string, { state, done, files }: BatchProgress): boolean {
    if (state !== "ended" || done === 0 || files.some((file) => file !== "")) return false
    const looks = (this.#looks.get(batchId) ?? 0) + 1
    this.#looks.set(batchId, looks)
    if (looks < MAX_LOOKS) return true
    this.#sink.notice(`batch ${batchId} has ended without a file of results: its questions are asked again`)
    return false
  }

  /** The results in a file. What is lost or damaged is told, and its questions are asked again. */
  async #download(batchId: string, file: string): Promise<BatchResult[]> {
    const { provider, signal } = this.#options
    let results: BatchResult[] = []
    for (let look = 0; look < MAX_LOOKS; look++) {
      if (look > 0) await pause(backOff(look), signal)
      try {
        results = await this.#retrying(() => provider.results(file, signal))
      } catch (error) {
        if (!isGone(error)) throw error
        this.#sink.notice(
          `batch ${batchId}: its results are not on the server (${error.message}); asking those questions again`,
        )
        return []
      }
      if (results.every(({ id }) => id !== "")) return results
    }
    const damaged = results.filter(({ id }) => id === "").length
    const lines = plural(damaged, "result is", "results are")
    this.#sink.notice(`batch ${batchId}: ${lines} damaged; asking those questions again`)
    return results
  }

  /** Reports a batch's progress when it has changed. */
  #report(batchId: string, { done, total, detail }: BatchProgress): void {
    const line = `${batchId}: ${detail}, ${done} of ${total}`
    if (this.#reported.get(batchId) === line) return
    this.#reported.set(batchId, line)
    this.#options.reporter.say(`  batch ${line}`)
  }

  /** The server has refused a whole batch. If too much was submitted at once, waiting helps; otherwise nothing does. */
  async #refused(state: State, { detail, stop }: BatchProgress): Promise<void> {
    await this.#states.forget(state)
    if (stop) throw stop
    if (!/token_limit_exceeded|enqueued/i.test(detail) || this.#open.length === 1) {
      const fix = "see the provider's documentation on the limits of batches"
      throw new ProviderError("stop", `the batch was refused: ${detail}`, { fix })
    }
    this.#maxOpen = Math.max(1, this.#open.length - 1)
    for (const item of state.items) this.#refund(item)
    this.#retries.push(...state.items)
  }

  /**
   * Stores the answers of a batch, and puts questions without one into a further batch.
   * @returns why no further request can succeed, where a result says so: its questions stay open
   */
  #settle(state: State, results: BatchResult[]): ProviderError | null {
    // a question may stand among the errors as well, of a try before
    const answersLast = results.toSorted((a, b) => Number(isAnswer(a)) - Number(isAnswer(b)))
    const outcomes = new Map(answersLast.map(({ id, outcome }) => [id, outcome]))
    let stop: ProviderError | null = null
    for (const item of state.items) {
      const outcome = outcomes.get(item.id)
      if (outcome && !(outcome instanceof ProviderError)) {
        this.#store(item, outcome)
        continue
      }
      this.#refund(item)
      if (outcome?.verdict === "stop") {
        stop ??= outcome
        this.#sink.release(item.clip, item.prompt, RUN_ENDED)
      } else if (outcome?.verdict === "rejected") {
        this.#rejected.push({ item, message: outcome.message })
      } else if (item.tries + 1 < MAX_TRIES) {
        if (outcome?.verdict === "adapted") this.#tell(outcome.message)
        this.#retries.push({ ...item, id: randomUUID(), tries: item.tries + 1 })
      } else {
        const reason = outcome?.message ?? `no answer in any of ${MAX_TRIES} batches`
        this.#sink.release(item.clip, item.prompt, reason)
      }
    }
    return stop ?? this.#keepRejections()
  }

  #store(item: Item, reply: Reply): void {
    const { budget, checks } = this.#options
    const { clip, prompt } = item
    const { inputTokens, outputTokens, adapted } = reply
    const { text, flags } = judgeReply(reply, prompt, checks)
    const cost = budget.pay(this.#reserved.get(item.id) ?? 0, inputTokens, outputTokens)
    this.#reserved.delete(item.id)
    this.#answered++
    this.#sink.store(clip, prompt, { text, flags, inputTokens, outputTokens, cost, together: false, adapted })
    const worthAsking = flags.length > 0 && item.tries === 0 && !flags.includes("reasoning without an answer")
    if (worthAsking) this.#retries.push({ ...item, id: randomUUID(), tries: 1 })
    else this.#sink.release(clip, prompt, null)
  }

  /** Rejections are stored as answers once another request has been answered; until then, the requests may be wrong. */
  #keepRejections(): ProviderError | null {
    const rejected = this.#rejected
    if (this.#answered === 0 && rejected.length < MAX_REJECTED) return null
    this.#rejected = []
    for (const { item, message } of rejected) {
      if (this.#answered > 0) this.#sink.store(item.clip, item.prompt, rejectedAnswer(message))
      this.#sink.release(item.clip, item.prompt, this.#answered > 0 ? null : RUN_ENDED)
    }
    return this.#answered > 0 ? null : allRejected(rejected.length, rejected[rejected.length - 1].message)
  }

  #tell(text: string): void {
    if (this.#told.has(text)) return
    this.#told.add(text)
    this.#sink.notice(text)
  }

  #refund({ id }: Item): void {
    const reserved = this.#reserved.get(id)
    if (reserved !== undefined) this.#options.budget.refund(reserved)
    this.#reserved.delete(id)
  }

  /** Calls the server, again while its failures may be temporary. */
  #retrying<T>(call: () => Promise<T>): Promise<T> {
    const wait = (error: unknown, attempt: number) => {
      if (!(error instanceof ProviderError) || (error.verdict !== "retry" && error.verdict !== "throttled")) return null
      const { retryAfter, message } = error
      if (retryAfter !== null && retryAfter > TOLD_PAUSE_MS) {
        this.#tell(`waiting ${formatSeconds(retryAfter / 1000)}, as the server asks: ${message}`)
      }
      return Math.max(retryAfter ?? 0, backOff(attempt, { jitter: () => 0.25 + 0.75 * Math.random() }))
    }
    return retry(call, { retries: MAX_RETRIES, wait, signal: this.#options.signal })
  }
}

const isAnswer = ({ outcome }: BatchResult) => !(outcome instanceof ProviderError)

/** Whether the server knows no such thing (any more). */
function isGone(error: unknown): error is ProviderError {
  return error instanceof ProviderError && (error.status === 404 || error.status === 410)
}
