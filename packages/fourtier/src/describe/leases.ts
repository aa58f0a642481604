/**
 * Who is asking what right now, so that two processes on one cache never pay for the same answer.
 *
 * Beside the cache lies a folder `<cache>.lock`:
 *   owner-<uuid>   one file a living process; its modification time is renewed while the process lives
 *   claims         append-only: "<key> + <uuid>" (about to ask), "<key> - <uuid>" (gave up)
 * Appends are ordered by the file system, so all readers agree which living owner claimed a key first. A claim ends when the
 * answer is in the cache, when it is given up, or when its owner is dead.
 */

import { randomUUID } from "node:crypto"
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  rmSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs"
import { hostname } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { beginningOf, isRunning } from "@fourtier/core/node"
import { FourtierError } from "@fourtier/tensor"
import { z } from "zod"

const HEARTBEAT_MS = 5_000
/** An owner elsewhere that was silent this long is dead. Here the process table is asked. */
const DEAD_MS = 60_000
const RECORD = 32 + 3 + 36 + 1

const ownerSchema = z.object({
  /** The machine, and the container on it: where `pid` means something. */
  host: z.string(),
  pid: z.number(),
  /** When that process began; null where the system does not tell. Numbers of processes are used again. */
  started: z.string().nullable(),
})

export class Claims {
  readonly #folder: string
  readonly #me = randomUUID()
  readonly #file: number
  readonly #heartbeat: NodeJS.Timeout
  /** Living claims in the order of the file: the first owner of a key holds it. */
  readonly #queue = new Map<string, string[]>()
  #scanned = 0

  private constructor(folder: string, file: number) {
    this.#folder = folder
    this.#file = file
    this.#heartbeat = setInterval(() => {
      const now = new Date()
      utimesSync(this.#ownerFile(this.#me), now, now)
    }, HEARTBEAT_MS).unref()
  }

  /** Joins the processes that work on the cache at `path`. */
  static async open(path: string): Promise<Claims> {
    const folder = `${path}.lock`
    mkdirSync(folder, { recursive: true })
    const release = await mutex(join(folder, "mutex"))
    try {
      const file = openSync(join(folder, "claims"), "a+")
      const claims = new Claims(folder, file)
      let company = false
      for (const name of readdirSync(folder)) {
        if (!name.startsWith("owner-")) continue
        if (claims.#alive(name.slice("owner-".length))) company = true
        else rmSync(join(folder, name), { force: true })
      }
      if (!company) ftruncateSync(file, 0)
      writeFileSync(
        claims.#ownerFile(claims.#me),
        JSON.stringify({ host: here(), pid: process.pid, started: beginningOf(process.pid) }),
      )
      return claims
    } finally {
      release()
    }
  }

  /** Claims a key. @returns false while another living process holds it */
  take(key: string): boolean {
    writeSync(this.#file, `${key} + ${this.#me}\n`)
    this.#read()
    if (this.holder(key) === this.#me) return true
    this.release(key)
    return false
  }

  /** Gives a claim up, after its answer was written or when there will be none. */
  release(key: string): void {
    writeSync(this.#file, `${key} - ${this.#me}\n`)
    this.#read()
  }

  /** The living owner of a key. */
  holder(key: string): string | undefined {
    this.#read()
    const owners = this.#queue.get(key)
    return owners?.find((owner) => owner === this.#me || this.#alive(owner))
  }

  #read(): void {
    const { size } = fstatSync(this.#file)
    const bytes = size - this.#scanned
    if (bytes < RECORD) return
    const buffer = Buffer.allocUnsafe(bytes - (bytes % RECORD))
    readSync(this.#file, buffer, 0, buffer.length, this.#scanned)
    this.#scanned += buffer.length
    for (let at = 0; at < buffer.length; at += RECORD) {
      const key = buffer.toString("latin1", at, at + 32)
      const owner = buffer.toString("latin1", at + 35, at + 71)
      const owners = this.#queue.get(key) ?? []
      if (buffer[at + 33] === 43) this.#queue.set(key, [...owners, owner])
      else {
        const at = owners.indexOf(owner)
        const left = owners.filter((_, i) => i !== at)
        if (left.length > 0) this.#queue.set(key, left)
        else this.#queue.delete(key)
      }
    }
  }

  #ownerFile(owner: string): string {
    return join(this.#folder, `owner-${owner}`)
  }

  #alive(owner: string): boolean {
    try {
      const file = this.#ownerFile(owner)
      const { host, pid, started } = ownerSchema.parse(JSON.parse(readFileSync(file, "utf8")))
      const fresh = () => Date.now() - statSync(file).mtimeMs < DEAD_MS
      if (host !== here()) return fresh()
      return started === null ? isRunning(pid) && fresh() : beginningOf(pid) === started
    } catch {
      return false
    }
  }

  close(): void {
    clearInterval(this.#heartbeat)
    closeSync(this.#file)
    rmSync(this.#ownerFile(this.#me), { force: true })
  }
}

/** This machine; inside a container, this container. */
function here(): string {
  try {
    return `${hostname()} ${readlinkSync("/proc/self/ns/pid")}`
  } catch {
    return hostname()
  }
}

/** A lock held for milliseconds; one older than ten seconds was left by a dead process. */
async function mutex(path: string): Promise<() => void> {
  for (let i = 0; i < 1000; i++) {
    try {
      closeSync(openSync(path, "wx"))
      return () => unlinkSync(path)
    } catch {
      try {
        if (Date.now() - statSync(path).mtimeMs > 10_000) rmSync(path, { force: true })
      } catch {
        continue
      }
      await sleep(20)
    }
  }
  throw new FourtierError({ where: path, what: "another process does not let go of this lock", fix: "delete the file" })
}
