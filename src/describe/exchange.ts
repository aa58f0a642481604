/** Descriptions in and out of files: JSONL and CSV, one line a clip or one line an answer. */

import { createReadStream } from "node:fs"
import { createInterface } from "node:readline"
import { z } from "zod"
import { FourtierError, messageOf } from "../util/errors.ts"
import { readText } from "../util/files.ts"
import { parseCsv } from "./csv.ts"

/** One answer as a file tells it. */
export interface AnswerRecord {
  /** A clip's id, or its path below the data root (`@start-end` behind it for a window). */
  clip: string
  prompt: string
  answer: string
  model: string | undefined
}

const where = {
  clip: z.string().optional(),
  path: z.string().optional(),
  start: z.number().nullish(),
  end: z.number().nullish(),
  model: z.string().optional(),
}
const wideSchema = z.object({ ...where, answers: z.record(z.string(), z.string()) })
const longSchema = z.object({ ...where, prompt: z.string(), answer: z.string(), ok: z.number().optional() })
const specSchema = z.object({ spec: z.string(), is: z.unknown() })
const lineSchema = z.union([wideSchema, longSchema, specSchema])

/**
 * Reads answers from `.jsonl` or `.csv`. Flagged answers of a `descriptions.jsonl` are left out.
 * @throws FourtierError that names the line
 */
export async function* readRecords(file: string): AsyncGenerator<AnswerRecord> {
  if (/\.csv$/i.test(file)) yield* readCsv(file)
  else yield* readJsonl(file)
}

async function* readJsonl(file: string): AsyncGenerator<AnswerRecord> {
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
    const text = number === 1 ? raw.replace(/^\uFEFF/, "") : raw
    if (text.trim() === "") continue
    const line = parseLine(text, `${file}, line ${number}`)
    if ("is" in line) continue
    const clip = clipName(line, `${file}, line ${number}`)
    if ("answers" in line) {
      for (const [prompt, answer] of Object.entries(line.answers)) yield { clip, prompt, answer, model: line.model }
    } else if (line.ok !== 0) {
      yield { clip, prompt: line.prompt, answer: line.answer, model: line.model }
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
  line: {
    clip?: string | undefined
    path?: string | undefined
    start?: number | null | undefined
    end?: number | null | undefined
  },
  place: string,
): string {
  if (line.clip !== undefined) return line.clip
  if (line.path === undefined) {
    throw new FourtierError({ where: place, what: "names no clip", expected: 'a field "path" or "clip"' })
  }
  const window = line.start == null && line.end == null ? "" : `@${line.start ?? ""}-${line.end ?? ""}`
  return `${cleanPath(line.path)}${window}`
}

/** A relative path in one spelling: forward slashes, no leading "./", Unicode composed. */
export function cleanPath(path: string): string {
  return path
    .replaceAll("\\", "/")
    .replace(/^(\.\/)+/, "")
    .normalize("NFC")
}

async function* readCsv(file: string): AsyncGenerator<AnswerRecord> {
  const [header, ...rows] = parseCsv(await readText(file), file)
  const columns = header ?? []
  const column = (name: string) => columns.indexOf(name)
  const at = column("clip") >= 0 ? column("clip") : column("path")
  if (at < 0) {
    throw new FourtierError({
      where: file,
      what: "no column says which clip",
      expected: "a header with clip or path",
      found: columns.join(","),
    })
  }
  const [prompt, answer, model] = ["prompt", "answer", "model"].map(column)
  const known = new Set(["clip", "path", "prompt", "answer", "model", "label", "strip", "start", "end", "question"])
  for (const row of rows) {
    const common = { clip: cleanPath(row[at]), model: model >= 0 ? row[model] || undefined : undefined }
    if (prompt >= 0 && answer >= 0) {
      if (row[answer].trim() !== "") yield { ...common, prompt: row[prompt], answer: row[answer] }
      continue
    }
    for (const [i, name] of columns.entries()) {
      if (!known.has(name) && row[i].trim() !== "") yield { ...common, prompt: name, answer: row[i] }
    }
  }
}
