/** Processes that MPI has brought together, as training sees them. */

import { setTimeout as pause } from "node:timers/promises"
import type { Collective } from "@fourtier/core/train"
import { FourtierError } from "@fourtier/tensor"
import { type Launch, MPI_VARIABLE } from "./launch.ts"
import { loadMpi, type MpiLibrary, startedBy } from "./library.ts"

/** One thread at a time calls MPI, whichever it is: calls that wait run beside the event loop. */
const SERIALIZED = 2

/** Largest count of one message. */
const MOST = 2 ** 30

const CALL_TAG = 1

/** So often a rank that waits for work looks: it takes no core from those that work. */
const LOOK_MS = 20

/** What a rank has said to the others, and how long that took, waiting for them included. */
export interface Traffic {
  seconds: number
  messages: number
  bytes: number
}

/**
 * The ranks of `mpirun` or `srun`. Calls that wait for other ranks run on a thread of their own, so that signals are heard.
 *
 * @example
 * ```ts
 * import { launchOf, Ranks } from "fourtier"
 *
 * const launch = launchOf()
 * const ranks = launch && (await Ranks.join(launch))
 * await ranks?.sum(Float32Array.of(1))
 * ranks?.leave()
 * ```
 */
export class Ranks implements Collective {
  readonly rank: number
  readonly size: number
  readonly launch: Launch
  /** Of the MPI library. */
  readonly version: string
  readonly traffic: Traffic = { seconds: 0, messages: 0, bytes: 0 }
  readonly #mpi: MpiLibrary

  private constructor(mpi: MpiLibrary, launch: Launch) {
    const [rank, size] = [[0], [0]]
    mpi.rank(mpi.world, rank)
    mpi.size(mpi.world, size)
    this.#mpi = mpi
    this.launch = launch
    this.version = mpi.version
    this.rank = rank[0]
    this.size = size[0]
  }

  /**
   * Meets the other ranks.
   * @throws FourtierError where koffi or the MPI library is missing, or is another one than the launcher's
   */
  static async join(launch: Launch): Promise<Ranks> {
    const mpi = await loadMpi(launch)
    const provided = [0]
    mpi.init(null, null, SERIALIZED, provided)
    const ranks = new Ranks(mpi, launch)
    if (ranks.size !== launch.size) {
      throw new FourtierError({
        where: startedBy(launch),
        what: `${mpi.version} knows of ${ranks.size}`,
        expected: `the MPI library that ${launch.by} belongs to`,
        fix: `name its file: ${MPI_VARIABLE}=/path/to/libmpi.so${launch.by === "srun" ? ", and srun's kind of it: srun --mpi=pmix or --mpi=pmi2" : ""}`,
      })
    }
    if (provided[0] < SERIALIZED) {
      throw new FourtierError({
        where: startedBy(launch),
        what: `${mpi.version} may be called by its first thread alone`,
        expected: "a library with MPI_THREAD_SERIALIZED",
        fix: "use a build of it with support for threads",
      })
    }
    return ranks
  }

  async sum(values: Float32Array): Promise<void> {
    const { allReduce, inPlace, float, sum, world } = this.#mpi
    for (const part of partsOf(values)) {
      await this.#timed(part.byteLength, (done) => allReduce.async(inPlace, part, part.length, float, sum, world, done))
    }
  }

  async gather(values: Float32Array): Promise<Float32Array> {
    const { allGather, float, world } = this.#mpi
    const all = new Float32Array(values.length * this.size)
    if (values.length === 0) return all
    const n = values.length
    await this.#timed(all.byteLength, (done) => allGather.async(values, n, float, all, n, float, world, done))
    return all
  }

  async broadcast(bytes: Uint8Array): Promise<void> {
    const { broadcast, byte, world } = this.#mpi
    for (const part of partsOf(bytes)) {
      await this.#timed(part.byteLength, (done) => broadcast.async(part, part.length, byte, 0, world, done))
    }
  }

  /** Rank 0 tells all others that something comes. */
  async call(): Promise<void> {
    const { send, byte, world } = this.#mpi
    const none = new Uint8Array(1)
    for (let to = 1; to < this.size; to++) {
      await this.#timed(1, (done) => send.async(none, 1, byte, to, CALL_TAG, world, done))
    }
  }

  /** The others wait for `call`, without taking a core from rank 0. */
  async waitForCall(): Promise<void> {
    const { probe, receive, byte, world, ignoredStatus } = this.#mpi
    const flag = [0]
    for (;;) {
      probe(0, CALL_TAG, world, flag, ignoredStatus)
      if (flag[0] !== 0) break
      await pause(LOOK_MS)
    }
    await new Promise<void>((resolve, reject) => {
      receive.async(new Uint8Array(1), 1, byte, 0, CALL_TAG, world, ignoredStatus, settle(resolve, reject))
    })
  }

  /** Ends all ranks at once. */
  abort(code: number): void {
    this.#mpi.abort(this.#mpi.world, code)
  }

  /** Parts from the others, which do the same. */
  leave(): void {
    this.#mpi.finalize()
  }

  async #timed(bytes: number, start: (done: (error: unknown, code: number) => void) => void): Promise<void> {
    const begun = performance.now()
    await new Promise<void>((resolve, reject) => start(settle(resolve, reject)))
    this.traffic.seconds += (performance.now() - begun) / 1000
    this.traffic.messages++
    this.traffic.bytes += bytes
  }
}

function settle(resolve: () => void, reject: (error: unknown) => void) {
  return (error: unknown, code: number) => {
    if (error) reject(error)
    else if (code !== 0) reject(new Error(`internal error: MPI returned code ${code}`))
    else resolve()
  }
}

/** Pieces that a message may count. */
function partsOf<A extends { length: number; subarray(start: number, end: number): A }>(values: A): A[] {
  return Array.from({ length: Math.ceil(values.length / MOST) }, (_, i) => values.subarray(i * MOST, (i + 1) * MOST))
}
