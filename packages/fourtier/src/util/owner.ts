/**
 * Which process holds a lock or a lease, and whether it is still alive.
 *
 * An owner is written to a file. While the process runs, `keepAlive` renews the file's modification time. On the same
 * machine the process table tells whether the owner lives; for a process on another machine, only the file's age does.
 */

import { randomUUID } from "node:crypto"
import { readFileSync, readlinkSync, statSync } from "node:fs"
import { utimes } from "node:fs/promises"
import { hostname } from "node:os"
import { isRunning, startTimeOf } from "@fourtier/core/node"
import { z } from "zod"

const HEARTBEAT_MS = 5_000

/** After this long without a heartbeat, a process that cannot be looked up is taken to be dead. */
const SILENCE_MS = 60_000

const ownerSchema = z.object({
  id: z.string(),
  host: z.string(),
  /** The PID namespace, so the container, in which `pid` is valid; null where there is no such thing. */
  namespace: z.string().nullable(),
  pid: z.int(),
  /** When the process started (`startTimeOf`), since numbers are reused; null where the system does not tell. */
  started: z.string().nullable(),
})

export type Owner = z.infer<typeof ownerSchema>

/** This process as an owner. Each call returns another id. */
export function newOwner(): Owner {
  const { pid } = process
  return { id: randomUUID(), host: hostname(), namespace: pidNamespace(), pid, started: startTimeOf(pid) }
}

/** The owner written in a file; null when the file is missing or unreadable. */
export function readOwner(path: string): Owner | null {
  try {
    return ownerSchema.parse(JSON.parse(readFileSync(path, "utf8")))
  } catch {
    return null
  }
}

/** Whether the owner that is written in the file at `path` is still alive. */
export function isAlive({ host, namespace, pid, started }: Owner, path: string): boolean {
  if (host !== hostname() || namespace !== pidNamespace()) return hasHeartbeat(path)
  return started === null ? isRunning(pid) && hasHeartbeat(path) : startTimeOf(pid) === started
}

/**
 * Renews the file's modification time until the returned function is called. Does not keep the process running.
 * @example
 * const stop = keepAlive(path)
 * try {
 *   await work()
 * } finally {
 *   stop()
 * }
 */
export function keepAlive(path: string): () => void {
  const timer = setInterval(() => {
    const now = new Date()
    utimes(path, now, now).catch(() => {})
  }, HEARTBEAT_MS).unref()
  return () => clearInterval(timer)
}

function hasHeartbeat(path: string): boolean {
  const file = statSync(path, { throwIfNoEntry: false })
  return file !== undefined && Date.now() - file.mtimeMs < SILENCE_MS
}

function pidNamespace(): string | null {
  try {
    return readlinkSync("/proc/self/ns/pid")
  } catch {
    return null
  }
}
