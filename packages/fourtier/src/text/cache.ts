/**
 * Text embeddings on disk, so that no text is embedded twice by one encoder.
 *
 * ```
 * <root>/<encoder id>/<segment>.bin     float32 records, one a text: pooled [Dt], then its tokens [L,Dt]
 *                     <segment>.jsonl   one line a text: {text: SHA-256, at: byte offset in .bin, length: L}
 * ```
 * Each writing process has a segment of its own, so several may write at once. A record counts only once its line is
 * there, and its line is written after its numbers are on disk: a killed process loses at most the texts under way.
 */

import { createHash, randomBytes } from "node:crypto"
import { type FileHandle, mkdir, open, readdir, readFile, stat } from "node:fs/promises"
import { join } from "node:path"
import { FourtierError, messageOf, nonFinite } from "@fourtier/tensor"
import { bytesOf, notWritten, openFile, readExactly, writeExactly } from "@fourtier/tensor/node"
import { z } from "zod"
import { markUsed } from "../util/cache-folders.ts"
import type { TextEmbeddings, TextEncoder, TokenVectors } from "./embed.ts"

/** Texts that are embedded before their records are written. */
const CHUNK = 256

const lineSchema = z.object({
  text: z.string().length(64),
  at: z.int().nonnegative(),
  length: z.int().nonnegative(),
})

interface Place {
  segment: Segment
  at: number
  length: number
}

interface Segment {
  path: string
  /** Opened when first read or written. */
  file: Promise<FileHandle> | undefined
}

/**
 * A text encoder that asks another one only for what is not on disk yet.
 *
 * @example
 * ```ts
 * import { CachedTextEncoder, loadUse } from "fourtier/text"
 *
 * const encoder = await CachedTextEncoder.open(await loadUse(), "cache/texts")
 * const { pooled } = await encoder.embed(["a person jumps"])
 * await encoder.release()
 * ```
 */
export class CachedTextEncoder implements TextEncoder {
  readonly id: string
  readonly width: number
  readonly space: string | null
  readonly directory: string
  /** Texts answered from disk, and texts embedded, since it was opened. */
  reused = 0
  computed = 0
  readonly #encoder: TextEncoder
  readonly #places = new Map<string, Place>()
  readonly #segments: Segment[] = []
  #own: { segment: Segment; lines: FileHandle; end: number } | undefined
  #turn: Promise<unknown> = Promise.resolve()

  private constructor(encoder: TextEncoder, directory: string) {
    this.id = encoder.id
    this.width = encoder.width
    this.space = encoder.space ?? null
    this.directory = directory
    this.#encoder = encoder
  }

  /**
   * Opens the records of this encoder below `root`, which is made when the first record is written.
   * @param others further roots, whose records are read as well
   */
  static async open(encoder: TextEncoder, root: string, others: readonly string[] = []): Promise<CachedTextEncoder> {
    const cached = new CachedTextEncoder(encoder, join(root, encoder.id))
    for (const folder of [root, ...others].map((own) => join(own, encoder.id))) {
      for (const name of await listing(folder)) {
        if (name.endsWith(".jsonl")) await cached.#index(join(folder, name.slice(0, -".jsonl".length)))
      }
    }
    await markUsed(cached.directory)
    return cached
  }

  /** Distinct texts on disk. */
  get size(): number {
    return this.#places.size
  }

  /** Calls take turns, so that texts asked for twice at once are embedded once. */
  async embed(texts: readonly string[]): Promise<TextEmbeddings> {
    const result = this.#turn.then(() => this.#embed(texts))
    this.#turn = result.catch(() => undefined)
    return result
  }

  async release(): Promise<void> {
    await this.#turn
    for (const segment of this.#segments) {
      await (await segment.file)?.close()
      segment.file = undefined
    }
    await this.#own?.lines.close()
    this.#own = undefined
    await this.#encoder.release()
  }

  async #embed(texts: readonly string[]): Promise<TextEmbeddings> {
    const keys = texts.map(textKey)
    const missing = new Map<string, string>()
    for (const [i, key] of keys.entries()) if (!this.#places.has(key)) missing.set(key, texts[i])
    const todo = [...missing]
    for (let start = 0; start < todo.length; start += CHUNK) await this.#compute(todo.slice(start, start + CHUNK))
    this.computed += todo.length
    this.reused += new Set(keys).size - todo.length
    const pooled: Float32Array[] = []
    const tokens: TokenVectors[] = []
    for (const key of keys) {
      const record = await this.#read(key)
      pooled.push(record.subarray(0, this.width))
      tokens.push({ data: record.subarray(this.width), length: record.length / this.width - 1 })
    }
    return { pooled, tokens }
  }

  async #compute(entries: readonly [key: string, text: string][]): Promise<void> {
    const { pooled, tokens } = await this.#encoder.embed(entries.map(([, text]) => text))
    for (const [i, [, text]] of entries.entries()) {
      const broken = nonFinite(pooled[i], [this.width]) ?? nonFinite(tokens[i].data, [tokens[i].length, this.width])
      if (broken !== null) throw brokenText(text, this.#encoder.id, broken)
    }
    this.#own ??= await this.#newSegment()
    const { segment, lines, end } = this.#own
    const file = await handle(segment)
    let at = end
    const index = entries.map(([text], i) => {
      const place = { text, at, length: tokens[i].length }
      at += this.#bytes(place.length)
      return place
    })
    const records = new Float32Array((at - end) / 4)
    for (const [i, place] of index.entries()) {
      const from = (place.at - end) / 4
      records.set(pooled[i], from)
      records.set(tokens[i].data, from + this.width)
    }
    try {
      await writeExactly(file, bytesOf(records), end)
      await file.datasync()
      await lines.appendFile(index.map((place) => `${JSON.stringify(place)}\n`).join(""))
      await lines.datasync()
    } catch (error) {
      throw notWritten(segment.path, error, "text embeddings")
    }
    this.#own.end = at
    for (const { text, at: offset, length } of index) this.#places.set(text, { segment, at: offset, length })
  }

  async #read(key: string): Promise<Float32Array> {
    const place = this.#places.get(key)
    if (!place) throw new Error("internal error: an embedded text has no record")
    const record = new Float32Array((place.length + 1) * this.width)
    await readExactly(await handle(place.segment), bytesOf(record), place.at, place.segment.path)
    return record
  }

  #bytes(length: number): number {
    return (length + 1) * this.width * 4
  }

  /** Takes in a segment's lines; the last one may be cut off, and lines past the end of the numbers do not count. */
  async #index(stem: string): Promise<void> {
    const segment: Segment = { path: `${stem}.bin`, file: undefined }
    this.#segments.push(segment)
    const size = await stat(segment.path).then(
      (found) => found.size,
      () => 0,
    )
    for (const line of (await readFile(`${stem}.jsonl`, "utf8")).split("\n")) {
      const place = parseLine(line)
      if (place && place.at + this.#bytes(place.length) <= size) {
        this.#places.set(place.text, { segment, at: place.at, length: place.length })
      }
    }
  }

  async #newSegment(): Promise<{ segment: Segment; lines: FileHandle; end: number }> {
    const stem = join(this.directory, `${process.pid}-${randomBytes(6).toString("hex")}`)
    try {
      await mkdir(this.directory, { recursive: true })
      const file = await open(`${stem}.bin`, "wx+")
      const segment: Segment = { path: `${stem}.bin`, file: Promise.resolve(file) }
      this.#segments.push(segment)
      return { segment, lines: await open(`${stem}.jsonl`, "ax"), end: 0 }
    } catch (error) {
      throw notWritten(`${stem}.bin`, error, "text embeddings")
    }
  }
}

function brokenText(text: string, encoder: string, found: string): FourtierError {
  return new FourtierError({
    where: `text encoder ${encoder}`,
    what: `the embedding of "${text.length > 60 ? `${text.slice(0, 60)}…` : text}" has numbers that are not finite`,
    found,
    fix: "check the weights of the text encoder, and its precision",
  })
}

function textKey(text: string): string {
  return createHash("sha256").update(text, "utf16le").digest("hex")
}

function parseLine(line: string): z.infer<typeof lineSchema> | undefined {
  try {
    return lineSchema.safeParse(JSON.parse(line)).data
  } catch {
    return undefined
  }
}

async function handle(segment: Segment): Promise<FileHandle> {
  segment.file ??= openFile(segment.path, () => open(segment.path, "r"))
  try {
    return await segment.file
  } catch (error) {
    segment.file = undefined
    throw error
  }
}

async function listing(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory)).sort()
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return []
    throw new FourtierError({ where: directory, what: "cannot be read", found: messageOf(error) }, { cause: error })
  }
}
