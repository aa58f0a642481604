/**
 * One piece of work that several workers share: the same list of items for all, cut into blocks.
 *
 * ```
 * <work>/<job>/job.json                what it is: kind, items, block size
 *              workers/<id>.json       a heartbeat and report of each worker
 *              failed/<id>.jsonl       items that a worker could not do, and why
 *              blocks/                 who takes blocks from the shared folder (blocks.ts)
 * ```
 * With a part of its own (`shard`), a worker does that and takes no blocks: nothing but reports is written. A job that is complete and
 * whose results are gone (cleared, or failures to be tried again) begins anew under the next number.
 */

import { appendFile, mkdir } from "node:fs/promises"
import { join } from "node:path"
import { FourtierError } from "@fourtier/tensor"
import { hashJson, notWritten } from "@fourtier/tensor/node"
import { z } from "zod"
import { pause } from "../util/back-off.ts"
import { BLOCKS, Blocks, type Lease } from "./blocks.ts"
import { type Shard, shardName } from "./shard.ts"
import { SharedFolder, type SharedOptions } from "./shared-folder.ts"
import { defaultTiming, Observer, type Timing, WORKERS, Worker, type WorkerReport } from "./workers.ts"

/** How work is divided among workers. */
export interface Division {
  /** This worker's own part; with `steal`, only where it begins to look for blocks. */
  shard: Shard | null
  /** Whether blocks are taken from a folder that all workers share. */
  steal: boolean
  /** Folder of all jobs. */
  work: string
  timing?: Timing
  files?: SharedOptions
  /** Items of a block. */
  blockSize?: number
}

export const JOB_FILE = "job.json"
export const FAILED = "failed"

export const jobSchema = z.object({
  kind: z.string(),
  title: z.string(),
  /** What is counted, in the plural: clips, cells. */
  unit: z.string(),
  items: z.int(),
  blockSize: z.int(),
  /** ISO 8601 UTC, by the clock of the worker that began it. */
  begun: z.string(),
})

export type JobFile = z.output<typeof jobSchema>

export interface JobOptions {
  division: Division
  /** A word for the folder's name: features, answers, cells. */
  kind: string
  title: string
  unit: string
  /** Everything beside the items that decides what is computed. */
  spec: unknown
  /** Names of the items, the same for all workers and in the same order. */
  items: readonly string[]
  /** What people call an item. */
  nameOf(item: number): string
  /** Whether an item's result is there already. */
  isThere(item: number): boolean
}

/** Items to be done together. */
export interface Block {
  items: readonly number[]
  /** Whether another worker had it before. */
  isTakenOver: boolean
  /** Counts one item; `why` where it cannot be done. */
  tick(item: number, why?: string): Promise<void>
  /** Whether to go on: false where this worker was silent for so long that another has taken the block. */
  isMine(): Promise<boolean>
  /** To be called when the results are kept. */
  finish(): Promise<void>
}

const BLOCK_SIZE = 64

/** Seconds over which the rate is taken. */
const RATE_SPAN = 300

/** Milliseconds between two looks at what others have done. */
const LOOK = 2000

export class Job {
  readonly folder: SharedFolder
  readonly #options: JobOptions
  readonly #worker: Worker
  readonly #blocks: Blocks | null
  readonly #observer: Observer
  readonly #blockSize: number
  readonly #timing: Timing
  readonly #own: readonly number[]
  /** Where in `own` the next block begins, for a worker with a part of its own. */
  #next = 0
  #failed = 0
  #done = 0
  readonly #open = new Map<number, number>()
  /** Times at which items were done, of the last minutes. */
  readonly #recent: number[] = []

  private constructor(folder: SharedFolder, options: JobOptions, parts: Parts) {
    this.folder = folder
    this.#options = options
    this.#blockSize = parts.blockSize
    this.#timing = parts.timing
    this.#own = parts.own
    this.#worker = parts.worker
    this.#blocks = parts.blocks
    this.#observer = parts.observer
    parts.reportFrom(() => this.#report())
  }

  /** Joins the job, or begins it. */
  static async open(options: JobOptions): Promise<Job> {
    const { division, items, kind, title, unit, spec } = options
    const timing = division.timing ?? defaultTiming()
    const blockSize = division.blockSize ?? BLOCK_SIZE
    const name = `${kind}-${hashJson([spec, blockSize, hashNames(items)]).slice(0, 12)}`
    const about = { kind, title, unit, items: items.length, blockSize }
    const blocks = Math.ceil(items.length / blockSize)
    const folder = await roundOf(name, about, options, blocks)
    const own = division.steal ? [] : shardItems(items, division.shard)
    let report = (): WorkerReport => ({ items: own.length, done: 0, failed: 0, rate: 0, open: {} })
    const shard = division.steal ? null : shardName(division.shard ?? { index: 0, count: 1 })
    const workers = folder.within(WORKERS)
    const worker = await Worker.join(workers, shard, () => report(), timing)
    const { index, count } = division.shard ?? { index: Math.random(), count: 1 }
    const observer = new Observer(workers, timing)
    const leases = division.steal
      ? new Blocks(await folder.within(BLOCKS).make(), observer, worker.id, blocks, index / count)
      : null
    await leases?.refresh()
    return new Job(folder, options, {
      blockSize,
      timing,
      own,
      worker,
      blocks: leases,
      observer,
      reportFrom: (from) => {
        report = from
      },
    })
  }

  /** How many items this worker may come to do. */
  get size(): number {
    return this.#blocks ? this.#options.items.length : this.#own.length
  }

  /** How many items others have done, as far as is known. */
  get doneElsewhere(): number {
    const blocks = this.#blocks?.doneElsewhere ?? []
    return blocks.reduce((sum, block) => sum + this.#itemsOf(block).length, 0)
  }

  #itemsOf(block: number): number[] {
    const from = block * this.#blockSize
    const to = Math.min(this.#options.items.length, from + this.#blockSize)
    return Array.from({ length: to - from }, (_, i) => from + i)
  }

  /** The next block for this worker; null where there is none now. */
  async take(): Promise<Block | null> {
    if (this.#blocks === null) {
      const items = this.#own.slice(this.#next, this.#next + this.#blockSize)
      this.#next += items.length
      return items.length === 0 ? null : this.#block(items, null)
    }
    const lease = await this.#blocks.take()
    return lease && this.#block(this.#itemsOf(lease.block), lease)
  }

  /**
   * Waits until a block may be free.
   * @returns false when all are done
   */
  async wait(signal?: AbortSignal): Promise<boolean> {
    if (this.#blocks === null || (await this.#blocks.refresh()) === 0) return false
    await pause(Math.min(LOOK, this.#timing.heartbeat), signal)
    return true
  }

  /** Blocks one after another, waiting for those of workers that may yet be gone, until all are done. */
  async *all(signal?: AbortSignal): AsyncGenerator<Block> {
    for (;;) {
      const block = await this.take()
      if (block) yield block
      else if (!(await this.wait(signal))) return
      signal?.throwIfAborted()
    }
  }

  /** Id of this worker. */
  get worker(): string {
    return this.#worker.id
  }

  /** How many workers are there, and which of them this is. */
  async rank(): Promise<{ rank: number; count: number }> {
    const living = (await this.#observer.living()).filter((id) => id !== this.worker)
    return { rank: living.filter((id) => id < this.worker).length, count: living.length + 1 }
  }

  /** Leaves the job; what this worker holds is free at once. */
  async leave(ended: "finished" | "stopped" | "failed", error?: string): Promise<void> {
    await this.#worker.leave(ended, error)
  }

  /** Runs work on the job and leaves it, whatever comes. */
  async during<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    try {
      const result = await work()
      await this.leave(this.#open.size > 0 ? "stopped" : "finished")
      return result
    } catch (error) {
      const told = error instanceof Error ? error.message : String(error)
      if (signal?.aborted) await this.leave("stopped").catch(() => undefined)
      else await this.leave("failed", told).catch(() => undefined)
      throw error
    }
  }

  #block(items: readonly number[], lease: Lease | null): Block {
    const key = lease?.block ?? -1
    const counted = new Set<number>()
    if (lease) this.#open.set(key, 0)
    return {
      items,
      isTakenOver: (lease?.taking ?? 1) > 1,
      tick: async (item, why) => {
        if (counted.has(item)) return
        counted.add(item)
        if (lease) this.#open.set(key, counted.size)
        if (why === undefined) this.#done++
        else await this.#fail(item, why)
        this.#recent.push(this.#timing.now())
        while (this.#recent[0] < this.#timing.now() - 1000 * RATE_SPAN) this.#recent.shift()
      },
      isMine: async () => {
        if (lease === null || !this.#worker.isLate) return true
        if (this.#blocks && !(await this.#blocks.isMine(lease))) {
          this.#open.delete(key)
          return false
        }
        await this.#worker.beat()
        return true
      },
      finish: async () => {
        if (lease) await this.#blocks?.finish(lease)
        this.#open.delete(key)
      },
    }
  }

  async #fail(item: number, why: string): Promise<void> {
    this.#failed++
    const path = join(this.folder.path, FAILED, `${this.#worker.id}.jsonl`)
    try {
      await mkdir(join(path, ".."), { recursive: true })
      await appendFile(path, `${JSON.stringify({ item, name: this.#options.nameOf(item), why })}\n`)
    } catch (error) {
      throw notWritten(path, error, "what could not be done")
    }
  }

  #report(): WorkerReport {
    const now = this.#timing.now()
    const [first] = this.#recent
    const seconds = first === undefined ? 0 : (now - first) / 1000
    return {
      items: this.#blocks ? null : this.#own.length,
      done: this.#done,
      failed: this.#failed,
      rate: seconds > 0 ? this.#recent.length / seconds : 0,
      open: Object.fromEntries(this.#open),
    }
  }
}

interface Parts {
  blockSize: number
  timing: Timing
  own: readonly number[]
  worker: Worker
  blocks: Blocks | null
  observer: Observer
  reportFrom(from: () => WorkerReport): void
}

/** The items of a part: dealt like cards, so that classes and long videos are spread. */
function shardItems(items: readonly string[], shard: Shard | null): number[] {
  const { index, count } = shard ?? { index: 0, count: 1 }
  const own: number[] = []
  for (let i = index; i < items.length; i += count) own.push(i)
  return own
}

/** A hash of a list of names that need not be held in one text. */
function hashNames(items: readonly string[]): string {
  let digest = ""
  for (let from = 0; from < items.length; from += 10_000) digest = hashJson([digest, items.slice(from, from + 10_000)])
  return digest
}

/** The folder of the job's round that is under way, or of the next one where all blocks of the last are done and results are missing. */
async function roundOf(
  name: string,
  about: Omit<JobFile, "begun">,
  { division: { work, steal, files }, items, isThere }: JobOptions,
  blocks: number,
): Promise<SharedFolder> {
  const missing = items.some((_, i) => !isThere(i))
  for (let round = 1; round < 1000; round++) {
    const folder = new SharedFolder(join(work, round === 1 ? name : `${name}-${round}`), files)
    const known = await folder.read(JOB_FILE)
    if (known === null) {
      await folder.make()
      await folder.claim(JOB_FILE, `${JSON.stringify({ ...about, begun: new Date().toISOString() })}\n`)
      return folder
    }
    if (!steal || !missing) return folder
    const done = (await folder.within(BLOCKS).list()).filter((file) => file.endsWith(".done"))
    if (done.length < blocks) return folder
  }
  throw new FourtierError({
    where: join(work, name),
    what: "this work has been begun a thousand times, and its results are still missing",
    fix: "look at what failed (`fourtier status`), then delete the folders of this name",
  })
}
