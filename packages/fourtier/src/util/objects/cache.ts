/**
 * Objects on the local disk: what is read again is not fetched again. Each file is named by the object's address and content, and
 * appears when it is whole; where all together are larger than the limit, those go that were not used for longest.
 *
 * ```
 * FOURTIER_OBJECTS      folder; default `objects` in the user's cache
 * FOURTIER_OBJECTS_GB   limit in GB; default 20
 * ```
 */

import { createHash } from "node:crypto"
import { createWriteStream, existsSync, statSync, utimesSync } from "node:fs"
import { mkdir, readdir, rename, rm, stat } from "node:fs/promises"
import { extname, join } from "node:path"
import { pipeline } from "node:stream/promises"
import { FourtierError } from "@fourtier/tensor"
import { notWritten, temporaryName } from "@fourtier/tensor/node"
import { cacheFolders } from "../cache-folders.ts"
import type { ByteRange, ObjectClient, ObjectStat } from "./client.ts"

const GB = 1e9
const DEFAULT_GB = 20
/** Files used within so many milliseconds stay: somebody may be about to open them. */
const IN_USE_MS = 60_000
/** A use is noted where the last is older than this. */
const NOTED_MS = 10_000
/** The folder is looked through again when a share of the limit has been fetched. */
const SHARE = 1 / 20
/** It is emptied to a share of the limit. */
const EMPTIED = 0.9

export class ObjectCache {
  readonly #folder: string
  readonly #limit: number
  /** Bytes fetched since the folder was looked through; at once at the start. */
  #fetched = Number.POSITIVE_INFINITY

  constructor(folder: string, limit: number) {
    this.#folder = folder
    this.#limit = limit
  }

  /** The cache that the environment names. @throws FourtierError for a limit that is no number */
  static ofEnvironment(env: NodeJS.ProcessEnv = process.env): ObjectCache {
    const text = env.FOURTIER_OBJECTS_GB ?? String(DEFAULT_GB)
    const limit = Number(text)
    if (text.trim() === "" || !Number.isFinite(limit) || limit <= 0) {
      throw new FourtierError({
        where: "FOURTIER_OBJECTS_GB",
        what: "not a size",
        expected: "GB of local disk for objects, larger than 0",
        found: text,
      })
    }
    return new ObjectCache(env.FOURTIER_OBJECTS || cacheFolders().objects, limit * GB)
  }

  /** The local file of an object, or of some of its bytes, where it is here already. It counts as used now. */
  find(address: string, object: ObjectStat, range?: ByteRange): string | null {
    const path = this.#pathOf(address, object, range)
    if (!existsSync(path)) return null
    try {
      const now = Date.now()
      if (now - statSync(path).mtimeMs > NOTED_MS) utimesSync(path, now / 1000, now / 1000)
    } catch {
      return null
    }
    return path
  }

  /**
   * The local file, fetched where it is not here.
   * @throws FourtierError where the object cannot be read, or the file not written
   */
  async fetch(client: ObjectClient, address: string, object: ObjectStat, range?: ByteRange): Promise<string> {
    const here = this.find(address, object, range)
    if (here !== null) return here
    const path = this.#pathOf(address, object, range)
    const size = range ? range.end - range.start : object.size
    await mkdir(join(path, ".."), { recursive: true })
    const temporary = temporaryName(path)
    try {
      const content = await client.read(address, object.tag, range)
      await pipeline(content, createWriteStream(temporary)).catch((error: unknown) => {
        throw isOfDisk(error) ? notWritten(temporary, error, `a copy of ${address}`) : interrupted(address, error)
      })
      const { size: got } = await stat(temporary)
      if (got !== size) throw interrupted(address, `${got} of ${size} bytes came`)
      await rename(temporary, path)
    } catch (error) {
      await rm(temporary, { force: true })
      throw error
    }
    this.#fetched += size
    if (this.#fetched > SHARE * this.#limit) await this.#tidy()
    return path
  }

  /** Removes what was not used for longest where there is more than the limit. */
  async #tidy(): Promise<void> {
    this.#fetched = 0
    const files: { path: string; size: number; used: number }[] = []
    for (const folder of await readdir(this.#folder).catch(() => [])) {
      for (const name of await readdir(join(this.#folder, folder)).catch(() => [])) {
        const path = join(this.#folder, folder, name)
        const found = await stat(path).catch(() => null)
        if (found?.isFile()) files.push({ path, size: found.size, used: found.mtimeMs })
      }
    }
    let total = files.reduce((sum, { size }) => sum + size, 0)
    if (total <= this.#limit) return
    files.sort((a, b) => a.used - b.used)
    for (const { path, size, used } of files) {
      if (total <= EMPTIED * this.#limit || Date.now() - used < IN_USE_MS) break
      await rm(path, { force: true })
      total -= size
    }
  }

  #pathOf(address: string, { tag, size, mtime }: ObjectStat, range?: ByteRange): string {
    const content = tag === "" ? `${size} ${mtime}` : tag
    const part = range ? `${range.start}-${range.end}` : ""
    const name = createHash("sha256")
      .update(
        JSON.stringify([process.env.AWS_ENDPOINT_URL_S3 ?? process.env.AWS_ENDPOINT_URL ?? "", address, content, part]),
      )
      .digest("hex")
    // decoders go by the ending too
    return join(this.#folder, name.slice(0, 2), `${name}${extname(address)}`)
  }
}

const isOfDisk = (error: unknown) =>
  error instanceof Error && "syscall" in error && /write|open/.test(String(error.syscall))

function interrupted(address: string, found: unknown): FourtierError {
  const text = found instanceof Error ? found.message : String(found)
  return new FourtierError({
    where: address,
    what: "object storage broke off",
    found: text,
    fix: "start again: what is here is kept",
  })
}
