/**
 * Leases on questions, so that two processes with one cache never pay for the same answer.
 *
 * Beside the cache lies a folder `<cache>.lock`:
 *   owner-<uuid>   one file per process (see util/owner.ts)
 *   leases         append-only: "<key> + <uuid>" (about to ask), "<key> - <uuid>" (given back)
 * The file system orders appends, so all readers agree which living owner was the first to take a key. A lease ends when it
 * is given back (its answer then is in the cache, or there is none), or when its owner dies.
 */

import {
  closeSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs"
import { join } from "node:path"
import { notWritten } from "@fourtier/tensor/node"
import { withMutex } from "../util/lock.ts"
import { isAlive, keepAlive, newOwner, readOwner } from "../util/owner.ts"

/** Bytes of a line in `leases`: key, sign, owner. */
const RECORD = 32 + 3 + 36 + 1

export class Leases {
  readonly #folder: string
  readonly #owner = newOwner()
  readonly #file: number
  #stopHeartbeat: () => void = () => {}
  /** Owners by key, in the order of the file: the first that lives holds the lease. */
  readonly #queue = new Map<string, string[]>()
  #scanned = 0

  private constructor(folder: string, file: number) {
    this.#folder = folder
    this.#file = file
  }

  /** Joins the processes that work with the cache at `path`. */
  static async open(path: string): Promise<Leases> {
    const folder = `${path}.lock`
    mkdirSync(folder, { recursive: true })
    return withMutex(join(folder, "mutex"), async () => {
      const leases = new Leases(folder, openSync(join(folder, "leases"), "a+"))
      leases.#join()
      return leases
    })
  }

  /** Removes dead owners, and old leases when no owner is left; then writes this process's owner file. */
  #join(): void {
    let alone = true
    for (const name of readdirSync(this.#folder)) {
      if (!name.startsWith("owner-")) continue
      if (this.#lives(name.slice("owner-".length))) alone = false
      else rmSync(join(this.#folder, name), { force: true })
    }
    if (alone) ftruncateSync(this.#file, 0)
    const own = this.#ownerFile(this.#owner.id)
    writeFileSync(own, JSON.stringify(this.#owner))
    this.#stopHeartbeat = keepAlive(own)
  }

  /** Takes the lease on a key. @returns false while another living process holds it */
  acquire(key: string): boolean {
    this.#note(`${key} + ${this.#owner.id}\n`)
    this.#read()
    if (this.holder(key) === this.#owner.id) return true
    this.release(key)
    return false
  }

  /** Gives a lease back, after its answer was written or when there will be none. */
  release(key: string): void {
    this.#note(`${key} - ${this.#owner.id}\n`)
    this.#read()
  }

  #note(line: string): void {
    try {
      writeSync(this.#file, line)
    } catch (error) {
      throw notWritten(join(this.#folder, "leases"), error, "which process asks what")
    }
  }

  /** Id of the living owner that holds the lease on a key. */
  holder(key: string): string | undefined {
    this.#read()
    return this.#queue.get(key)?.find((owner) => owner === this.#owner.id || this.#lives(owner))
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
      if (buffer.toString("latin1", at + 33, at + 34) === "+") this.#enqueue(key, owner)
      else this.#dequeue(key, owner)
    }
  }

  #enqueue(key: string, owner: string): void {
    this.#queue.set(key, [...(this.#queue.get(key) ?? []), owner])
  }

  #dequeue(key: string, owner: string): void {
    const owners = this.#queue.get(key) ?? []
    const at = owners.indexOf(owner)
    const left = owners.filter((_, i) => i !== at)
    if (left.length > 0) this.#queue.set(key, left)
    else this.#queue.delete(key)
  }

  #ownerFile(id: string): string {
    return join(this.#folder, `owner-${id}`)
  }

  #lives(id: string): boolean {
    const file = this.#ownerFile(id)
    const owner = readOwner(file)
    return owner !== null && isAlive(owner, file)
  }

  /** Leaves; all leases of this process end. */
  close(): void {
    this.#stopHeartbeat()
    closeSync(this.#file)
    rmSync(this.#ownerFile(this.#owner.id), { force: true })
  }
}
