/** Answers in files, read and written: JSONL and CSV, one line per clip or one line per answer. */

import { createReadStream, existsSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { createInterface } from "node:readline"
import { csvLine } from "@fourtier/core"
import { FourtierError, messageOf } from "@fourtier/tensor"
import { z } from "zod"
import { parseCsv } from "../util/csv.ts"
import { readForeignText } from "../util/text.ts"

/** In the folder of an annotation task: tells which clip a strip shows. */
export const CLIPS_FILE = "clips.csv"

const COLUMNS = new Set(["clip", "path", "strip", "prompt", "answer", "model", "label", "start", "end"])

/** One answer in a file. */
export interface AnswerRecord {
  /** A clip's id, or its path relative to the data folder (followed by `@start-end` for a window). */
  clip: string
  /** Id of the prompt. */
  prompt: string
  answer: string
  /** The model that gave it, where the file says so. */
  model: string | undefined
  /** Key frames of the strip that it is about, where the file says so. */
  keyFrames?: number
}

const place = {
  clip: z.string().optional(),
  path: z.string().optional(),
  /** A strip of an annotation task. */
  strip: z.string().optional(),
  start: z.number().nullish(),
  end: z.number().nullish(),
  model: z.string().optional(),
  key_frames: z.array(z.unknown()).optional(),
}
const said = z.union([z.string(), z.number().transform(String), z.null().transform(() => "")])
const wideSchema = z.object({ ...place, answers: z.record(z.string(), said) })
const longSchema = z.object({ ...place, prompt: z.string(), answer: z.string(), ok: z.number().optional() })
const specSchema = z.object({ spec: z.string(), is: z.unknown() })
const lineSchema = z.union([wideSchema, longSchema, specSchema])

/**
 * Reads the answers of a `.jsonl` or `.csv` file (`.tsv` and `.txt` too). Empty answers, a lone "?", "-" or "n/a" among them, and flagged answers of a `descriptions.jsonl` are left out.
 * @throws FourtierError that names the line
 *
 * @example
 * ```ts
 * import { readRecords } from "fourtier/describe"
 *
 * for await (const { clip, prompt, answer } of readRecords("answers.jsonl")) console.log(clip, prompt, answer)
 * ```
 */
export async function* readRecords(file: string): AsyncGenerator<AnswerRecord> {
  const clipOf = await readStrips(file)
  if (/\.(?:xlsx?|ods|numbers)$/i.test(file)) {
    throw new FourtierError({ where: file, what: "a spreadsheet is not read", fix: "save it as CSV (UTF-8)" })
  }
  const records = /\.(?:csv|tsv|txt)$/i.test(file) ? readCsv(file, clipOf) : readJsonl(file, clipOf)
  for await (const record of records) if (!isEmpty(record.answer)) yield record
}

/** What people write into a cell that they have nothing to put into. */
function isEmpty(answer: string): boolean {
  return /^(?:[?–—-]*|n\/?a)$/i.test(answer.replaceAll(/[\s\u200b\u2060\ufeff]+/g, ""))
}

/** The file that tells which clip each strip shows, when `file` lies in the folder of an annotation task. */
function clipsFileOf(file: string): string | null {
  const beside = join(dirname(file), CLIPS_FILE)
  return basename(file) !== CLIPS_FILE && existsSync(beside) ? beside : null
}

/** Clip ids by strip name, for a filled-in annotation task. */
async function readStrips(file: string): Promise<Map<string, string>> {
  const beside = clipsFileOf(file)
  if (beside === null) return new Map()
  const [, ...rows] = parseCsv(await readForeignText(beside), beside)
  return new Map(rows.map(({ fields: [strip, clip] }) => [strip, clip]))
}

async function* readJsonl(file: string, clipOf: Map<string, string>): AsyncGenerator<AnswerRecord> {
  const stream = createReadStream(file, "utf8")
  const opened = new Promise<void>((resolve, reject) => {
    stream.once("open", () => resolve())
    stream.once("error", (error) =>
      reject(new FourtierError({ where: file, what: "cannot be read", found: messageOf(error) }, { cause: error })),
    )
  })
  await opened
  let number = 0
  for await (const raw of createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })) {
    number++
    const place = `${file}:${number}`
    const text = number === 1 ? raw.replace(/^\uFEFF/, "") : raw
    if (text.trim() === "") continue
    const line = parseLine(text, place)
    if ("is" in line) continue
    const clip = clipName(line, clipOf, place)
    const about = { clip, model: line.model, keyFrames: line.key_frames?.length }
    if ("answers" in line) {
      for (const [prompt, answer] of Object.entries(line.answers)) yield { ...about, prompt, answer }
    } else if (line.ok !== 0) {
      yield { ...about, prompt: line.prompt, answer: line.answer }
    }
  }
}

function parseLine(text: string, place: string): z.infer<typeof lineSchema> {
  try {
    const parsed = lineSchema.safeParse(JSON.parse(text))
    if (parsed.success) return parsed.data
  } catch (error) {
    throw new FourtierError({ where: place, what: "not valid JSON", found: messageOf(error) }, { cause: error })
  }
  throw new FourtierError({
    where: place,
    what: "not an answer",
    expected: '{"path", "answers": {"A": ...}} or {"path", "prompt", "answer"}',
    found: text.slice(0, 120),
  })
}

function clipName(
  line: z.infer<typeof wideSchema> | z.infer<typeof longSchema>,
  clipOf: Map<string, string>,
  place: string,
) {
  if (line.clip !== undefined) return line.clip
  if (line.strip !== undefined) return stripClip(line.strip, clipOf, place)
  if (line.path === undefined) {
    throw new FourtierError({ where: place, what: "no clip is named", expected: 'a field "path" or "clip"' })
  }
  const window = line.start == null && line.end == null ? "" : `@${line.start ?? ""}-${line.end ?? ""}`
  return `${cleanPath(line.path)}${window}`
}

/** A strip's number in its name: spreadsheets take zeros and endings away, people add folders. */
const numberOf = (strip: string) => /(\d+)(?:\.jpe?g)?$/i.exec(strip.trim())?.[1].replace(/^0+(?=\d)/, "")

function stripClip(strip: string, clipOf: Map<string, string>, place: string): string {
  const number = numberOf(strip)
  const name = clipOf.has(strip) ? strip : [...clipOf.keys()].find((one) => numberOf(one) === number)
  const clip = name === undefined ? undefined : clipOf.get(name)
  if (clip !== undefined) return clip
  if (clipOf.size > 0) {
    throw new FourtierError({
      where: place,
      what: `there is no strip ${strip} in this task`,
      expected: `${[...clipOf.keys()][0]} and the like, as clips.csv has them`,
      fix: "correct the name of the strip",
    })
  }
  throw new FourtierError({
    where: place,
    what: `it is not known which clip ${strip} shows`,
    fix: "put the file back into the folder of its annotation task, beside clips.csv",
  })
}

/** A relative path in its normal form: forward slashes, no leading "./", composed Unicode (NFC). */
export function cleanPath(path: string): string {
  return path
    .replaceAll("\\", "/")
    .replace(/^(\.\/)+/, "")
    .normalize("NFC")
}

/** A column that means something, in small letters; a prompt's as it stands. */
function columnName(name: string): string {
  const plain = name.trim().toLowerCase()
  if (["file", "filename", "file_name", "video"].includes(plain)) return "path"
  return COLUMNS.has(plain) ? plain : name.trim()
}

async function* readCsv(file: string, clipOf: Map<string, string>): AsyncGenerator<AnswerRecord> {
  const separator = /\.(?:tsv|txt)$/i.test(file) ? "\t" : ","
  const [header, ...rows] = parseCsv(await readForeignText(file), file, { separator })
  const columns = (header?.fields ?? []).map(columnName)
  const at = ["clip", "path", "strip"].map((name) => columns.indexOf(name)).find((column) => column >= 0)
  if (at === undefined) {
    const expected = "a header with a column clip, path or strip"
    throw new FourtierError({ where: file, what: "no column names the clip", expected, found: columns.join(",") })
  }
  const [prompt, answer, model] = ["prompt", "answer", "model"].map((name) => columns.indexOf(name))
  for (const { line, fields: row } of rows) {
    const place = `${file}:${line}`
    const clip = columns[at] === "strip" ? stripClip(row[at], clipOf, place) : cleanPath(row[at])
    const common = { clip, model: model >= 0 ? row[model] || undefined : undefined }
    if (prompt >= 0 && answer >= 0) {
      yield { ...common, prompt: row[prompt], answer: row[answer] }
      continue
    }
    for (const [i, name] of columns.entries()) {
      if (!COLUMNS.has(name)) yield { ...common, prompt: name, answer: row[i] }
    }
  }
}

/** The answers about one clip, to be written. */
export interface ClipAnswers {
  clip: string
  path: string
  label: string | null
  model: string
  answers: Record<string, string>
}

/**
 * The text of a `.csv` file (one column per prompt) or a `.jsonl` file (one line per clip). `readRecords` reads both.
 * @param file its ending decides on the format
 *
 * @example
 * ```ts
 * import { formatAnswers } from "fourtier/describe"
 *
 * const row = { clip: "hug/clip-01", path: "hug/clip-01.mp4", label: "hug", model: "llava", answers: { A: "hugging" } }
 * formatAnswers("answers.csv", [row]) // "clip,path,label,model,A\nhug/clip-01,hug/clip-01.mp4,hug,llava,hugging\n"
 * ```
 */
export function formatAnswers(file: string, rows: readonly ClipAnswers[]): string {
  if (!/\.csv$/i.test(file)) return rows.map((row) => `${JSON.stringify(row)}\n`).join("")
  const prompts = [...new Set(rows.flatMap(({ answers }) => Object.keys(answers)))].sort()
  const head = csvLine(["clip", "path", "label", "model", ...prompts])
  const body = rows.map(({ clip, path, label, model, answers }) => {
    return csvLine([clip, path, label, model, ...prompts.map((prompt) => answers[prompt] ?? "")])
  })
  return head + body.join("")
}
