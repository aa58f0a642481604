/** What the files of a collection hold, as the doctor measures it: in a process of its own, again whenever files have come. */

import { existsSync } from "node:fs"
import { join } from "node:path"
import type { Config } from "../config.ts"
import { type Clip, readManifest } from "../video/manifest.ts"
import { type ChildMessage, type Running, startJob } from "./child.ts"
import { type Collection, idOf } from "./collection.ts"
import { measuredSchema } from "./jobs.ts"

/** A file's measures, or why it cannot be used. */
export type Measured = { clip: Clip; problem: null } | { clip: null; problem: string }

export interface MeasuresEvents {
  /** Clips of these ids have been measured. */
  measured(ids: string[]): void
  progress(done: number, total: number): void
  /** The work could not be done at all. */
  failed(error: Error): void
}

export class Measures {
  readonly #collection: Collection
  readonly #config: Config
  readonly #events: MeasuresEvents
  #known = new Map<string, Measured>()
  #running: Running<unknown> | null = null
  #again = false
  #closed = false

  constructor(collection: Collection, config: Config, events: MeasuresEvents) {
    this.#collection = collection
    this.#config = config
    this.#events = events
  }

  /** Path of the manifest that is kept up to date. */
  get manifest(): string {
    return join(this.#collection.own, "manifest.jsonl")
  }

  get(id: string): Measured | undefined {
    return this.#known.get(id)
  }

  /** The clips that can be used. */
  get usable(): Clip[] {
    return [...this.#known.values()].flatMap(({ clip }) => clip ?? [])
  }

  /** Whether files are being measured. */
  get busy(): boolean {
    return this.#running !== null
  }

  /** Reads what was measured before. */
  async load(): Promise<void> {
    if (!existsSync(this.manifest)) return
    // what an older version wrote is measured afresh
    const read = await readManifest(this.manifest).catch(() => null)
    if (!read) return
    const { clips, quarantine } = read.manifest
    const known = new Map<string, Measured>([
      ...clips.map((clip) => [idOf(clip), { clip, problem: null }] as const),
      ...quarantine.map((bad) => [idOf(bad), { clip: null, problem: bad.reason }] as const),
    ])
    const changed = [...known].filter(([id, now]) => {
      const before = this.#known.get(id)
      return before?.problem !== now.problem || before?.clip?.hash !== now.clip?.hash
    })
    // what was measured once is known while its clip is removed
    this.#known = new Map([...this.#known, ...known])
    if (changed.length > 0) this.#events.measured(changed.map(([id]) => id))
  }

  /** Measures what is new. Asked for while it is under way, it is done once more after that. */
  request(): void {
    if (this.#closed || this.#collection.clips.every(({ removed }) => removed)) return
    if (this.#running) this.#again = true
    else void this.#measure()
  }

  async #measure(): Promise<void> {
    let total = 0
    const tell = (message: ChildMessage) => {
      if (message.kind === "task") {
        total = message.total
        this.#events.progress(0, total)
      } else if (message.kind === "tick") this.#events.progress(message.done, total)
    }
    const job = { kind: "measure", data: this.#collection.data, config: this.#config, manifest: this.manifest }
    this.#running = startJob(job, measuredSchema, tell)
    try {
      await this.#running.ended
      await this.load()
    } catch (error) {
      if (!this.#closed) this.#events.failed(error instanceof Error ? error : new Error(String(error)))
    } finally {
      this.#running = null
      this.#events.progress(0, 0)
    }
    if (this.#again) {
      this.#again = false
      this.request()
    }
  }

  close(): void {
    this.#closed = true
    this.#running?.kill()
  }
}
