/**
 * `descriptions.jsonl`: every answer ever received, one line each. The file is only appended to.
 *
 * A line is written by a single `write` call on a file opened for appending, so the lines of several processes do not mix,
 * and a killed process loses at most the line that it had not written. The last line with a key is valid. Memory holds only
 * an index from keys to file positions; texts are read on demand.
 *
 * There are two kinds of line. `{"key": ..., "ok": ...}` is an answer. `{"spec": ..., "is": {...}}` says once what all
 * answers with this spec have in common: prompt, system text, model, settings, strip.
 */

import { createHash } from "node:crypto"
import { closeSync, fdatasyncSync, fstatSync, mkdirSync, openSync, readSync, writeSync } from "node:fs"
import { dirname } from "node:path"
import { FourtierError } from "@fourtier/tensor"
import { canonicalJson, hashJson, notWritten } from "@fourtier/tensor/node"
import { z } from "zod"
import { KeyIndex } from "./key-index.ts"
import type { Prompt } from "./prompts.ts"
import type { Setting } from "./provider.ts"
import { stripReasoning } from "./reasoning.ts"

const answerSchema = z.object({
  /** See `answerKey`. */
  key: z.string(),
  /** 0: flagged, not used. */
  ok: z.union([z.literal(0), z.literal(1)]),
  clip: z.string(),
  /** The clip's file, relative to the data folder. */
  path: z.string(),
  prompt: z.string(),
  answer: z.string(),
  /** Why it is not used. */
  flags: z.array(z.string()).optional(),
  model: z.string(),
  spec: z.string(),
  /** The provider's kind, `import` or `edit`. */
  by: z.string(),
  /** ISO 8601, UTC. */
  time: z.string(),
  inputTokens: z.number().optional(),
  outputTokens: z.number().optional(),
  /** US dollars. */
  cost: z.number().optional(),
  /** Set when it came in one reply with the answers to other prompts. */
  together: z.literal(true).optional(),
  /** Settings of the spec that the server refused and the question was put without. */
  adapted: z.array(z.string()).optional(),
})

export type Answer = z.infer<typeof answerSchema>

/** What the answers to one prompt have in common. */
export interface Spec {
  prompt: string
  system: string | null
  model: string
  settings: { readonly [key: string]: Setting }
  strip: { readonly [key: string]: Setting }
}

const specLineSchema = z.object({ spec: z.string(), is: z.record(z.string(), z.unknown()) })

/**
 * A hash of a spec, 16 hexadecimal digits.
 *
 * @example
 * ```ts
 * import { promptSpec, specId } from "fourtier/describe"
 *
 * const common = { system: null, model: "gpt-4o", settings: {}, strip: { frames: 5, height: 256 } }
 * specId(promptSpec({ id: "A", text: "What is the action category?" }, common)).length // 16
 * ```
 */
export function specId(spec: Spec): string {
  return hashJson(spec).slice(0, 16)
}

/**
 * The spec of the answers to a prompt. The prompt's id is not part of it: after renaming a column, nothing is asked again.
 *
 * @example
 * ```ts
 * import { promptSpec } from "fourtier/describe"
 *
 * const common = { system: null, model: "gpt-4o", settings: {}, strip: { frames: 5, height: 256 } }
 * promptSpec({ id: "A", text: "What is the action category?" }, common).prompt // "What is the action category?"
 * ```
 */
export function promptSpec(prompt: Prompt, common: Omit<Spec, "prompt">): Spec {
  return { ...common, prompt: prompt.text }
}

/**
 * The key of an answer: a hash of the clip's content (with its time window) and the spec, 32 hexadecimal digits.
 *
 * @example
 * ```ts
 * import { answerKey } from "fourtier/describe"
 *
 * answerKey("5feceb66ffc86f38", "9e0b1c2d3e4f5a6b").length // 32
 * ```
 */
export function answerKey(clipHash: string, spec: string): string {
  return createHash("sha256").update(`${clipHash}\u0000${spec}`).digest("hex").slice(0, 32)
}

const KEY_AT = '{"key":"'.length
const OK_AT = KEY_AT + 32 + '","ok":'.length
const HEAD = Buffer.from('{"key":"')
const SPEC_HEAD = Buffer.from('{"spec":"')
const CHUNK = 4 << 20
const RECENT = 2048
const GOOD = 1
const FLAGGED = 2

/**
 * The answers in a file.
 *
 * @example
 * ```ts
 * import { DescriptionCache } from "fourtier/describe"
 *
 * const cache = new DescriptionCache("cache/descriptions.jsonl")
 * for (const { clip, prompt, answer } of cache.answers()) console.log(clip, prompt, answer)
 * cache.close()
 * ```
 */
export class DescriptionCache {
  readonly path: string
  /** Number of lines that are neither answer nor spec: cut off by a crash, or damaged. They are skipped. */
  damaged = 0
  #file: number
  #scanned = 0
  readonly #index = new KeyIndex()
  readonly #specs = new Map<string, Record<string, unknown>>()
  #flagged = 0
  /** Offset and length of the last answers, in a ring buffer. */
  readonly #recent = new Float64Array(2 * RECENT)
  #recentCount = 0
  #dirty = false
  #flush: NodeJS.Timeout | undefined

  /** Opens or creates the file and indexes it. @throws FourtierError when it cannot be opened */
  constructor(path: string) {
    this.path = path
    try {
      mkdirSync(dirname(path), { recursive: true })
      this.#file = openSync(path, "a+")
    } catch (error) {
      throw notWritten(path, error, "answers")
    }
    this.refresh()
    if (fstatSync(this.#file).size > this.#scanned) {
      writeSync(this.#file, "\n")
      this.refresh()
    }
  }

  /** Number of keys with an answer, sound or flagged. */
  get size(): number {
    return this.#index.size
  }

  /** Number of keys whose answer is flagged. */
  get flagged(): number {
    return this.#flagged
  }

  /** Reads what this process and others have appended since the last call. */
  refresh(): void {
    const { size } = fstatSync(this.#file)
    if (size <= this.#scanned) return
    let buffer = Buffer.allocUnsafe(Math.min(CHUNK, size - this.#scanned))
    for (;;) {
      const got = readSync(this.#file, buffer, 0, buffer.length, this.#scanned)
      const end = got === 0 ? -1 : buffer.lastIndexOf(10, got - 1)
      if (end < 0) {
        if (got < buffer.length) return
        buffer = Buffer.allocUnsafe(buffer.length * 2)
        continue
      }
      let from = 0
      while (from <= end) {
        const to = buffer.indexOf(10, from)
        if (to > from) this.#take(buffer.subarray(from, to), this.#scanned + from)
        from = to + 1
      }
      this.#scanned += end + 1
      if (got < buffer.length) return
    }
  }

  #take(line: Buffer, offset: number): void {
    if (line[line.length - 1] === 125) {
      const head = line.lastIndexOf(HEAD)
      if (head >= 0) {
        const ok = line[head + OK_AT]
        const mark = ok === 49 ? GOOD : ok === 48 ? FLAGGED : 0
        const before = mark === 0 ? -1 : this.#index.set(line, head + KEY_AT, offset + head, line.length - head, mark)
        if (before >= 0) {
          this.#recent.set([offset + head, line.length - head], (this.#recentCount++ % RECENT) * 2)
          this.#flagged += (mark === FLAGGED ? 1 : 0) - (before === FLAGGED ? 1 : 0)
          return
        }
      } else if (line.indexOf(SPEC_HEAD) === 0) {
        try {
          const { spec, is } = specLineSchema.parse(JSON.parse(line.toString("utf8")))
          this.#specs.set(spec, is)
          return
        } catch {
          this.damaged++
          return
        }
      }
    }
    this.damaged++
  }

  /** Whether the key has an answer; `undefined` when not. Does not read the file. */
  state(key: string): "good" | "flagged" | undefined {
    const mark = this.#index.get(key)?.mark
    return mark === GOOD ? "good" : mark === FLAGGED ? "flagged" : undefined
  }

  /** The valid answer of a key: the last one. */
  read(key: string): Answer | undefined {
    const place = this.#index.get(key)
    return place && this.#readAt(place.offset, place.length)
  }

  #readAt(offset: number, length: number): Answer {
    const buffer = Buffer.allocUnsafe(length)
    readSync(this.#file, buffer, 0, length, offset)
    const text = buffer.toString("utf8")
    try {
      const answer = answerSchema.parse(JSON.parse(text))
      return { ...answer, answer: stripReasoning(answer.answer).text }
    } catch (error) {
      throw new FourtierError(
        {
          where: `${this.path}, byte ${offset}`,
          what: "not a valid answer",
          found: text.slice(0, 200),
          fix: "delete the line",
        },
        { cause: error },
      )
    }
  }

  /** The valid answers, in the order of the file. */
  *answers(): Generator<Answer> {
    const places = [...this.#index.places()].sort((a, b) => a.offset - b.offset)
    for (const { offset, length } of places) yield this.#readAt(offset, length)
  }

  /** The last `count` answers written (2,048 at most), oldest first. */
  *latest(count: number): Generator<Answer> {
    const total = this.#recentCount
    for (let i = Math.max(0, total - Math.min(count, RECENT)); i < total; i++) {
      const at = (i % RECENT) * 2
      yield this.#readAt(this.#recent[at], this.#recent[at + 1])
    }
  }

  /** All answers that a key has had, in order, including those that were replaced. */
  *history(key: string): Generator<Answer> {
    const wanted = Buffer.from(`{"key":"${key}"`)
    let size = CHUNK
    for (let offset = 0; offset < this.#scanned; ) {
      const buffer = Buffer.allocUnsafe(Math.min(size, this.#scanned - offset))
      readSync(this.#file, buffer, 0, buffer.length, offset)
      const end = buffer.lastIndexOf(10)
      if (end < 0) {
        size *= 2
        continue
      }
      for (let at = buffer.indexOf(wanted); at >= 0 && at < end; ) {
        const to = buffer.indexOf(10, at)
        yield this.#readAt(offset + at, to - at)
        at = buffer.indexOf(wanted, to)
      }
      offset += end + 1
    }
  }

  /** What the answers with this spec id have in common. */
  spec(id: string): Record<string, unknown> | undefined {
    return this.#specs.get(id)
  }

  /** Ids of all specs. */
  specIds(): string[] {
    return [...this.#specs.keys()]
  }

  /** Writes a spec unless the file has it. @returns its id */
  register(spec: Spec): string {
    const id = specId(spec)
    this.keepSpec(id, { ...spec })
    return id
  }

  /** Writes what the answers with this spec id have in common, unless the file has it. */
  keepSpec(id: string, spec: Record<string, unknown>): void {
    if (!this.#specs.has(id)) this.#write(`{"spec":${JSON.stringify(id)},"is":${canonicalJson(spec)}}`)
  }

  /** Writes an answer; it replaces earlier ones with its key. @throws FourtierError when the disk is full */
  append(answer: Answer): void {
    const { key, ok, ...rest } = answer
    this.#write(JSON.stringify({ key, ok, ...rest }))
  }

  #writing<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      throw notWritten(this.path, error, "answers")
    }
  }

  #write(line: string): void {
    const bytes = Buffer.from(`${line}\n`, "utf8")
    const written = this.#writing(() => writeSync(this.#file, bytes))
    if (written !== bytes.length) {
      writeSync(this.#file, "\n")
      throw new FourtierError({
        where: this.path,
        what: "an answer could be written in part only",
        expected: `${bytes.length} bytes`,
        found: `${written} bytes`,
        fix: "free disk space and run again",
      })
    }
    this.refresh()
    this.#dirty = true
    this.#flush ??= setTimeout(() => this.sync(), 1000).unref()
  }

  /** Flushes appended answers to the disk, so that they survive a power cut. Done every second in any case. */
  sync(): void {
    clearTimeout(this.#flush)
    this.#flush = undefined
    if (!this.#dirty) return
    this.#dirty = false
    fdatasyncSync(this.#file)
  }

  close(): void {
    this.sync()
    closeSync(this.#file)
  }
}
