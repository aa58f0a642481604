/** One run of `describe`: estimates, asks what is pending, and collects the answers. */

import { randomBytes } from "node:crypto"
import { setMaxListeners } from "node:events"
import { hostname } from "node:os"
import { plural, type Reporter, silent } from "@fourtier/core"
import { FourtierError, Rng } from "@fourtier/tensor"
import { hashJson } from "@fourtier/tensor/node"
import type { Division } from "../shards/job.ts"
import { markUsed } from "../util/cache-folders.ts"
import { runBatch } from "./batch.ts"
import { countBatchesAbout } from "./batch-state.ts"
import { Budget, type BudgetOptions } from "./budget.ts"
import { DescriptionCache, specId } from "./cache.ts"
import { CacheSink } from "./cache-sink.ts"
import { checksSchema } from "./check.ts"
import { FREE, listPrices, type Price, priceOf, requirePrice } from "./cost.ts"
import { askDivided } from "./divided.ts"
import { type Estimate, estimate } from "./estimate.ts"
import { Leases } from "./leases.ts"
import { type LiveOptions, runLive } from "./live.ts"
import type { DescribeOptions } from "./options.ts"
import { Plan } from "./plan.ts"
import { type DescribedClip, type LiveProvider, ProviderError, usesStrip } from "./provider.ts"
import { type DescribeReport, type FailedQuestion, summarise } from "./report.ts"
import { throttle } from "./strip.ts"

export class DescribeRun {
  readonly #options: DescribeOptions
  readonly #cache: DescriptionCache
  readonly #plan: Plan
  readonly #reporter: Reporter
  readonly #failed = new Map<string, FailedQuestion>()

  constructor(options: DescribeOptions) {
    this.#options = options
    this.#reporter = options.reporter ?? silent
    this.#cache = new DescriptionCache(options.cachePath, options.division && partName())
    this.#plan = new Plan(options, this.#cache)
  }

  close(): void {
    this.#cache.close()
  }

  /** Answers that the cache lacks. */
  pending(): number {
    return this.#plan.count().answers
  }

  async estimate(): Promise<Estimate> {
    const { provider, prompts, strips, ask = "separate" } = this.#options
    const jobs = [...this.#plan.pending()]
    const testClips = this.#plan.testedBefore().length
    return estimate(jobs, {
      testClips,
      provider,
      prompts,
      strips,
      ask,
      price: this.#price(),
      cache: this.#cache,
    })
  }

  async run(): Promise<DescribeReport> {
    await markUsed(this.#cache.path)
    const wanted = this.#plan.clips.length * this.#plan.prompts.length
    const pending = this.#plan.count().answers
    const withheld = this.#options.clips.length - this.#plan.clips.length
    if (withheld > 0) {
      const clips = plural(withheld, "clip is", "clips are")
      this.#reporter.say(`  ${clips} not described: held out for validation or testing, or not selected`)
    }
    this.#warnOfDamage()
    const older = this.#plan.older()
    if (older > 0) {
      const answers = plural(older, "answer was given about a strip", "answers were given about strips")
      this.#reporter.say(`  ${answers} of the video's full height, and used as they are`)
    }
    const budget = pending === 0 ? new Budget({ price: undefined, expected: 0 }) : await this.#ask(pending)
    const report: DescribeReport = {
      answers: new Map(),
      flagged: [],
      failed: [...this.#failed.values()],
      withheld,
      good: 0,
      cached: wanted - pending,
      requests: budget.answered,
      sent: budget.sent,
      spent: budget.price ? budget.spent : null,
      ended: budget.exhausted,
    }
    this.#collect(report)
    summarise(report, wanted, this.#options.provider, this.#reporter)
    return report
  }

  /** The price of the model; undefined where none is known, or nothing leaves this process. */
  #price(): Price | undefined {
    const { provider, budget, prices } = this.#options
    const table = { ...listPrices, ...prices }
    const batch = provider.mode === "batch"
    if (provider.destination === null) return undefined
    const known = priceOf(provider.model, table, batch) ?? (provider.local ? FREE : undefined)
    return budget === undefined || known ? known : requirePrice(provider.model, table, batch)
  }

  /** Asks everything that is pending, and waits for what other processes are asking. */
  async #ask(pending: number): Promise<Budget> {
    const { provider, budget: dollars, limit: requests, strips, stripWorkers = 2 } = this.#options
    const signal = AbortSignal.any(this.#options.signal ? [this.#options.signal] : [])
    setMaxListeners(0, signal)
    const price = this.#price()
    const expected = price && dollars !== undefined ? (await this.estimate()).costPerRequest : 0
    const limits = { price, dollars, requests, expected: expected ?? 0 }
    for (const spec of this.#plan.specs()) this.#cache.register(spec)
    await this.#announce()
    const strip = throttle(stripWorkers, (clip: DescribedClip) => strips.encode(clip))
    if (this.#options.division) return this.#askDivided(this.#options.division, limits, pending, strip, signal)
    const budget = new Budget(limits)
    const leases = await Leases.open(this.#cache.path)
    const task = this.#reporter.task("describe clips", pending, "answers")
    const parts = { plan: this.#plan, cache: this.#cache, leases, budget, provider, task, reporter: this.#reporter }
    try {
      for (;;) {
        const sink = new CacheSink({ ...parts, failed: this.#failed })
        await this.#askOnce(sink, budget, strip, signal)
        if (budget.exhausted || !(await sink.waitForOthers(signal))) break
      }
      task.done()
      return budget
    } catch (error) {
      task.done("stopped")
      throw error instanceof ProviderError ? this.#providerFailed(error) : error
    } finally {
      leases.close()
    }
  }

  /** Asks this worker's part of what is pending, and waits until all of it is answered, by whomever. */
  async #askDivided(
    division: Division,
    limits: BudgetOptions,
    pending: number,
    strip: (clip: DescribedClip) => Promise<Uint8Array>,
    signal: AbortSignal,
  ): Promise<Budget> {
    const { provider } = this.#options
    if (provider.mode === "batch") {
      throw new FourtierError({
        where: `provider ${provider.kind}`,
        what: "a batch is one order for all questions, and is not divided among workers",
        fix: "run it on one machine, with --shard none, or name a provider that answers at once",
      })
    }
    const task = this.#reporter.task("describe clips", pending, "answers")
    const parts = {
      plan: this.#plan,
      cache: this.#cache,
      provider,
      task,
      reporter: this.#reporter,
      failed: this.#failed,
    }
    try {
      const budget = await askDivided(parts, division, limits, signal, (jobs, live, sink) =>
        runLive(jobs, { ...this.#liveOptions(provider, strip, signal), ...live }, sink),
      )
      task.done()
      return budget
    } catch (error) {
      task.done("stopped")
      throw error instanceof ProviderError ? this.#providerFailed(error) : error
    }
  }

  #liveOptions(
    provider: LiveProvider,
    strip: (clip: DescribedClip) => Promise<Uint8Array>,
    signal: AbortSignal,
  ): Omit<LiveOptions, "budget"> {
    const { prompts, checks = {}, retries = 8, backoff = 500, seed = process.pid, grace = 30_000 } = this.#options
    const ask = usesStrip(provider) ? (this.#options.ask ?? "separate") : "separate"
    const common = { system: prompts.system, strip, checks: checksSchema.parse(checks), signal }
    return { ...common, provider, ask, retries, backoff, grace, rng: new Rng(seed) }
  }

  /** Asks what is pending and not being asked elsewhere. */
  async #askOnce(
    sink: CacheSink,
    budget: Budget,
    strip: (clip: DescribedClip) => Promise<Uint8Array>,
    signal: AbortSignal,
  ): Promise<void> {
    const { provider, prompts, checks = {} } = this.#options
    const common = { system: prompts.system, strip, checks: checksSchema.parse(checks), budget, signal }
    const pending = this.#plan.pending()
    if (provider.mode === "batch") {
      const signature = hashJson(this.#plan.specs().map(specId))
      const own = { provider, folder: this.#batchFolder(), signature, hashes: this.#hashes(), reporter: this.#reporter }
      await runBatch(pending, { ...common, ...own }, sink)
    } else {
      await runLive(pending, { ...this.#liveOptions(provider, strip, signal), budget }, sink)
    }
  }

  #hashes(): ReadonlySet<string> {
    return new Set(this.#plan.clips.map(({ hash }) => hash))
  }

  #batchFolder(): string {
    return `${this.#cache.path}.batches`
  }

  #warnOfDamage(): void {
    const { damaged, path } = this.#cache
    if (damaged > 0) {
      const lines = plural(damaged, "damaged line is", "damaged lines are")
      this.#reporter.warn(`${path}: ${lines} skipped; what they answered is asked again`)
    }
  }

  /** Says where images are sent, before the first request; and warns of batches that a live run would pay for twice. */
  async #announce(): Promise<void> {
    const { provider } = this.#options
    if (provider.destination !== null) {
      const clips = plural(this.#plan.count().clips, "clip")
      this.#reporter.say(`  sending key frames of ${clips} to ${provider.destination}, model ${provider.model}`)
    }
    if (provider.doubt) this.#reporter.warn(provider.doubt)
    const tested = provider.kind === "replay" ? [] : this.#plan.testedBefore()
    if (tested.length > 0) {
      const [{ relative }] = tested
      const some = plural(
        tested.length,
        "of these clips is or was a test clip",
        "of these clips are or were test clips",
      )
      this.#reporter.warn(`${some}, such as ${relative}: nothing that learns from these answers may be tested on them`)
    }
    const batches = provider.mode === "live" ? await countBatchesAbout(this.#batchFolder(), this.#hashes()) : 0
    if (batches > 0) {
      const running = plural(batches, "batch is", "batches are")
      this.#reporter.warn(`${running} still in progress: fetch their answers with openai-batch, or pay for them twice`)
    }
  }

  #collect(report: DescribeReport): void {
    const collect = this.#options.collect ?? true
    for (const clip of this.#plan.clips) {
      for (const prompt of this.#plan.prompts) {
        const key = this.#plan.key(clip, prompt)
        const state = this.#cache.state(key)
        if (state === "good") report.good++
        if (state === undefined || (state === "good" && !collect)) continue
        const answer = this.#cache.read(key)
        if (!answer) continue
        const lost = answer.answer === "" ? ["reasoning without an answer"] : []
        if (state === "flagged" || lost.length > 0) {
          const { flags = lost } = answer
          report.flagged.push({ clip: clip.id, prompt: prompt.id, answer: answer.answer, flags })
        } else {
          const texts = report.answers.get(clip.id) ?? {}
          texts[prompt.id] = answer.answer
          report.answers.set(clip.id, texts)
        }
      }
    }
  }

  #providerFailed(error: ProviderError): FourtierError {
    const { size, path } = this.#cache
    return new FourtierError(
      {
        where: `provider ${this.#options.provider.kind}`,
        what: error.message,
        ...(error.fix ? { fix: error.fix } : {}),
        ...(size > 0 ? { found: `${plural(size, "answer")} so far, kept in ${path}` } : {}),
      },
      { cause: error },
    )
  }
}

/** A name that no other process has, for the file that this one writes. */
const partName = () => `${hostname().replaceAll(/[^\w.-]+/g, "-")}-${process.pid}-${randomBytes(4).toString("hex")}`
