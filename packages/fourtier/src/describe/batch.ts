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
import { mkdir, readdir, rm } from "node:fs/promises"
import { join } from "node:path"
import { plural, type Reporter } from "@fourtier/core"
import { messageOf } from "@fourtier/tensor"
import { readJson, writeFileAtomic } from "@fourtier/tensor/node"
import { z } from "zod"
import { backOff, pause, retry } from "../util/back-off.ts"
import { type AnswerSink, type Job, RUN_ENDED, rejectedAnswer } from "./answer-sink.ts"
import type { Budget } from "./budget.ts"
import { type Checks, checkAnswer } from "./check.ts"
import {
  type BatchProgress,
  type BatchProvider,
  type BatchResult,
  type DescribedClip,
  ProviderError,
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
  reporter: Reporter
  signal: AbortSignal
}

const clipSchema = z.object({
  id: z.string(),
  path: z.string(),
  relative: z.string(),
  hash: z.string(),
  label: z.string().nullable(),
  split: z.string().nullable(),
  start: z.number().nullable(),
  end: z.number().nullable(),
  frames: z.number(),
  fps: z.number(),
  width: z.number(),
  height: z.number(),
})

const itemSchema = z.object({
  id: z.string(),
  clip: clipSchema,
  prompt: z.object({ id: z.string(), text: z.string() }),
  /** Attempts so far. */
  tries: z.number(),
})

const stateSchema = z.object({
  tag: z.string(),
  signature: z.string(),
  fileId: z.string().nullable(),
  batchId: z.string().nullable(),
  items: z.array(itemSchema),
})

type Item = z.infer<typeof itemSchema>
type State = z.infer<typeof stateSchema>

/** A question that has failed this often is given up. */
const MAX_TRIES = 3

/** Retries of a call to the server. */
const MAX_RETRIES = 8

/** Tags of the batches in progress beside a cache, whatever run they belong to. */
export async function openBatches(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => [])
  return names.filter((name) => name.endsWith(".json")).map((name) => name.slice(0, -".json".length))
}

/** @throws ProviderError `stop` when no batch can succeed; the signal's reason when aborted. A later run resumes them. */
export async function runBatch(jobs: Iterable<Job>, options: BatchOptions, sink: AnswerSink): Promise<void> {
  await mkdir(options.folder, { recursive: true })
  await new BatchRun(options, sink).run(jobs)
}

class BatchRun {
  readonly #options: BatchOptions
  readonly #sink: AnswerSink
  readonly #open: State[] = []
  readonly #retries: Item[] = []
  /** What the budget has reserved, by item. */
  readonly #reserved = new Map<string, number>()
  #maxOpen: number
  readonly #reported = new Map<string, string>()

  constructor(options: BatchOptions, sink: AnswerSink) {
    this.#options = options
    this.#sink = sink
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
      if (this.#open.length === 0) return
      if (!(await this.#pollAll())) await pause(provider.limits.pollSeconds * 1000, signal)
    }
  }

  /** Continues the batches of an earlier run. */
  async #resume(): Promise<void> {
    const { provider, signature, reporter, signal } = this.#options
    for (const tag of await openBatches(this.#options.folder)) {
      const state = stateSchema.parse(await readJson(this.#file(tag)))
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
        await this.#forget(state)
        continue
      }
      if (state.batchId === null) {
        state.batchId =
          (await this.#retrying(() => provider.find(state.tag, signal))) ??
          (await this.#retrying(() => provider.create(fileId, state.tag, signal)))
        await this.#save(state)
      }
      reporter.say(`  batch ${state.batchId} resumed: ${plural(state.items.length, "question")}`)
      this.#open.push(state)
    }
  }

  *#fresh(jobs: Iterable<Job>): Generator<Item> {
    for (const { clip, prompts } of jobs) {
      for (const prompt of prompts) {
        if (this.#options.budget.exhausted) return
        if (this.#sink.acquire(clip, prompt)) yield { id: randomUUID(), clip: clipSchema.parse(clip), prompt, tries: 0 }
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
      const reserved = budget.reserve()
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
        budget.refund(reserved)
        this.#sink.release(clip, prompt, `no strip: ${messageOf(error)}`)
      }
    }
    return { items, lines }
  }

  async #submit(items: Item[], lines: string[]): Promise<void> {
    const { provider, signature, signal, reporter } = this.#options
    const state: State = { tag: randomUUID(), signature, fileId: null, batchId: null, items }
    await this.#save(state)
    const text = `${lines.join("\n")}\n`
    const fileId = await this.#retrying(() => provider.upload(text, `${state.tag}.jsonl`, signal))
    state.fileId = fileId
    await this.#save(state)
    state.batchId = await this.#retrying(() => provider.create(fileId, state.tag, signal))
    await this.#save(state)
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
      const progress = await this.#retrying(() => provider.poll(batchId, signal))
      this.#report(batchId, progress)
      if (progress.state === "running") continue
      ended = true
      if (progress.state === "failed") await this.#refused(state, progress.detail)
      else {
        const results: BatchResult[] = []
        for (const file of progress.files) results.push(...(await this.#retrying(() => provider.results(file, signal))))
        this.#settle(state, results)
        await this.#forget(state)
      }
      this.#open.splice(this.#open.indexOf(state), 1)
    }
    return ended
  }

  /** Reports a batch's progress when it has changed. */
  #report(batchId: string, { done, total, detail }: BatchProgress): void {
    const line = `${batchId}: ${detail}, ${done} of ${total}`
    if (this.#reported.get(batchId) === line) return
    this.#reported.set(batchId, line)
    this.#options.reporter.say(`  batch ${line}`)
  }

  /** The server has refused a whole batch. If too much was submitted at once, waiting helps; otherwise nothing does. */
  async #refused(state: State, detail: string): Promise<void> {
    await this.#forget(state)
    if (!/token_limit_exceeded|enqueued/i.test(detail) || this.#open.length === 1) {
      const fix = "see the provider's documentation on the limits of batches"
      throw new ProviderError("stop", `the batch was refused: ${detail}`, { fix })
    }
    this.#maxOpen = Math.max(1, this.#open.length - 1)
    for (const item of state.items) this.#refund(item)
    this.#retries.push(...state.items)
  }

  /** Stores the answers of a batch, and puts questions without one into a further batch. */
  #settle(state: State, results: BatchResult[]): void {
    const { budget, checks } = this.#options
    const outcomes = new Map(results.map(({ id, outcome }) => [id, outcome]))
    for (const item of state.items) {
      const { clip, prompt } = item
      const outcome = outcomes.get(item.id)
      if (outcome && !(outcome instanceof ProviderError)) {
        const { text, inputTokens, outputTokens } = outcome
        const flags = checkAnswer(text, outcome.finish, prompt, checks)
        const cost = budget.pay(this.#reserved.get(item.id) ?? 0, inputTokens, outputTokens)
        this.#reserved.delete(item.id)
        this.#sink.store(clip, prompt, { text, flags, inputTokens, outputTokens, cost, together: false })
        if (flags.length > 0 && item.tries === 0) this.#retries.push({ ...item, id: randomUUID(), tries: 1 })
        else this.#sink.release(clip, prompt, null)
        continue
      }
      this.#refund(item)
      if (outcome?.verdict === "rejected") {
        this.#sink.store(clip, prompt, rejectedAnswer(outcome.message))
        this.#sink.release(clip, prompt, null)
      } else if (item.tries + 1 < MAX_TRIES) {
        this.#retries.push({ ...item, id: randomUUID(), tries: item.tries + 1 })
      } else {
        this.#sink.release(clip, prompt, outcome?.message ?? `no answer in any of ${MAX_TRIES} batches`)
      }
    }
  }

  #refund({ id }: Item): void {
    const reserved = this.#reserved.get(id)
    if (reserved !== undefined) this.#options.budget.refund(reserved)
    this.#reserved.delete(id)
  }

  /** Calls the server, again while its failures may be temporary. */
  #retrying<T>(call: () => Promise<T>): Promise<T> {
    const wait = (error: unknown, attempt: number) => {
      const temporary = error instanceof ProviderError && (error.verdict === "retry" || error.verdict === "throttled")
      return temporary ? (error.retryAfter ?? backOff(attempt)) : null
    }
    return retry(call, { retries: MAX_RETRIES, wait, signal: this.#options.signal })
  }

  #file(tag: string): string {
    return join(this.#options.folder, `${tag}.json`)
  }

  async #save(state: State): Promise<void> {
    await writeFileAtomic(this.#file(state.tag), `${JSON.stringify(state)}\n`)
  }

  async #forget(state: State): Promise<void> {
    await rm(this.#file(state.tag), { force: true })
  }
}
