/**
 * What several workers may spend together: a ledger whose entries are files with consecutive numbers, each made by
 * `SharedFolder.claim`. So all workers agree on the order of the entries, and each adds its own knowing all before it: more than there
 * is is never given away.
 *
 * What a killed worker had been granted and not spent stays with it: the limits are never exceeded, at the price of up to one grant
 * for each kill.
 */

import { z } from "zod"
import { pause } from "../util/back-off.ts"
import type { SharedFolder } from "./shared-folder.ts"

/** Folder of the entries. */
export const LEDGER = "ledger"

const entrySchema = z.object({
  worker: z.string(),
  /** Taken; below 0 where it was given back. */
  dollars: z.number(),
  requests: z.number(),
})

type Amounts = Pick<z.output<typeof entrySchema>, "dollars" | "requests">

const nameOf = (number: number) => String(number).padStart(8, "0")

/** The most that all workers together may take; absent: no limit. */
export interface Limits {
  dollars?: number | undefined
  requests?: number | undefined
}

export class Ledger {
  readonly #folder: SharedFolder
  readonly #worker: string
  readonly #limits: Limits
  #entries = 0
  readonly #taken: Amounts = { dollars: 0, requests: 0 }
  /** One entry after the other. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(folder: SharedFolder, worker: string, limits: Limits) {
    this.#folder = folder
    this.#worker = worker
    this.#limits = limits
  }

  /** What has been taken by all workers, so far as this one knows. */
  get taken(): Readonly<Amounts> {
    return this.#taken
  }

  /** Takes as much as there is, up to what is wanted. */
  take(wanted: Amounts): Promise<Amounts> {
    return this.#inTurn(() =>
      this.#add(() => {
        const { dollars, requests } = this.#limits
        const left = (limit: number | undefined, taken: number) => Math.max(0, (limit ?? 0) - taken)
        return {
          dollars: Math.min(wanted.dollars, left(dollars, this.#taken.dollars)),
          requests: Math.min(wanted.requests, left(requests, this.#taken.requests)),
        }
      }),
    )
  }

  async giveBack({ dollars, requests }: Amounts): Promise<void> {
    await this.#inTurn(() => this.#add(() => ({ dollars: -dollars, requests: -requests })))
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work)
    this.#turn = result.catch(() => undefined)
    return result
  }

  /** Adds what `amounts` says once all entries before it are known; nothing where that is nothing. */
  async #add(amounts: () => Amounts): Promise<Amounts> {
    for (;;) {
      await this.#read()
      const own = amounts()
      if (own.dollars === 0 && own.requests === 0) return own
      const entry = { worker: this.#worker, ...own }
      if (await this.#folder.claim(nameOf(this.#entries + 1), JSON.stringify(entry), true)) {
        this.#note(own)
        return own
      }
      // another worker's entry has this number; its file may come into sight a little later
      await pause(20)
    }
  }

  /** Takes in the entries that have been added. */
  async #read(): Promise<void> {
    for (;;) {
      const text = await this.#folder.read(nameOf(this.#entries + 1))
      if (text === null) return
      this.#note(entrySchema.parse(JSON.parse(text)))
    }
  }

  #note({ dollars, requests }: Amounts): void {
    this.#entries++
    this.#taken.dollars += dollars
    this.#taken.requests += requests
  }
}
