/** Workers that stay: jobs come one at a time, from anywhere, and each gets a promise. For many known jobs see `runJobs`. */

import type { TransferListItem } from "node:worker_threads"
import { FourtierError } from "@fourtier/tensor"
import { usableCores } from "@fourtier/tensor/node"
import type { z } from "zod"
import { type Hand, startProcess, startThread } from "./hand.ts"
import { END, readReply, STARTING } from "./workers.ts"

export interface WorkerPoolOptions {
  /** Workers at most, started as they are needed; all cores by default. */
  workers?: number
  /** Child processes instead of threads: values are copied, but a native crash costs one job alone. */
  processes?: boolean
  /** Seconds a job may take before it counts as hung; 600 by default. */
  timeout?: number
}

interface Waiting<Job, Result> {
  job: Job
  transfer: readonly TransferListItem[]
  resolve(result: Result): void
  reject(error: Error): void
}

interface Seat<Job, Result> {
  hand: Hand
  ready: boolean
  task: Waiting<Job, Result> | null
  timer: NodeJS.Timeout | null
}

/**
 * A pool of workers that serve jobs (`serveJobs`). Those that have nothing to do keep no process alive.
 *
 * @example
 * ```ts
 * import { WorkerPool, workerUrl } from "@fourtier/core/node"
 * import { z } from "zod"
 *
 * const pool = new WorkerPool<number, number>(workerUrl(import.meta.url, "./square.worker.ts"), z.number())
 * console.log(await pool.run(3)) // 9
 * await pool.end()
 * ```
 */
export class WorkerPool<Job, Result> {
  readonly size: number
  readonly #entry: URL
  readonly #schema: z.ZodType<Result>
  readonly #timeout: number
  readonly #start: typeof startThread
  readonly #seats: Seat<Job, Result>[] = []
  readonly #queue: Waiting<Job, Result>[] = []

  /** @param schema checks the workers' results */
  constructor(entry: URL, schema: z.ZodType<Result>, options: WorkerPoolOptions = {}) {
    this.#entry = entry
    this.#schema = schema
    this.size = Math.max(1, options.workers ?? usableCores())
    this.#timeout = options.timeout ?? 600
    this.#start = options.processes === true ? startProcess : startThread
  }

  /** What becomes of a job; buffers in `transfer` move to a thread. Throws FourtierError where it fails. */
  run(job: Job, transfer: readonly TransferListItem[] = []): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ job, transfer, resolve, reject })
      this.#dispatch()
    })
  }

  /** Ends the workers, each after the job it is at; jobs that still wait fail. */
  async end(): Promise<void> {
    for (const { reject } of this.#queue.splice(0)) reject(new FourtierError({ what: "released before it was done" }))
    const seats = this.#seats.slice()
    for (const { hand } of seats) {
      hand.hold(true)
      hand.send(END)
    }
    await Promise.all(seats.map(({ hand }) => hand.gone))
  }

  #dispatch(): void {
    while (this.#queue.length > 0) {
      let seat = this.#seats.find(({ task }) => task === null)
      if (seat === undefined && this.#seats.length >= this.size) return
      seat ??= this.#hire()
      const next = this.#queue.shift()
      if (next === undefined) return
      const held = seat
      held.task = next
      this.#watch(held, held.ready ? this.#timeout : this.#timeout + STARTING)
      held.hand.hold(true)
      held.hand.send(next.job, next.transfer)
    }
  }

  #watch(seat: Seat<Job, Result>, seconds: number): void {
    if (seat.timer !== null) clearTimeout(seat.timer)
    seat.timer = setTimeout(() => this.#lose(seat, `took longer than ${seconds} s`), seconds * 1000)
  }

  #hire(): Seat<Job, Result> {
    const hand = this.#start(this.#entry, {
      message: (message) => this.#receive(seat, message),
      lost: (why) => this.#lose(seat, why),
    })
    const seat: Seat<Job, Result> = { hand, ready: false, task: null, timer: null }
    this.#seats.push(seat)
    return seat
  }

  #receive(seat: Seat<Job, Result>, message: unknown): void {
    if (!seat.ready) {
      seat.ready = true
      if (seat.task !== null) this.#watch(seat, this.#timeout)
      return
    }
    const task = this.#free(seat)
    if (task === null) return
    const reply = readReply(message, this.#schema)
    if ("error" in reply) task.reject(reply.error)
    else task.resolve(reply.result)
    seat.hand.hold(false)
    this.#dispatch()
  }

  #free(seat: Seat<Job, Result>): Waiting<Job, Result> | null {
    if (seat.timer !== null) clearTimeout(seat.timer)
    const { task } = seat
    seat.task = null
    seat.timer = null
    return task
  }

  /** Gives up a worker: its job fails, another worker will take its seat. */
  #lose(seat: Seat<Job, Result>, why: string): void {
    const place = this.#seats.indexOf(seat)
    if (place < 0) return
    this.#seats.splice(place, 1)
    const found = seat.ready ? {} : { where: this.#entry.pathname, fix: "npm run build" }
    const what = seat.ready ? why : `a worker does not start: ${why}`
    this.#free(seat)?.reject(new FourtierError({ what, ...found }))
    seat.hand.terminate()
    this.#dispatch()
  }
}
