/**
 * Lists of other tools: a video and the number of its class on each line, `train` or `val` in the list's name.
 *
 * MMAction2 (https://mmaction2.readthedocs.io, VideoDataset): `some/path.mp4 1`. VideoMAE and UniFormerV2 (train.csv, val.csv,
 * test.csv without a header): `path label`, separated by a space, a comma or a tab; VideoMAE V2's lists for pretraining:
 * `path 0 -1`, without a label.
 */

import { isAbsolute } from "node:path"
import { FourtierError } from "@fourtier/tensor"
import { parseCsv } from "../util/csv.ts"
import { readForeignText } from "../util/text.ts"
import { isVideoName } from "../video/endings.ts"
import { examples } from "../video/findings.ts"
import { readClassNames } from "./class-names.ts"
import type { AnnotatedClip, Dataset, DatasetRequest } from "./dataset.ts"
import { type AnnotationFile, annotationFiles, type Files } from "./files.ts"
import { partOfName } from "./lines.ts"

export const mmaction2: Dataset = {
  name: "mmaction2",
  title: "lists of MMAction2",
  reads: "*_train_list*.txt, *_val_list*.txt: <path> <label>",
  columns: [],
  read: (request, files, notes) => readLists(request, files, notes, /\.txt$/i),
}

export const videomae: Dataset = {
  name: "videomae",
  title: "lists of VideoMAE and UniFormerV2",
  reads: "train.csv, val.csv, test.csv: <path> <label>",
  columns: [],
  read: (request, files, notes) => readLists(request, files, notes, /\.(?:csv|txt)$/i),
}

/** A list's row. */
interface Row {
  where: string
  path: string
  /** "" where it has none. */
  label: string
}

async function* readLists(
  request: DatasetRequest,
  files: Files,
  notes: string[],
  ending: RegExp,
): AsyncGenerator<AnnotatedClip> {
  const given = await annotationFiles(request.annotations, files)
  const chosen = given.filter(({ path, part }) => part !== null || (ending.test(path) && partOfName(path) !== null))
  const lists = request.annotations.length === 0 || chosen.length > 0 ? chosen : given
  const rows: (Row & { part: string })[] = []
  for (const list of lists) rows.push(...(await rowsOfList(list)))
  if (rows.length === 0) throw noLists(files, ending)
  const names = await classNames(request, given, notes)
  const numbers = rows.every(({ label }) => /^-?\d+$/.test(label) || label === "")
  if (numbers && names === null) notes.push("classes are numbers: give their names with --classes <file>")
  const equal = samePart(rows)
  if (equal.length > 0) notes.push(`the parts ${examples(equal)} list the same clips`)
  for (const { where, path, label, part } of rows) {
    const name = numbers && label !== "" ? (names?.get(Number(label)) ?? unnamed(names, where, label)) : label
    yield { where, name: path, file: fileOf(files, path), label: name, split: part }
  }
}

function noLists(files: Files, ending: RegExp): FourtierError {
  return new FourtierError({
    where: files.root,
    what: "no list of clips",
    expected: `files with train, val or test in their names (${ending.test(".csv") ? "train.csv" : "train_list.txt"}), "<path> <label>" a line`,
    found: files.summary(),
    fix: "give the lists with --annotations, the part before the name where it does not tell: train=<file>",
  })
}

/** A number without a name is its own, unless names were given. @throws FourtierError where they were */
function unnamed(names: ReadonlyMap<number, string> | null, where: string, label: string): string {
  if (names === null) return label
  throw new FourtierError({
    where,
    what: `no name for the class ${label}`,
    expected: `0 to ${Math.max(...names.keys())}`,
    found: label,
    fix: "give the file of this list's classes with --classes",
  })
}

/** The names of the classes: those given, or those of a file that is called as such files are. */
async function classNames(
  { classes }: DatasetRequest,
  given: readonly AnnotationFile[],
  notes: string[],
): Promise<Map<number, string> | null> {
  if (classes !== null) return readClassNames(classes)
  const near = given.filter(({ path }) =>
    /(?:^|[/\\])(?:label_?map|class(?:es|ind|_?names)?|labels)[^/\\]*\.(?:txt|json)$/i.test(path),
  )
  if (near.length !== 1) return null
  notes.push(`names of the classes from ${near[0].path}`)
  return readClassNames(near[0].path)
}

/** VideoMAE's test.csv is often its val.csv: such a clip stays in one part. */
function samePart(rows: readonly { part: string; path: string }[]): string[] {
  const parts = new Map<string, Set<string>>()
  for (const { part, path } of rows) parts.set(part, (parts.get(part) ?? new Set()).add(path))
  const [val, test] = [parts.get("val"), parts.get("test")]
  if (val === undefined || test === undefined || val.size !== test.size) return []
  return [...val].every((path) => test.has(path)) ? ["val", "test"] : []
}

/** A listed video: as it is named, below the root, or by the end of its path. */
function fileOf(files: Files, path: string): string | null {
  const found = files.at(path)
  if (found !== null || !isAbsolute(path)) return found ?? shorter(files, path)
  return path.startsWith(`${files.root}/`) ? files.at(path.slice(files.root.length + 1)) : shorter(files, path)
}

/** The path without its first folders, where the rest of it is below the root. */
function shorter(files: Files, path: string): string | null {
  const parts = path.replaceAll("\\", "/").split("/")
  for (let skip = 1; skip < parts.length; skip++) {
    const found = files.at(parts.slice(skip).join("/"))
    if (found !== null) return found
  }
  return null
}

/** @throws FourtierError for lists of folders of frames, and for several labels a clip */
async function rowsOfList({ path, part }: AnnotationFile): Promise<(Row & { part: string })[]> {
  const own = part ?? partOfName(path) ?? "train"
  const text = (await readForeignText(path)).replace(/^\uFEFF/, "")
  const split = splitterOf(text, path)
  const rows = split(text).map(({ where, fields }) => ({ ...rowOf(where, fields), part: own }))
  return rows.filter(({ path: video }, i) => i > 0 || isVideoName(video) || !HEADER.test(video))
}

/** How a first line with names of columns begins. */
const HEADER = /^"?(?:path|video|file)[\w ]*"?(?:$|[,\t ])/i

interface Fields {
  where: string
  fields: string[]
}

/** How a list separates its fields: a path may hold spaces, so that they are split from the end. */
function splitterOf(text: string, path: string): (text: string) => Fields[] {
  const lines = text.split(/\r\n|\r|\n/)
  const [first = "", ...rest] = lines.filter((line) => line.trim() !== "").slice(0, 50)
  const sample = rest.length > 0 && HEADER.test(first) ? rest : [first, ...rest]
  const [separator] = ["\t", ","].filter((one) =>
    sample.every((line) => line.includes(one) && /\.\w{2,5}"?$/.test(line.slice(0, line.indexOf(one)).trim())),
  )
  if (separator !== undefined) {
    const options = { separator: separator === "\t" ? ("\t" as const) : ("," as const) }
    return (all) => parseCsv(all, path, options).map(({ line, fields }) => ({ where: `${path}:${line}`, fields }))
  }
  return () =>
    lines.flatMap((line, i): Fields[] => {
      const parts = isVideoName(line.trim()) ? null : /^(.*?\S)((?:\s+-?\d+)+|\s+\S+)\s*$/.exec(line)
      const [, video, rest] = parts ?? [null, line.trim(), ""]
      return video === "" ? [] : [{ where: `${path}:${i + 1}`, fields: [video, ...rest.trim().split(/\s+/)] }]
    })
}

function rowOf(where: string, [path, ...labels]: readonly string[]): Row {
  const values = labels.map((label) => label.trim()).filter((label) => label !== "")
  if (values.length <= 1) return { where, path, label: values[0] ?? "" }
  if (values.length === 2 && values[1] === "-1") return { where, path, label: "" }
  const frames = !isVideoName(path)
  throw new FourtierError({
    where,
    what: frames ? "a list of folders of frames" : "a clip with several labels",
    expected: "<path of a video> <label>",
    found: `${path} ${values.join(" ")}`,
    fix: frames ? "give the list of the videos that the frames were taken from" : "give lists with one label a clip",
  })
}
