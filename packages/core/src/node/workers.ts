/**
 * Jobs over worker threads or child processes: each worker does one job at a time, at most a few jobs wait, results come as they are
 * done or in order. A job that fails, takes too long or brings its worker down becomes an error of that job; the rest goes on. Native
 * code that aborts takes its whole process down: only child processes shut that in.
 */

import { parentPort, type TransferListItem } from "node:worker_threads"
import { type Complaint, FourtierError, messageOf } from "@fourtier/tensor"
import { z } from "zod"
import { complaintSchema } from "./complaint.ts"
import { type Events, type Hand, startProcess, startThread } from "./hand.ts"
import { claimCores } from "./share.ts"

export interface WorkerOptions {
  /** Threads; by default all cores, shared with other processes that have such workers. */
  workers?: number
  /** Yield in the order of the jobs (default) or as they are done. */
  ordered?: boolean
  /** Seconds a job may take before it counts as hung; 600 by default. */
  timeout?: number
  /** Child processes instead of threads: slower to start, and values are copied, but a native crash costs one job alone. */
  processes?: boolean
  /** Ends the iteration with its reason, without waiting for the jobs under way. */
  signal?: AbortSignal
}

export type Outcome<Job, Result> = { job: Job; result: Result } | { job: Job; error: Error }

const replySchema = z.union([
  z.object({ value: z.unknown() }),
  z.object({
    error: complaintSchema,
  }),
])

/** What a worker's message says: its result, or the job's error. */
export function readReply<Result>(message: unknown, schema: z.ZodType<Result>): { result: Result } | { error: Error } {
  const reply = replySchema.safeParse(message)
  if (!reply.success) return { error: new Error(`internal error: ${z.prettifyError(reply.error)}`) }
  if ("error" in reply.data) return { error: new FourtierError(reply.data.error) }
  const result = schema.safeParse(reply.data.value)
  if (result.success) return { result: result.data }
  return { error: new Error(`internal error: ${z.prettifyError(result.error)}`) }
}

/** What a worker hands back: a value, and the buffers that move with it instead of being copied. */
export interface Reply {
  value: unknown
  transfer?: TransferListItem[]
}

/** Seconds that a worker may take to start, on top of its first job. */
export const STARTING = 60

/** What asks a worker to end itself, between two jobs. */
export const END = null

/** The worker's side of the line to the pool. */
interface Line {
  listen(onMessage: (message: unknown) => void): void
  send(message: unknown, transfer?: TransferListItem[]): void
}

function lineToPool(): Line {
  const port = parentPort
  if (port !== null) {
    return {
      listen: (onMessage) => void port.on("message", onMessage),
      send: (message, transfer) => port.postMessage(message, transfer),
    }
  }
  if (process.send === undefined) throw new Error("internal error: neither a worker thread nor a child process")
  process.on("disconnect", () => process.exit())
  // an interrupt from the terminal reaches all processes; the pool ends this one
  process.on("SIGINT", () => undefined)
  return {
    listen: (onMessage) =>
      void process.on("message", (envelope: unknown) => {
        if (typeof envelope === "object" && envelope !== null && "job" in envelope) onMessage(envelope.job)
      }),
    send: (message) => void process.send?.(message),
  }
}

/**
 * Called once in a worker's entry file: answers every job until the pool asks the worker to end.
 *
 * The thread ends itself and is not terminated from outside: a thread that is stopped inside native code (loading an
 * addon, decoding) cannot throw there any more, and takes the whole process down (`FATAL ERROR … napi_throw`).
 *
 * @example
 * ```ts
 * import { serveJobs } from "@fourtier/core/node"
 * import { z } from "zod"
 *
 * // square.worker.ts
 * serveJobs(z.number(), (x) => ({ value: x * x }))
 * ```
 */
export function serveJobs<Job>(schema: z.ZodType<Job>, handle: (job: Job) => Reply | Promise<Reply>): void {
  const line = lineToPool()
  let work = Promise.resolve()
  line.listen((message) => {
    work = work.then(() => (message === END ? process.exit() : answer(message)))
  })
  async function answer(message: unknown): Promise<void> {
    try {
      const { value, transfer } = await handle(schema.parse(message))
      line.send({ value }, transfer ?? [])
    } catch (thrown) {
      const error: Complaint = thrown instanceof FourtierError ? thrown.complaint : { what: messageOf(thrown) }
      line.send({ error })
    }
  }
  line.send({ value: "ready" })
}

interface Seat<Job> {
  hand: Hand
  /** The job under way. */
  task: { index: number; job: Job } | null
  ready: boolean
  timer: NodeJS.Timeout | null
}

/**
 * Runs jobs in threads of the entry file and yields what becomes of each. Ending the iteration early ends the threads, each
 * after the job it is at.
 *
 * @param entry URL of compiled JavaScript that calls `serveJobs` (see `workerUrl`)
 * @param schema checks the workers' results
 *
 * @example
 * ```ts
 * import { runJobs, workerUrl } from "@fourtier/core/node"
 * import { z } from "zod"
 *
 * const entry = workerUrl(import.meta.url, "./square.worker.ts")
 * for await (const outcome of runJobs(entry, [1, 2, 3], z.number(), { workers: 2 })) {
 *   if ("result" in outcome) console.log(outcome.job, outcome.result)
 * }
 * ```
 */
export async function* runJobs<Job, Result>(
  entry: URL,
  jobs: Iterable<Job>,
  schema: z.ZodType<Result>,
  options: WorkerOptions = {},
): AsyncGenerator<Outcome<Job, Result>> {
  const crew = new Crew(entry, jobs, schema, options)
  try {
    for (;;) {
      const outcome = await crew.next()
      if (outcome === null) return
      yield outcome
    }
  } finally {
    await crew.end()
  }
}

class Crew<Job, Result> {
  readonly #entry: URL
  readonly #jobs: Iterator<Job>
  readonly #schema: z.ZodType<Result>
  readonly #claim: ReturnType<typeof claimCores> | null
  readonly #size: number
  readonly #ordered: boolean
  readonly #timeout: number
  readonly #start: (entry: URL, events: Events) => Hand
  readonly #signal: AbortSignal | undefined
  readonly #onAbort = (): void => this.#wake()
  readonly #seats: Seat<Job>[] = []
  readonly #done = new Map<number, Outcome<Job, Result>>()
  #dispatched = 0
  #yielded = 0
  #exhausted = false
  #failure: Error | null = null
  #wake: () => void = () => {}

  constructor(entry: URL, jobs: Iterable<Job>, schema: z.ZodType<Result>, options: WorkerOptions) {
    this.#entry = entry
    this.#jobs = jobs[Symbol.iterator]()
    this.#schema = schema
    this.#claim = options.workers === undefined ? claimCores() : null
    this.#size = Math.max(1, options.workers ?? this.#claim?.cores ?? 1)
    this.#ordered = options.ordered ?? true
    this.#timeout = options.timeout ?? 600
    this.#start = options.processes === true ? startProcess : startThread
    this.#signal = options.signal
    this.#signal?.addEventListener("abort", this.#onAbort)
  }

  /** The next outcome, or null when all are out. */
  async next(): Promise<Outcome<Job, Result> | null> {
    for (;;) {
      if (this.#failure !== null) throw this.#failure
      this.#signal?.throwIfAborted()
      this.#dispatch()
      const index = this.#ordered ? this.#yielded : this.#done.keys().next().value
      const outcome = index === undefined ? undefined : this.#done.get(index)
      if (index !== undefined && outcome !== undefined) {
        this.#done.delete(index)
        this.#yielded++
        this.#dispatch()
        return outcome
      }
      if (this.#exhausted && this.#yielded === this.#dispatched) return null
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  /**
   * Asks all workers to end, and waits for it, unless the work was called off; one whose job takes too long is terminated. A process
   * whose work was called off ends at once, a thread after the job it is at.
   */
  async end(): Promise<void> {
    this.#exhausted = true
    this.#claim?.release()
    this.#signal?.removeEventListener("abort", this.#onAbort)
    for (const { hand } of this.#seats) hand.send(END)
    if (this.#signal?.aborted) {
      for (const { hand } of this.#seats) hand.callOff()
    } else await Promise.all(this.#seats.map(({ hand }) => hand.gone))
  }

  /** Hands jobs to free workers, no further ahead of the consumer than two jobs a worker. */
  #dispatch(): void {
    while (!this.#exhausted && this.#dispatched - this.#yielded < 2 * this.#size) {
      let seat = this.#seats.find(({ task }) => task === null)
      if (seat === undefined && this.#seats.length >= this.#size) return
      const item = this.#jobs.next()
      if (item.done === true) {
        this.#exhausted = true
        return
      }
      seat ??= this.#hire()
      seat.task = { index: this.#dispatched++, job: item.value }
      this.#watch(seat, seat.ready ? this.#timeout : this.#timeout + STARTING)
      seat.hand.send(item.value)
    }
  }

  #watch(seat: Seat<Job>, seconds: number): void {
    if (seat.timer !== null) clearTimeout(seat.timer)
    seat.timer = setTimeout(() => this.#lose(seat, `took longer than ${seconds} s`), seconds * 1000)
  }

  #hire(): Seat<Job> {
    const hand = this.#start(this.#entry, {
      message: (message) => this.#receive(seat, message),
      lost: (why) => this.#lose(seat, why),
    })
    const seat: Seat<Job> = { hand, task: null, ready: false, timer: null }
    this.#seats.push(seat)
    return seat
  }

  #receive(seat: Seat<Job>, message: unknown): void {
    if (!seat.ready) {
      seat.ready = true
      if (seat.task !== null) this.#watch(seat, this.#timeout)
      return
    }
    if (seat.task === null) return
    this.#settle(seat, { job: seat.task.job, ...readReply(message, this.#schema) })
  }

  #settle(seat: Seat<Job>, outcome: Outcome<Job, Result>): void {
    if (seat.timer !== null) clearTimeout(seat.timer)
    if (seat.task !== null) this.#done.set(seat.task.index, outcome)
    seat.task = null
    this.#wake()
  }

  /** Gives up a worker: its job fails, another worker will take its seat. */
  #lose(seat: Seat<Job>, why: string): void {
    const place = this.#seats.indexOf(seat)
    if (place < 0) return
    this.#seats.splice(place, 1)
    if (!seat.ready) {
      const name = this.#entry.pathname
      this.#failure = new FourtierError({
        where: name,
        what: "a worker thread does not start",
        found: why,
        fix: "npm run build",
      })
    }
    if (seat.task !== null) this.#settle(seat, { job: seat.task.job, error: new FourtierError({ what: why }) })
    seat.hand.terminate()
    this.#wake()
  }
}
