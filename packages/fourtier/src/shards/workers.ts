/**
 * Who works on something in a shared folder, and who has fallen silent.
 *
 * Each worker writes a file of its own anew every few seconds, with a counter. Others take a worker for gone when they have watched the
 * counter stand still for long enough by their own monotonic clock; what a file's time or another machine's clock says plays no part.
 */

import { randomUUID } from "node:crypto"
import { hostname } from "node:os"
import { isRunning, startTimeOf } from "@fourtier/core/node"
import { FourtierError } from "@fourtier/tensor"
import { z } from "zod"
import { bootId, pidNamespace } from "../util/owner.ts"
import type { SharedFolder } from "./shared-folder.ts"

/** Folder of the workers' files. */
export const WORKERS = "workers"

export const workerSchema = z.object({
  id: z.string(),
  host: z.string(),
  /** Names this start of the machine, and with `namespace` where `pid` is valid; null where the system does not tell. */
  boot: z.string().nullable(),
  namespace: z.string().nullable(),
  pid: z.int(),
  /** See `startTimeOf`. */
  started: z.string().nullable(),
  /** Which part is its own, such as "3/16"; null where it takes any block. */
  shard: z.string().nullable(),
  /** Counts up with each heartbeat. */
  beat: z.int(),
  /** Seconds between two heartbeats. */
  every: z.number(),
  /** Seconds of silence after which others take its blocks. */
  patience: z.number(),
  /** ISO 8601 UTC, by the worker's clock: for people. */
  at: z.string(),
  /** Seconds since it began. */
  seconds: z.number(),
  /** How many items are its own; null where it takes any. */
  items: z.int().nullable(),
  /** Items done: here or by an earlier run. */
  done: z.int(),
  failed: z.int(),
  /** Items done a second, of late. */
  rate: z.number(),
  /** Blocks that it is at, with the number of their items that are done. */
  open: z.record(z.string(), z.int()),
  /** How it ended; null while it runs. */
  ended: z.enum(["finished", "stopped", "failed"]).nullable(),
  /** Why it ended, where it failed. */
  error: z.string().optional(),
})

export type WorkerFile = z.output<typeof workerSchema>

/** What a worker tells of its work. */
export type WorkerReport = Pick<WorkerFile, "items" | "done" | "failed" | "rate" | "open">

export interface Timing {
  /** Milliseconds between two heartbeats. */
  heartbeat: number
  /** Milliseconds of silence after which a worker on another machine is taken for gone. */
  patience: number
  /** The monotonic clock, milliseconds. */
  now(): number
}

/** Seconds of silence after which a worker is taken for gone, where that is not the default. */
export const LEASE_SECONDS = "FOURTIER_LEASE_SECONDS"

/** @throws FourtierError where the environment's lease is not a positive number */
export function defaultTiming(env: Readonly<Record<string, string | undefined>> = process.env): Timing {
  const told = env[LEASE_SECONDS] ?? "60"
  const patience = 1000 * Number(told)
  if (!(patience > 0 && Number.isFinite(patience))) {
    throw new FourtierError({ where: LEASE_SECONDS, what: "not a time", expected: "seconds above 0", found: told })
  }
  return { heartbeat: Math.min(5000, patience / 6), patience, now: () => performance.now() }
}

const fileOf = (id: string) => `${id}.json`

/** This process as a worker. */
export class Worker {
  readonly id = randomUUID()
  readonly #folder: SharedFolder
  readonly #timing: Timing
  readonly #about: Pick<WorkerFile, "host" | "boot" | "namespace" | "pid" | "started" | "shard">
  readonly #report: () => WorkerReport
  readonly #began: number
  #beat = 0
  #heard: number
  #beating: Promise<void> | null = null
  #timer: NodeJS.Timeout | undefined

  private constructor(folder: SharedFolder, shard: string | null, report: () => WorkerReport, timing: Timing) {
    const { pid } = process
    this.#folder = folder
    this.#timing = timing
    this.#report = report
    const place = { host: hostname(), boot: bootId(), namespace: pidNamespace() }
    this.#about = { ...place, pid, started: startTimeOf(pid), shard }
    this.#began = timing.now()
    this.#heard = timing.now()
  }

  /** Joins the workers in `folder`; its heart beats until `leave`, and does not keep the process running. */
  static async join(
    folder: SharedFolder,
    shard: string | null,
    report: () => WorkerReport,
    timing: Timing,
  ): Promise<Worker> {
    const worker = new Worker(await folder.make(), shard, report, timing)
    await worker.beat()
    worker.#timer = setInterval(() => void worker.beat().catch(() => undefined), timing.heartbeat).unref()
    return worker
  }

  /** Whether others may have taken this worker for gone: its heartbeats have not got through for half the time that they wait. */
  get isLate(): boolean {
    return this.#timing.now() - this.#heard > this.#timing.patience / 2
  }

  /** Writes a heartbeat now, unless one is being written. */
  beat(): Promise<void> {
    this.#beating ??= this.#write(null).finally(() => {
      this.#beating = null
    })
    return this.#beating
  }

  async #write(ended: WorkerFile["ended"], error?: string): Promise<void> {
    const begun = this.#timing.now()
    const file: WorkerFile = {
      id: this.id,
      ...this.#about,
      beat: ++this.#beat,
      every: this.#timing.heartbeat / 1000,
      patience: this.#timing.patience / 1000,
      at: new Date().toISOString(),
      seconds: (begun - this.#began) / 1000,
      ...this.#report(),
      ended,
      ...(error === undefined ? {} : { error }),
    }
    await this.#folder.publish(fileOf(this.id), `${JSON.stringify(file)}\n`)
    this.#heard = begun
  }

  /** The last heartbeat: what this worker holds is free at once. */
  async leave(ended: NonNullable<WorkerFile["ended"]>, error?: string): Promise<void> {
    clearInterval(this.#timer)
    await this.#beating?.catch(() => undefined)
    await this.#write(ended, error)
  }
}

/** A worker's file; null where there is none, or it cannot be read as one. */
export async function readWorker(folder: SharedFolder, id: string): Promise<WorkerFile | null> {
  try {
    return workerSchema.parse(JSON.parse((await folder.read(fileOf(id))) ?? ""))
  } catch {
    return null
  }
}

/** Whether the worker is a process of this machine that has ended. Of other machines' workers nothing is known. */
export function hasDiedHere({ boot, namespace, pid, started }: WorkerFile): boolean {
  if (boot === null || boot !== bootId() || namespace !== pidNamespace()) return false
  return started === null ? !isRunning(pid) : startTimeOf(pid) !== started
}

/** What this process has seen of the others. */
export class Observer {
  readonly #folder: SharedFolder
  readonly #timing: Timing
  /** Those that come back no more. */
  readonly #gone = new Set<string>()
  /** The last counter of each worker, and when it was first seen to stand there. */
  readonly #seen = new Map<string, { beat: number; since: number }>()

  constructor(folder: SharedFolder, timing: Timing) {
    this.#folder = folder
    this.#timing = timing
  }

  /** Whether a worker has left, died on this machine, or been watched to be silent for long enough. */
  async isGone(id: string): Promise<boolean> {
    const worker = await readWorker(this.#folder, id)
    if (worker?.ended || (worker && hasDiedHere(worker))) {
      this.#gone.add(id)
      return true
    }
    const now = this.#timing.now()
    // a machine may not see another's new file for a while: a worker without one is watched like a silent one
    const beat = worker?.beat ?? 0
    const seen = this.#seen.get(id)
    if (seen?.beat === beat) return now - seen.since >= this.#timing.patience
    this.#seen.set(id, { beat, since: now })
    return false
  }

  /** Ids of the workers that are not gone, as far as is known. */
  async living(): Promise<string[]> {
    const found: string[] = []
    for (const name of await this.#folder.list()) {
      const id = name.slice(0, -".json".length)
      if (name.endsWith(".json") && !this.#gone.has(id) && !(await this.isGone(id))) found.push(id)
    }
    return found
  }
}
