/** A file system between a worker and its folder that behaves as NFS may: late, lossy, stale, or away for a while. */

import { type FileCalls, SYSTEM_CALLS } from "../../src/shards/shared-folder.ts"

const systemError = (code: string) => Object.assign(new Error(`${code}: made up`), { code, syscall: "made up" })

export interface Faults {
  /** Draws from 0 to 1. */
  random(): number
  /** Share of the calls that fail before anything is done, and of those that are done and reported as failed. */
  failing?: number
  lost?: number
}

/** The system's calls through a line with faults, which can be cut. */
export class FaultyLine {
  readonly #faults: Faults
  #cut: Promise<void> | null = null
  #mend: () => void = () => undefined
  /** Calls that failed. */
  faults = 0

  constructor(faults: Faults) {
    this.#faults = faults
  }

  /** From now on calls hang, as on a hard mount whose server is away. */
  cut(): void {
    this.#cut = new Promise((resolve) => {
      this.#mend = resolve
    })
  }

  mend(): void {
    this.#cut = null
    this.#mend()
  }

  async #through<T>(work: () => Promise<T>, isLossy: boolean): Promise<T> {
    const { random, failing = 0, lost = 0 } = this.#faults
    if (this.#cut) await this.#cut
    if (random() < failing) {
      this.faults++
      throw systemError(random() < 0.5 ? "ESTALE" : "EIO")
    }
    const result = await work()
    if (isLossy && random() < lost) {
      this.faults++
      throw systemError("EIO")
    }
    return result
  }

  readonly calls: FileCalls = {
    read: (path) => this.#through(() => SYSTEM_CALLS.read(path), false),
    writeNew: (path, text, lasting) => this.#through(() => SYSTEM_CALLS.writeNew(path, text, lasting), true),
    link: (from, to) => this.#through(() => SYSTEM_CALLS.link(from, to), true),
    rename: (from, to) => this.#through(() => SYSTEM_CALLS.rename(from, to), true),
    names: (path) => this.#through(() => SYSTEM_CALLS.names(path), false),
    remove: (path) => this.#through(() => SYSTEM_CALLS.remove(path), true),
    list: (path) => this.#through(() => SYSTEM_CALLS.list(path), false),
    written: (path) => this.#through(() => SYSTEM_CALLS.written(path), false),
    makeFolder: (path) => this.#through(() => SYSTEM_CALLS.makeFolder(path), true),
  }
}
