/**
 * `descriptions.jsonl`: every answer ever received, one line each. The file is only appended to.
 *
 * Over a network file system, lines that several machines append to one file overwrite each other. Workers that share a cache
 * therefore write files of their own, `descriptions.jsonl.parts/<name>.jsonl`, which are read together with it: a sound answer counts
 * before a flagged one, and of two such what the file itself has counts. `fourtier cache merge` takes them into the file.
 *
 * A line is written by a single `write` call on a file opened for appending, so the lines of several processes do not mix,
 * and a killed process loses at most the line that it had not written. The last line with a key is valid. Memory holds only
 * an index from keys to file positions; texts are read on demand.
 *
 * There are two kinds of line. `{"key": ..., "ok": ...}` is an answer. `{"spec": ..., "is": {...}}` says once what all
 * answers with this spec have in common: prompt, system text, model, settings, strip.
 */

import { createHash } from "node:crypto"
import { existsSync, readdirSync } from "node:fs"
import { rm } from "node:fs/promises"
import { join } from "node:path"
import { FourtierError } from "@fourtier/tensor"
import { canonicalJson, hashJson } from "@fourtier/tensor/node"
import { z } from "zod"
import { AnswerFile } from "./answer-file.ts"
import { KeyIndex, type Place } from "./key-index.ts"
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
const RECENT = 2048
const GOOD = 1
const FLAGGED = 2

/** Folder of the files of workers that share a cache of answers. */
export const partsFolder = (path: string) => `${path}.parts`

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
  /** The file itself comes first where there is one. */
  readonly #files: AnswerFile[] = []
  readonly #known = new Set<string>()
  /** Which of the files is written. */
  readonly #own: AnswerFile
  /** Place of the file itself among the files; -1 while there is none. */
  #main = -1
  readonly #index = new KeyIndex()
  readonly #specs = new Map<string, Record<string, unknown>>()
  #flagged = 0
  /** File, offset and length of the last answers, in a ring buffer. */
  readonly #recent = new Float64Array(3 * RECENT)
  #recentCount = 0

  /**
   * Opens or creates the file and indexes it.
   * @param part name of the file that this process writes, where several machines share the cache; absent: the file itself
   * @throws FourtierError when it cannot be opened
   */
  constructor(path: string, part?: string) {
    this.path = path
    const own = part === undefined ? path : join(partsFolder(path), `${part}.jsonl`)
    this.#own = this.#open(own, true)
    this.refresh(true)
    this.#own.endTornLine(this.#taking(0))
  }

  #open(path: string, writable: boolean): AnswerFile {
    const file = new AnswerFile(path, writable)
    this.#known.add(path)
    const number = this.#files.push(file) - 1
    if (path === this.path) this.#main = number
    return file
  }

  /** Number of keys with an answer, sound or flagged. */
  get size(): number {
    return this.#index.size
  }

  /** Number of keys whose answer is flagged. */
  get flagged(): number {
    return this.#flagged
  }

  /**
   * Reads what this process and others have appended since the last call.
   * @param asServerHasIt looks for further files, and asks the server of a network file system, which may know of more than this machine
   * does
   */
  refresh(asServerHasIt = false): void {
    if (asServerHasIt) this.#openOthers()
    for (const [number, file] of this.#files.entries()) file.scan(this.#taking(number), asServerHasIt)
  }

  #openOthers(): void {
    if (!this.#known.has(this.path) && existsSync(this.path)) this.#open(this.path, false)
    for (const name of listing(partsFolder(this.path))) {
      const path = join(partsFolder(this.path), name)
      if (name.endsWith(".jsonl") && !this.#known.has(path)) this.#open(path, false)
    }
  }

  #taking(file: number): (line: Buffer, offset: number) => void {
    return (line, offset) => this.#take(line, file, offset)
  }

  #take(line: Buffer, file: number, start: number): void {
    if (line[line.length - 1] === 125) {
      const head = line.lastIndexOf(HEAD)
      if (head >= 0) {
        const ok = line[head + OK_AT]
        const mark = ok === 49 ? GOOD : ok === 48 ? FLAGGED : 0
        const place = { file, offset: start + head, length: line.length - head, mark }
        if (mark !== 0 && this.#put(line, head + KEY_AT, place)) return
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

  /** Notes an answer, unless one counts more that another file has. @returns false where there is no key */
  #put(line: Buffer, at: number, place: Place): boolean {
    const known = this.#index.at(line, at)
    if (known && known.file !== place.file && this.#rank(known) >= this.#rank(place)) return true
    const before = this.#index.set(line, at, place)
    if (before < 0) return false
    this.#recent.set([place.file, place.offset, place.length], (this.#recentCount++ % RECENT) * 3)
    this.#flagged += (place.mark === FLAGGED ? 1 : 0) - (before === FLAGGED ? 1 : 0)
    return true
  }

  #rank({ mark, file }: Place): number {
    return (mark === GOOD ? 2 : 0) + (file === this.#main ? 1 : 0)
  }

  /** Whether the key has an answer; `undefined` when not. Does not read the file. */
  state(key: string): "good" | "flagged" | undefined {
    const mark = this.#index.get(key)?.mark
    return mark === GOOD ? "good" : mark === FLAGGED ? "flagged" : undefined
  }

  /** The valid answer of a key: the last one. */
  read(key: string): Answer | undefined {
    const place = this.#index.get(key)
    return place && this.#readAt(place)
  }

  #readAt({ file, offset, length }: Omit<Place, "mark">): Answer {
    const text = this.#files[file].read(offset, length)
    try {
      const answer = answerSchema.parse(JSON.parse(text))
      return { ...answer, answer: stripReasoning(answer.answer).text }
    } catch (error) {
      throw new FourtierError(
        {
          where: `${this.#files[file].path}, byte ${offset}`,
          what: "not a valid answer",
          found: text.slice(0, 200),
          fix: "delete the line",
        },
        { cause: error },
      )
    }
  }

  /** The valid answers, in the order of the file, then those of further files. */
  *answers(): Generator<Answer> {
    const order = (file: number) => (file === this.#main ? -1 : file)
    const places = [...this.#index.places()]
    places.sort((a, b) => order(a.file) - order(b.file) || a.offset - b.offset)
    for (const place of places) yield this.#readAt(place)
  }

  /** The last `count` answers written (2,048 at most), oldest first. */
  *latest(count: number): Generator<Answer> {
    const total = this.#recentCount
    for (let i = Math.max(0, total - Math.min(count, RECENT)); i < total; i++) {
      const [file, offset, length] = this.#recent.subarray((i % RECENT) * 3)
      yield this.#readAt({ file, offset, length })
    }
  }

  /** All answers that a key has had, in order, including those that were replaced. */
  *history(key: string): Generator<Answer> {
    const valid = this.#index.get(key)
    const files = [...this.#files.keys()].sort((a, b) => Number(a === valid?.file) - Number(b === valid?.file))
    for (const file of files) {
      for (const [offset, length] of this.#files[file].find(`{"key":"${key}"`))
        yield this.#readAt({ file, offset, length })
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

  #write(line: string): void {
    this.#own.append(line)
    this.#own.scan(this.#taking(0))
  }

  /** Appends to the file itself what counts of the others. @returns how many answers that were */
  absorb(): number {
    for (const [id, spec] of this.#specs) this.#own.append(`{"spec":${JSON.stringify(id)},"is":${canonicalJson(spec)}}`)
    let taken = 0
    for (const { file, offset, length } of [...this.#index.places()].filter(({ file }) => file !== this.#main)) {
      this.#own.append(this.#files[file].read(offset, length))
      taken++
    }
    this.#own.scan(this.#taking(0))
    return taken
  }

  /** Flushes appended answers to the disk, so that they survive a power cut. Done every second in any case. */
  sync(): void {
    this.#own.sync()
  }

  close(): void {
    for (const file of this.#files) file.close()
  }
}

/**
 * Takes the answers of workers' files into the file itself, and removes those files. Nobody may use them meanwhile. Where the process is
 * killed, all answers are still there.
 * @returns how many files there were, and how many answers of theirs counted
 *
 * @example
 * ```ts
 * import { mergeAnswers } from "fourtier/describe"
 *
 * await mergeAnswers("cache/descriptions.jsonl") // { files: 4, answers: 2840 }
 * ```
 */
export async function mergeAnswers(path: string): Promise<{ files: number; answers: number }> {
  const parts = listing(partsFolder(path)).map((name) => join(partsFolder(path), name))
  if (parts.length === 0) return { files: 0, answers: 0 }
  const cache = new DescriptionCache(path)
  let answers = 0
  try {
    answers = cache.absorb()
  } finally {
    cache.close()
  }
  for (const part of parts) await rm(part, { force: true })
  return { files: parts.length, answers }
}

function listing(folder: string): string[] {
  try {
    return readdirSync(folder).sort()
  } catch {
    return []
  }
}
