/**
 * Which process holds a lock or a lease, and whether it is still alive.
 *
 * An owner is written to a file. While the process runs, `keepAlive` renews the file's modification time. On the same
 * machine the process table tells whether the owner lives. For a process on another machine, only this does: whether its file is still
 * being renewed, as watched from here by the own monotonic clock. What the file's time says is never compared with a clock, since
 * clocks of machines differ.
 */

import { randomUUID } from "node:crypto"
import { closeSync, fstatSync, openSync, readFileSync, readlinkSync } from "node:fs"
import { utimes } from "node:fs/promises"
import { hostname } from "node:os"
import { isRunning, startTimeOf } from "@fourtier/core/node"
import { z } from "zod"
import { pause } from "./back-off.ts"

const HEARTBEAT_MS = 5_000

/** A process that cannot be looked up is taken to be dead when its file has been watched for this long and was not renewed. */
export const SILENCE_MS = 60_000

const ownerSchema = z.object({
  id: z.string(),
  host: z.string(),
  /** Names the start of the machine, since hosts may have the same name; null where the system does not tell. */
  boot: z.string().nullish(),
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
  return {
    id: randomUUID(),
    host: hostname(),
    boot: bootId(),
    namespace: pidNamespace(),
    pid,
    started: startTimeOf(pid),
  }
}

/** The owner written in a file; null when the file is missing or unreadable. */
export function readOwner(path: string): Owner | null {
  try {
    return ownerSchema.parse(JSON.parse(readFileSync(path, "utf8")))
  } catch {
    return null
  }
}

/** What has been seen of files: when each was renewed last, by this process's clock. */
const watched = new Map<string, { mark: string; since: number }>()

/**
 * Whether the owner that is written in the file at `path` is still alive, as far as is known: one on another machine is, until its
 * file has been watched for long enough.
 * @param now the monotonic clock, milliseconds
 */
export function isAlive(owner: Owner, path: string, now = performance.now()): boolean {
  const { pid, started } = owner
  if (!isHere(owner)) return isRenewed(path, now)
  return started === null ? isRunning(pid) && isRenewed(path, now) : startTimeOf(pid) === started
}

/** Milliseconds between two looks at a file that is watched. */
const LOOK_MS = 500

/** As `isAlive`, but watches the file of an owner on another machine until it is known: seconds where it lives, a minute where not. */
export async function provesAlive(owner: Owner, path: string): Promise<boolean> {
  if (isHere(owner) && owner.started !== null) return isAlive(owner, path)
  const first = markOf(path)
  for (;;) {
    if (!isAlive(owner, path)) return false
    if (markOf(path) !== first) return true
    await pause(LOOK_MS)
  }
}

/** Whether an owner is, or was, a process of this machine: there its number tells whether it lives. */
export function isHere({ host, namespace, boot }: Owner): boolean {
  return host === hostname() && namespace === pidNamespace() && (boot ?? null) === bootId()
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
export function keepAlive(path: string, every = HEARTBEAT_MS): () => void {
  const timer = setInterval(() => {
    const now = new Date()
    utimes(path, now, now).catch(() => {})
  }, every).unref()
  return () => clearInterval(timer)
}

/** Opening a file, unlike `stat`, asks the server of a network file system. */
function markOf(path: string): string | null {
  try {
    const file = openSync(path, "r")
    try {
      const { mtimeMs, ctimeMs } = fstatSync(file)
      return `${mtimeMs} ${ctimeMs}`
    } finally {
      closeSync(file)
    }
  } catch {
    return null
  }
}

/**
 * Whether a file has been renewed lately, as watched from here.
 * @param silence milliseconds without a change after which it has not
 */
export function isRenewed(path: string, now = performance.now(), silence = SILENCE_MS): boolean {
  const mark = markOf(path)
  if (mark === null) return false
  const seen = watched.get(path)
  if (seen?.mark === mark) return now - seen.since < silence
  watched.set(path, { mark, since: now })
  return true
}

const BOOT = "/proc/sys/kernel/random/boot_id"

/** Names this start of the machine; null where the system does not tell. */
export function bootId(): string | null {
  try {
    return readFileSync(BOOT, "utf8").trim()
  } catch {
    return null
  }
}

/** The PID namespace of this process, so its container; null where there is no such thing. */
export function pidNamespace(): string | null {
  try {
    return readlinkSync("/proc/self/ns/pid")
  } catch {
    return null
  }
}
