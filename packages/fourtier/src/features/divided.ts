/** Extraction by several processes or machines: each encodes the blocks that it takes, or its own part. */

import { plural } from "@fourtier/core"
import { type ViewRecipe, viewCount } from "@fourtier/core/frames"
import type { FourtierError } from "@fourtier/tensor"
import { type Block, type Division, Job } from "../shards/job.ts"
import type { Clip } from "../video/manifest.ts"
import { type EncodeOptions, EncodeStage, missingJobs, sayWork, type ViewJob } from "./encode-stage.ts"
import type { FeatureStore } from "./store.ts"

interface Failure {
  clip: Clip
  error: FourtierError
}

/** A block whose clips are under way. */
interface Begun {
  block: Block
  /** Jobs of each item that are not done. */
  left: Map<number, number>
}

/** Jobs that wait for a decoder: when fewer do, the next block is taken. */
const AHEAD = 8

/**
 * Encodes what this process gets to do of the clips, and returns when all clips are done, by whomever; with a part of its own, when that
 * is done. A clip that cannot be decoded is noted in the job, and does not end the work.
 * @param clips each content once
 */
export async function extractDivided(
  clips: readonly Clip[],
  store: FeatureStore,
  options: EncodeOptions & { recipe: ViewRecipe },
  division: Division,
): Promise<Failure[]> {
  const { encoder, recipe, reporter, signal } = options
  const isThere = (item: number) => missingJobs(clips[item], recipe, store).length === 0
  const job = await Job.open({
    division,
    kind: "features",
    title: `features of ${encoder.name}, ${plural(viewCount(recipe), "view")} a clip`,
    unit: "clips",
    spec: [store.id, viewCount(recipe)],
    items: clips.map(({ hash }) => hash),
    nameOf: (item) => clips[item].relative,
    isThere,
  })
  const run = new DividedRun(clips, store, options, job)
  try {
    await job.during(() => run.run(), signal)
  } finally {
    await run.close()
  }
  await store.refresh()
  reporter.say(`  ${plural(run.encoded, "clip")} encoded here; ${store.count} records in the store`)
  return run.failed
}

class DividedRun {
  readonly failed: Failure[] = []
  encoded = 0
  readonly #clips: readonly Clip[]
  readonly #store: FeatureStore
  readonly #options: EncodeOptions & { recipe: ViewRecipe }
  readonly #job: Job
  readonly #queue: ViewJob[] = []
  readonly #begun = new Map<ViewJob, { begun: Begun; item: number }>()
  readonly #lost = new Set<Begun>()
  #stage: EncodeStage | null = null
  /** Items that others have done, as far as they have been counted. */
  #elsewhere = 0

  constructor(clips: readonly Clip[], store: FeatureStore, options: EncodeOptions & { recipe: ViewRecipe }, job: Job) {
    this.#clips = clips
    this.#store = store
    this.#options = options
    this.#job = job
  }

  async run(): Promise<void> {
    const { signal } = this.#options
    for await (const block of this.#job.all(signal)) {
      await this.#begin(block)
      if (this.#queue.length === 0) continue
      const stage = await this.#open()
      await stage.encode(this.#jobs(), {
        view: (job) => this.#isWanted(job),
        encoded: async (job) => {
          await this.#settle(job)
          await this.#topUp()
        },
        failed: async (job, error) => {
          if (this.failed.at(-1)?.clip.id !== job.clip.id) this.failed.push({ clip: job.clip, error })
          await this.#settle(job, error.message)
          await this.#topUp()
        },
      })
    }
    this.#countOthers()
    this.#stage?.done()
  }

  async close(): Promise<void> {
    await this.#stage?.close()
  }

  async #open(): Promise<EncodeStage> {
    if (this.#stage) return this.#stage
    const { recipe, reporter } = this.#options
    const views = this.#job.size * viewCount(recipe)
    sayWork(views, this.#store, reporter)
    this.#stage = await EncodeStage.open(this.#store, views, this.#options)
    return this.#stage
  }

  *#jobs(): Generator<ViewJob> {
    for (let job = this.#queue.shift(); job; job = this.#queue.shift()) yield job
  }

  /** Keeps decoders busy across blocks. */
  async #topUp(): Promise<void> {
    if (this.#queue.length >= (this.#options.workers ?? AHEAD)) return
    const block = await this.#job.take()
    if (block) await this.#begin(block)
  }

  /** Counts what others have done. */
  #countOthers(): void {
    const done = this.#job.doneElsewhere
    this.#stage?.skip((done - this.#elsewhere) * viewCount(this.#options.recipe))
    if (this.#stage) this.#elsewhere = done
  }

  async #begin(block: Block): Promise<void> {
    this.#countOthers()
    // somebody may have stored some of it before, and been killed
    if (block.isTakenOver) await this.#store.refresh()
    const begun: Begun = { block, left: new Map() }
    for (const item of block.items) {
      const jobs = missingJobs(this.#clips[item], this.#options.recipe, this.#store)
      if (jobs.length === 0) await block.tick(item)
      else begun.left.set(item, jobs.length)
      for (const job of jobs) {
        this.#begun.set(job, { begun, item })
        this.#queue.push(job)
      }
    }
    if (begun.left.size === 0) await block.finish()
  }

  async #isWanted(job: ViewJob): Promise<boolean> {
    const begun = this.#begun.get(job)?.begun
    if (!begun || this.#lost.has(begun)) return false
    if (await begun.block.isMine()) return true
    this.#lost.add(begun)
    return false
  }

  /** Counts a job, and makes its block last when it was the last one. */
  async #settle(job: ViewJob, failure?: string): Promise<void> {
    const known = this.#begun.get(job)
    this.#begun.delete(job)
    if (!known || this.#lost.has(known.begun)) return
    const { begun, item } = known
    const left = (begun.left.get(item) ?? 0) - 1
    if (failure !== undefined) await begun.block.tick(item, failure)
    if (left > 0) {
      begun.left.set(item, left)
      return
    }
    begun.left.delete(item)
    if (failure === undefined) this.encoded++
    await begun.block.tick(item)
    if (begun.left.size > 0) return
    await this.#stage?.flush()
    await begun.block.finish()
  }
}
