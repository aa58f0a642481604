/**
 * Blocks of work in a shared folder, each done by whoever takes it first.
 *
 * ```
 * blocks/000017.1      worker A has block 17
 *        000017.2      A was silent for too long: worker B has it
 *        000017.done   block 17 is done
 * workers/<id>.json    heartbeats (workers.ts)
 * ```
 * Names are made by `SharedFolder.claim` and never removed, so each is decided once and for all: of two that take a silent worker's
 * block one succeeds, and no late remover can take away a new holder's file. The holder is who made the highest number.
 */

import { z } from "zod"
import type { SharedFolder } from "./shared-folder.ts"
import type { Observer } from "./workers.ts"

/** Folder of the blocks' files. */
export const BLOCKS = "blocks"

const leaseSchema = z.object({ worker: z.string() })

const nameOf = (block: number) => String(block).padStart(6, "0")

/** What the names of the files say. */
export interface BlockStates {
  done: ReadonlySet<number>
  /** The highest number of those that are taken and not done. */
  taken: ReadonlyMap<number, number>
}

/** Reads the states of all blocks. */
export async function readBlocks(folder: SharedFolder): Promise<BlockStates> {
  const done = new Set<number>()
  const taken = new Map<number, number>()
  for (const name of await folder.list()) {
    const match = /^(\d+)\.(\d+|done)$/.exec(name)
    if (!match) continue
    const block = Number(match[1])
    if (match[2] === "done") done.add(block)
    else taken.set(block, Math.max(taken.get(block) ?? 0, Number(match[2])))
  }
  for (const block of done) taken.delete(block)
  return { done, taken }
}

/** Who holds a block; null where its file cannot be read. */
export async function holderOf(folder: SharedFolder, block: number, taking: number): Promise<string | null> {
  try {
    return leaseSchema.parse(JSON.parse((await folder.read(`${nameOf(block)}.${taking}`)) ?? "")).worker
  } catch {
    return null
  }
}

/** A block that this worker has taken. */
export interface Lease {
  block: number
  /** How many workers have taken it, this one included. */
  taking: number
}

export class Blocks {
  readonly #folder: SharedFolder
  readonly #observer: Observer
  readonly #worker: string
  readonly #count: number
  readonly #done = new Set<number>()
  /** Those of `done` that this worker has done. */
  readonly #own = new Set<number>()
  readonly #taken = new Map<number, number>()
  /** Where this worker begins to look, so that all do not ask for the same. */
  readonly #start: number

  /** @param start share of the blocks after which this worker begins to look, 0 to 1 */
  constructor(folder: SharedFolder, observer: Observer, worker: string, count: number, start: number) {
    this.#folder = folder
    this.#observer = observer
    this.#worker = worker
    this.#count = count
    this.#start = Math.min(count - 1, Math.floor(start * count))
  }

  /** Reads the folder anew. @returns how many blocks are not done */
  async refresh(): Promise<number> {
    const { done, taken } = await readBlocks(this.#folder)
    for (const block of done) this.#done.add(block)
    for (const [block, taking] of taken) this.#taken.set(block, Math.max(taking, this.#taken.get(block) ?? 0))
    return this.#count - this.#done.size
  }

  /** Blocks that others have done, as far as is known. */
  get doneElsewhere(): number[] {
    return [...this.#done].filter((block) => !this.#own.has(block))
  }

  /** Takes a block that nobody has, or that a worker had who is gone. @returns null where there is none now */
  async take(): Promise<Lease | null> {
    const order = Array.from({ length: this.#count }, (_, i) => (this.#start + i) % this.#count)
    for (const block of order) {
      if (this.#done.has(block) || this.#taken.has(block)) continue
      if (await this.#claim(block, 1)) return { block, taking: 1 }
      // others are here: what they have is not asked for one by one
      await this.refresh()
    }
    await this.refresh()
    for (const block of order) {
      const taking = this.#taken.get(block)
      if (this.#done.has(block) || taking === undefined) continue
      // a file that cannot be read is watched like a silent worker
      const holder = (await holderOf(this.#folder, block, taking)) ?? `${nameOf(block)}.${taking}`
      const free = holder !== this.#worker && (await this.#observer.isGone(holder))
      if (free && (await this.#claim(block, taking + 1))) return { block, taking: taking + 1 }
    }
    return null
  }

  async #claim(block: number, taking: number): Promise<boolean> {
    this.#taken.set(block, taking)
    const lease = { worker: this.#worker, at: new Date().toISOString() }
    return this.#folder.claim(`${nameOf(block)}.${taking}`, JSON.stringify(lease))
  }

  /** Whether nobody has taken the block since. */
  async isMine({ block, taking }: Lease): Promise<boolean> {
    const name = `${nameOf(block)}.${taking + 1}`
    return (await this.#folder.read(name)) === null
  }

  /** @returns false where another worker has done it in the meantime */
  async finish({ block }: Lease): Promise<boolean> {
    this.#done.add(block)
    this.#own.add(block)
    return this.#folder.claim(`${nameOf(block)}.done`, JSON.stringify({ worker: this.#worker }))
  }
}
