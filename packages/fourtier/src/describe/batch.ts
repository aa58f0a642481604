/**
 * Questions that are answered within hours, for half the price: upload many as one file, come back later.
 *
 *   questions ── file ── upload ── create ── poll ── results ──┬── answers: kept
 *      ▲                                                       └── failed or missing lines ──┐
 *      └─────────────────────────────────────────────────────────────────────────────────────┘
 *
 * Each batch under way has a small file beside the cache that says how far it has come, so a run that was stopped at any
 * point goes on from there: what was uploaded is not uploaded again, what was paid is fetched.
 */

import { randomUUID } from "node:crypto"
import { mkdir, readdir, rm } from "node:fs/promises"
import { join } from "node:path"
import { plural, type Reporter } from "@fourtier/core"
import { readJson, writeFileAtomic } from "@fourtier/tensor/node"
import { z } from "zod"
import { type Checks, checkAnswer } from "./check.ts"
import { backoff, pauseFor } from "./concurrency-limiter.ts"
import type { Purse } from "./cost.ts"
import { type Desk, type Job, OVERTAKEN } from "./live.ts"
import type { Prompt } from "./prompts.ts"
import { type BatchLine, type BatchProvider, type BatchState, type DescribedClip, ProviderError } from "./provider.ts"

export interface BatchOptions {
  provider: BatchProvider
  system: string | null
  strip: (clip: DescribedClip) => Promise<Uint8Array>
  checks: Checks
  purse: Purse
  /** Folder of the state files. */
  folder: string
  /** Stands for everything but the clip that decides a key: a batch is taken up again only by a run with the same. */
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
  /** Times asked before. */
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

/** A line that failed this often is given up. */
const MOST_TRIES = 3

/** Tags of the batches under way beside a cache, whatever run they belong to. */
export async function openBatches(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => [])
  return names.filter((name) => name.endsWith(".json")).map((name) => name.slice(0, -".json".length))
}

/** @throws ProviderError when going on is pointless; the signal's reason when aborted. Batches under way stay so. */
export async function runBatch(jobs: Iterable<Job>, options: BatchOptions, desk: Desk): Promise<void> {
  await mkdir(options.folder, { recursive: true })
  await new BatchRun(options, desk).all(jobs)
}

class BatchRun {
  readonly #options: BatchOptions
  readonly #desk: Desk
  readonly #open: State[] = []
  readonly #again: Item[] = []
  #mostOpen: number
  readonly #told = new Map<string, string>()

  constructor(options: BatchOptions, desk: Desk) {
    this.#options = options
    this.#desk = desk
    this.#mostOpen = options.provider.limits.open
  }

  async all(jobs: Iterable<Job>): Promise<void> {
    const { provider, signal } = this.#options
    await this.#resume()
    const fresh = this.#fresh(jobs)
    let more = true
    for (;;) {
      while (this.#open.length < this.#mostOpen && (more || this.#again.length > 0)) {
        const chunk = await this.#chunk(fresh)
        if (chunk.items.length === 0) {
          more = false
          break
        }
        await this.#submit(chunk.items, chunk.lines)
      }
      if (this.#open.length === 0) return
      if (!(await this.#pollAll())) await pauseFor(provider.limits.pollSeconds * 1000, signal)
    }
  }

  /** Takes up the batches that an earlier run left. */
  async #resume(): Promise<void> {
    const { provider, signature, reporter } = this.#options
    for (const tag of await openBatches(this.#options.folder)) {
      const state = stateSchema.parse(await readJson(this.#file(tag)))
      if (state.signature !== signature) {
        reporter.warn(
          `batch ${state.batchId ?? tag} belongs to other prompts, model or settings; run with those to fetch its answers`,
        )
        continue
      }
      state.items = state.items.filter(({ clip, prompt }) => this.#desk.take(clip, prompt))
      if (state.items.length === 0) continue
      if (state.fileId === null) {
        this.#again.push(...state.items)
        await this.#forget(state)
        continue
      }
      if (state.batchId === null) {
        const { fileId } = state
        state.batchId =
          (await this.#patiently(() => provider.find(state.tag, this.#options.signal))) ??
          (await this.#patiently(() => provider.create(fileId, state.tag, this.#options.signal)))
        await this.#save(state)
      }
      reporter.say(`  batch ${state.batchId} taken up again: ${plural(state.items.length, "question")}`)
      this.#open.push(state)
    }
  }

  *#fresh(jobs: Iterable<Job>): Generator<Item> {
    for (const { clip, prompts } of jobs) {
      for (const prompt of prompts) {
        if (this.#options.purse.empty) return
        if (this.#desk.take(clip, prompt)) yield { id: randomUUID(), clip: clipSchema.parse(clip), prompt, tries: 0 }
      }
    }
  }

  /** The next file's questions, within the provider's limits on a file. */
  async #chunk(fresh: Generator<Item>): Promise<{ items: Item[]; lines: string[] }> {
    const { provider, purse, system, strip } = this.#options
    const items: Item[] = []
    const lines: string[] = []
    let bytes = 0
    let held = ""
    let image: Promise<Uint8Array> = Promise.resolve(new Uint8Array())
    while (items.length < provider.limits.requests && bytes < provider.limits.bytes) {
      const item = this.#again.shift() ?? fresh.next().value
      if (item === undefined) break
      const { clip, prompt } = item
      if (purse.reserve() === null) {
        this.#desk.end(clip, prompt, OVERTAKEN)
        break
      }
      try {
        if (held !== clip.id) image = strip(clip)
        held = clip.id
        const mine = image
        const question = { clip, prompts: [prompt], system, strip: () => mine, text: prompt.text, schema: null }
        const line = await provider.line(item.id, question)
        items.push(item)
        lines.push(line)
        bytes += line.length + 1
      } catch (error) {
        held = ""
        this.#desk.end(clip, prompt, `no strip: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
    return { items, lines }
  }

  async #submit(items: Item[], lines: string[]): Promise<void> {
    const { provider, signature, signal, reporter } = this.#options
    const state: State = { tag: randomUUID(), signature, fileId: null, batchId: null, items }
    await this.#save(state)
    const text = `${lines.join("\n")}\n`
    const fileId = await this.#patiently(() => provider.upload(text, `${state.tag}.jsonl`, signal))
    state.fileId = fileId
    await this.#save(state)
    state.batchId = await this.#patiently(() => provider.create(fileId, state.tag, signal))
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
      const now = await this.#patiently(() => provider.poll(batchId, signal))
      this.#tell(batchId, now)
      if (now.state === "running") continue
      ended = true
      if (now.state === "failed") await this.#failed(state, now.detail)
      else {
        const lines: BatchLine[] = []
        for (const file of now.files) lines.push(...(await this.#patiently(() => provider.results(file, signal))))
        this.#settle(state, lines)
        await this.#forget(state)
      }
      this.#open.splice(this.#open.indexOf(state), 1)
    }
    return ended
  }

  /** Says how far a batch has come, when that has changed. */
  #tell(batchId: string, { done, total, detail }: BatchState): void {
    const news = `${batchId}: ${detail}, ${done} of ${total}`
    if (this.#told.get(batchId) === news) return
    this.#told.set(batchId, news)
    this.#options.reporter.say(`  batch ${news}`)
  }

  /** The server refused a whole batch. Too much at once heals by waiting; anything else does not. */
  async #failed(state: State, detail: string): Promise<void> {
    await this.#forget(state)
    if (!/token_limit_exceeded|enqueued/i.test(detail) || this.#open.length === 1) {
      throw new ProviderError("stop", `the batch was refused: ${detail}`, {
        fix: "see the provider's page on batch limits",
      })
    }
    this.#mostOpen = Math.max(1, this.#open.length - 1)
    this.#again.push(...state.items)
  }

  /** Keeps the answers of a batch and queues what has none. */
  #settle(state: State, lines: BatchLine[]): void {
    const outcomes = new Map(lines.map(({ id, outcome }) => [id, outcome]))
    for (const item of state.items) {
      const { clip, prompt } = item
      const outcome = outcomes.get(item.id)
      if (outcome && !(outcome instanceof ProviderError)) {
        const flags: string[] = checkAnswer(outcome.text, outcome.finish, prompt, this.#options.checks)
        const { text, inputTokens, outputTokens } = outcome
        const cost = this.#options.purse.pay(0, inputTokens, outputTokens)
        this.#desk.keep(clip, prompt, { text, flags, inputTokens, outputTokens, cost, together: false })
        if (flags.length > 0 && item.tries === 0) this.#again.push({ ...item, id: randomUUID(), tries: 1 })
        else this.#desk.end(clip, prompt, null)
      } else if (outcome?.verdict === "rejected") {
        this.#reject(clip, prompt, outcome.message)
      } else if (item.tries + 1 < MOST_TRIES) {
        this.#again.push({ ...item, id: randomUUID(), tries: item.tries + 1 })
      } else this.#desk.end(clip, prompt, outcome?.message ?? "no answer in any of three batches")
    }
  }

  #reject(clip: DescribedClip, prompt: Prompt, reason: string): void {
    const nothing = { text: "", inputTokens: null, outputTokens: null, cost: undefined, together: false }
    this.#desk.keep(clip, prompt, { ...nothing, flags: [`rejected: ${reason}`] })
    this.#desk.end(clip, prompt, null)
  }

  /** Calls the server again while its failures may heal. */
  async #patiently<T>(call: () => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await call()
      } catch (error) {
        const heals = error instanceof ProviderError && (error.verdict === "retry" || error.verdict === "throttled")
        if (!heals || attempt >= 8) throw error
        await pauseFor(error.retryAfter ?? backoff(attempt, Math.random), this.#options.signal)
      }
    }
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
