/**
 * Asking by several processes or machines: each asks about the blocks of clips that it takes, or about its own part. Budget, limit on
 * requests and the provider's number of requests at once hold for all of them together.
 */

import { plural } from "@fourtier/core"
import { type Block, type Division, Job as SharedJob } from "../shards/job.ts"
import { LEDGER, Ledger } from "../shards/ledger.ts"
import { pause } from "../util/back-off.ts"
import { type AnswerSink, type Job, type ReceivedAnswer, RUN_ENDED } from "./answer-sink.ts"
import { Budget, type BudgetOptions } from "./budget.ts"
import { CacheSink, type CacheSinkParts, type QuestionLeases } from "./cache-sink.ts"
import type { LiveOptions } from "./live.ts"
import type { Prompt } from "./prompts.ts"
import type { DescribedClip, LiveProvider } from "./provider.ts"

type Parts = Omit<CacheSinkParts, "leases" | "budget"> & { provider: LiveProvider }
type Ask = (jobs: AsyncIterable<Job>, live: Pick<LiveOptions, "budget" | "onShare">, sink: AnswerSink) => Promise<void>

/** A block is leased as a whole, and so are its questions. */
const LEASED: QuestionLeases = { acquire: () => true, release: () => undefined, holder: () => undefined }

/** @returns what has been spent here */
export async function askDivided(
  parts: Parts,
  division: Division,
  limits: BudgetOptions,
  signal: AbortSignal,
  ask: Ask,
): Promise<Budget> {
  const { plan, reporter, provider } = parts
  const clips = [...new Map(plan.clips.map((clip) => [clip.hash, clip])).values()]
  const open = (clip: DescribedClip) => plan.prompts.filter((prompt) => plan.isPending(plan.key(clip, prompt)))
  const job = await SharedJob.open({
    division,
    kind: "answers",
    title: `answers of ${provider.model} to ${plural(plan.prompts.length, "prompt")} a clip`,
    unit: "clips",
    spec: plan.specs(),
    items: clips.map(({ hash }) => hash),
    nameOf: (item) => clips[item].relative,
    isThere: (item) => open(clips[item]).length === 0,
  })
  const { dollars, requests } = limits
  const ledger = new Ledger(await job.folder.within(LEDGER).make(), job.worker, { dollars, requests })
  const budget = new Budget({ ...limits, grants: ledger })
  const run = new DividedRun(parts, job, clips, budget)
  const shares = shareRequests(job, provider.concurrency.max)
  await job
    .during(async () => {
      for (;;) {
        await ask(run.jobs(shares.admits), { budget, onShare: shares.onShare }, run)
        if (budget.exhausted || !(await job.wait(signal))) break
      }
    }, signal)
    .finally(async () => {
      shares.stop()
      await budget.settle()
    })
  parts.cache.refresh(true)
  if (budget.exhausted) reporter.say("  budget and limit hold for all workers of this piece of work together")
  return budget
}

/** Milliseconds between two counts of the workers. */
const COUNTING_MS = 5000

/** Tells this worker its share of the requests that may be in progress at once. Where there are fewer than workers, some have none. */
function shareRequests(job: SharedJob, most: number) {
  let share = Number.POSITIVE_INFINITY
  let tell: (most: number) => void = () => undefined
  const count = async () => {
    const { rank, count: workers } = await job.rank()
    share = Math.floor(most / workers) + (rank < most % workers ? 1 : 0)
    tell(share)
  }
  const counted = count().catch(() => undefined)
  const timer = setInterval(() => void count().catch(() => undefined), COUNTING_MS).unref()
  return {
    onShare: (to: (most: number) => void) => {
      tell = to
      to(share)
    },
    /** Waits until this worker may ask at all. */
    admits: async (): Promise<void> => {
      await counted
      while (share === 0) await pause(COUNTING_MS / 5)
    },
    stop: () => clearInterval(timer),
  }
}

/** A block whose questions are being asked. */
interface Begun {
  block: Block
  /** Open questions of each clip of the block. */
  left: Map<number, number>
  /** Whether a question was left open by the end of the run. */
  isBroken: boolean
}

class DividedRun implements AnswerSink {
  readonly #parts: Parts
  readonly #job: SharedJob
  readonly #clips: readonly DescribedClip[]
  readonly #inner: CacheSink
  readonly #budget: Budget
  readonly #begun = new Map<string, { begun: Begun; item: number }>()
  /** What is written when blocks end. */
  #writing: Promise<void> = Promise.resolve()

  constructor(parts: Parts, job: SharedJob, clips: readonly DescribedClip[], budget: Budget) {
    this.#parts = parts
    this.#job = job
    this.#clips = clips
    this.#budget = budget
    this.#inner = new CacheSink({ ...parts, leases: LEASED, budget })
  }

  /** What is to be asked about the blocks that are free now. */
  async *jobs(admits: () => Promise<void>): AsyncGenerator<Job> {
    const { plan, cache } = this.#parts
    for (;;) {
      await admits()
      if (this.#budget.exhausted) return
      const block = await this.#job.take()
      if (block === null) break
      // somebody may have answered some of it before, and been killed
      if (block.isTakenOver) cache.refresh(true)
      const begun: Begun = { block, left: new Map(), isBroken: false }
      const jobs: Job[] = []
      for (const item of block.items) {
        const clip = this.#clips[item]
        const prompts = plan.prompts.filter((prompt) => plan.isPending(plan.key(clip, prompt)))
        if (prompts.length === 0) await block.tick(item)
        else {
          begun.left.set(item, prompts.length)
          this.#begun.set(clip.hash, { begun, item })
          jobs.push({ clip, prompts })
        }
      }
      if (jobs.length === 0) await block.finish()
      for (const job of jobs) {
        if (!begun.isBroken && !(await block.isMine())) begun.isBroken = true
        if (!begun.isBroken) yield job
      }
    }
    await this.#writing
  }

  acquire(clip: DescribedClip, prompt: Prompt): boolean {
    if (this.#inner.acquire(clip, prompt)) return true
    this.#settle(clip, null)
    return false
  }

  store(clip: DescribedClip, prompt: Prompt, answer: ReceivedAnswer): void {
    this.#inner.store(clip, prompt, answer)
  }

  release(clip: DescribedClip, prompt: Prompt, failure: string | null): void {
    this.#inner.release(clip, prompt, failure)
    this.#settle(clip, failure === null || failure === RUN_ENDED ? failure : `prompt ${prompt.id}: ${failure}`)
  }

  notice(text: string): void {
    this.#inner.notice(text)
  }

  /** Counts a question; the last one of a clip counts the clip, the last one of a block ends it. */
  #settle(clip: DescribedClip, failure: string | null): void {
    const known = this.#begun.get(clip.hash)
    if (!known) return
    const { begun, item } = known
    if (failure === RUN_ENDED) begun.isBroken = true
    if (begun.isBroken) return
    const left = (begun.left.get(item) ?? 0) - 1
    begun.left.set(item, left)
    this.#write(() => (failure !== null ? begun.block.tick(item, failure) : Promise.resolve()))
    if (left > 0) return
    begun.left.delete(item)
    this.#begun.delete(clip.hash)
    this.#write(() => begun.block.tick(item))
    if (begun.left.size > 0) return
    this.#write(async () => {
      this.#parts.cache.sync()
      await begun.block.finish()
    })
  }

  #write(work: () => Promise<void>): void {
    this.#writing = this.#writing.then(work)
    this.#writing.catch(() => undefined)
  }
}
