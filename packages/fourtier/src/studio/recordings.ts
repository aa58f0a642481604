/**
 * Recordings that come in while a page makes them: what has come stays, whatever becomes of the page or of this server.
 *
 * ```
 * <own>/recordings/<id>.part    what has come
 *                  <id>.json    its name and label
 * ```
 */

import { randomBytes } from "node:crypto"
import { mkdir, open, readdir, readFile, rm, stat } from "node:fs/promises"
import { join } from "node:path"
import { formatBytes } from "@fourtier/core"
import { messageOf } from "@fourtier/tensor"
import { notWritten, writeJson } from "@fourtier/tensor/node"
import { z } from "zod"
import type { Clip } from "./api.ts"
import { Refusal } from "./refusal.ts"

/** Milliseconds after which a recording that nothing comes for is taken as it is: its page is gone. */
const SILENCE_MS = 5000

const aboutSchema = z.object({ name: z.string(), label: z.string().nullable() })
type About = z.infer<typeof aboutSchema>

interface Open extends About {
  bytes: number
  timer: NodeJS.Timeout | null
  /** One write at a time. */
  turn: Promise<unknown>
}

export interface RecordingsOptions {
  folder: string
  /** Bytes of one recording, at most. */
  longest: number
  /** Makes a clip of a file. */
  take: (about: About, path: string) => Promise<Clip>
  silence?: number
}

export class Recordings {
  readonly #options: Required<RecordingsOptions>
  readonly #open = new Map<string, Open>()

  constructor(options: RecordingsOptions) {
    this.#options = { silence: SILENCE_MS, ...options }
  }

  /** @param name that of a video, without folders @returns what names the recording from now on */
  async begin(name: string, label: string | null): Promise<string> {
    const { folder } = this.#options
    const id = randomBytes(12).toString("hex")
    await mkdir(folder, { recursive: true })
    await writeJson(this.#about(id), { name, label })
    this.#open.set(id, { name, label, bytes: 0, timer: null, turn: Promise.resolve() })
    this.#wait(id)
    return id
  }

  /**
   * Writes what has come next. The same piece may come twice.
   * @param at how many bytes have come before it
   * @returns how many have come
   */
  append(id: string, at: number, piece: Uint8Array): Promise<number> {
    return this.#inTurn(id, async (own) => {
      const { longest } = this.#options
      if (!Number.isSafeInteger(at) || at < 0 || at > own.bytes) {
        const expected = `0 to ${own.bytes}, the bytes that have come`
        throw new Refusal(409, { where: "at", what: "a piece is missing before this one", expected, found: String(at) })
      }
      if (at + piece.length > longest) {
        const expected = `${formatBytes(longest)} at most`
        throw new Refusal(413, {
          where: "body",
          what: "the recording is too long",
          expected,
          fix: "end it, and begin another",
        })
      }
      await writeAt(this.#part(id), at, piece, own.bytes === 0)
      own.bytes = Math.max(own.bytes, at + piece.length)
      this.#wait(id)
      return own.bytes
    })
  }

  /** Makes a clip of what has come. @throws Refusal where nothing has */
  finish(id: string): Promise<Clip> {
    return this.#inTurn(id, async (own) => {
      this.#forget(id, own)
      if (own.bytes === 0) {
        await this.#remove(id)
        throw new Refusal(400, { where: "recording", what: "nothing was recorded" })
      }
      const clip = await this.#options.take({ name: own.name, label: own.label }, this.#part(id))
      await this.#remove(id)
      return clip
    })
  }

  /** Throws what has come away. */
  abort(id: string): Promise<void> {
    return this.#inTurn(id, async (own) => {
      this.#forget(id, own)
      await this.#remove(id)
    })
  }

  /** What a server that was killed has left becomes clips. */
  async recover(): Promise<void> {
    const { folder } = this.#options
    const names = await readdir(folder).catch((): string[] => [])
    for (const id of names.flatMap((name) => /^([0-9a-f]{24})\.json$/.exec(name)?.[1] ?? [])) {
      const about = await readFile(this.#about(id), "utf8")
        .then((text) => aboutSchema.parse(JSON.parse(text)))
        .catch(() => null)
      const size = (await stat(this.#part(id)).catch(() => null))?.size ?? 0
      if (about && size > 0) await this.#options.take(about, this.#part(id)).catch(complain)
      await this.#remove(id)
    }
  }

  /** Makes clips of all that are open, as the server ends. */
  async close(): Promise<void> {
    await Promise.all([...this.#open.keys()].map((id) => this.finish(id).catch(() => undefined)))
  }

  /** Takes it as it is unless more comes. */
  #wait(id: string): void {
    const own = this.#open.get(id)
    if (!own) return
    if (own.timer) clearTimeout(own.timer)
    own.timer = setTimeout(() => {
      if (own.bytes > 0) this.finish(id).catch(complain)
      else this.abort(id).catch(complain)
    }, this.#options.silence)
    own.timer.unref()
  }

  #forget(id: string, own: Open): void {
    if (own.timer) clearTimeout(own.timer)
    this.#open.delete(id)
  }

  async #remove(id: string): Promise<void> {
    await rm(this.#about(id), { force: true })
    await rm(this.#part(id), { force: true })
  }

  #inTurn<T>(id: string, work: (own: Open) => Promise<T>): Promise<T> {
    const own = this.#open.get(id)
    if (!own) return Promise.reject(gone(id))
    const done = own.turn.then(() => {
      if (this.#open.get(id) !== own) throw gone(id)
      return work(own)
    })
    own.turn = done.catch(() => undefined)
    return done
  }

  #part(id: string): string {
    return join(this.#options.folder, `${id}.part`)
  }

  #about(id: string): string {
    return join(this.#options.folder, `${id}.json`)
  }
}

function gone(id: string): Refusal {
  return new Refusal(404, {
    where: "recording",
    what: "there is no such recording, or it was ended because nothing came",
    found: id.slice(0, 40),
    fix: "begin another; what had come of it is a clip",
  })
}

function complain(error: unknown): void {
  process.stderr.write(`recording: ${messageOf(error)}\n`)
}

/** @param fresh whether the file is to be made */
async function writeAt(path: string, at: number, piece: Uint8Array, fresh: boolean): Promise<void> {
  try {
    const file = await open(path, fresh ? "w" : "r+")
    try {
      for (let done = 0; done < piece.length; ) {
        done += (await file.write(piece, done, piece.length - done, at + done)).bytesWritten
      }
    } finally {
      await file.close()
    }
  } catch (error) {
    throw notWritten(path, error)
  }
}
