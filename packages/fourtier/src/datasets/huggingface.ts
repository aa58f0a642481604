/**
 * Video folders of Hugging Face's `datasets`: `train/`, `validation/`, `test/`, class folders in them or `metadata.csv` or
 * `metadata.jsonl` with a column `file_name` (or one that ends so), in the root or in the folders.
 *
 * https://huggingface.co/docs/datasets/video_dataset
 */

import { basename, dirname, extname, posix } from "node:path"
import { FourtierError } from "@fourtier/tensor"
import { parse } from "yaml"
import { z } from "zod"
import { readForeignText } from "../util/text.ts"
import { examples } from "../video/findings.ts"
import { isSplitName, normaliseSplit } from "../video/split-names.ts"
import { parseTable, type Table } from "../video/tables.ts"
import type { AnnotatedClip, Dataset } from "./dataset.ts"
import { annotationFiles, type Files, relativePath } from "./files.ts"

const METADATA = /^metadata\.(?:csv|jsonl)$/i

export const huggingface: Dataset = {
  name: "huggingface",
  title: "a video folder of Hugging Face",
  reads: "metadata.csv or .jsonl with file_name, or class folders",
  columns: ["text"],
  async *read(request, files, notes): AsyncGenerator<AnnotatedClip> {
    const given = (await annotationFiles(request.annotations, files)).map(({ path }) => path)
    const tables = given.filter((path) => METADATA.test(basename(path)))
    if (tables.length > 0) yield* fromTables(tables, await classNames(given), files, notes)
    else {
      refuseParquet(files)
      yield* fromFolders(files)
    }
  },
}

/** @throws FourtierError for videos or their table in Parquet */
function refuseParquet(files: Files): void {
  const parquet = files.names.filter((name) => /\.(?:parquet|arrow)$/i.test(name))
  if (parquet.length === 0) return
  throw new FourtierError({
    where: files.absolute(parquet[0]),
    what: "tables and videos in Parquet are not read",
    expected: "metadata.csv or metadata.jsonl beside video files",
    found: examples(parquet),
    fix: "write it as CSV: python3 -c \"import pandas as p; p.read_parquet('metadata.parquet').to_csv('metadata.csv', index=False)\"",
  })
}

function* fromFolders(files: Files): Generator<AnnotatedClip> {
  for (const file of files.videos) {
    const folders = file.split("/").slice(0, -1)
    const split = folders.find(isSplitName)
    const label = folders.filter((folder) => folder !== "data" && folder !== split).at(-1) ?? ""
    yield { where: file, name: file, file, label, split: split === undefined ? "" : normaliseSplit(split) }
  }
}

async function* fromTables(
  tables: readonly string[],
  names: readonly string[] | null,
  files: Files,
  notes: string[],
): AsyncGenerator<AnnotatedClip> {
  const named = new Set<string>()
  for (const path of tables) {
    const table = parseTable(path, await readForeignText(path))
    const column = fileColumn(table)
    const folder = relativePath(files.root, dirname(path))
    for (const { where, values } of table.rows) {
      const name = posix.join(folder, (values[column] ?? "").replaceAll("\\", "/"))
      const file = files.at(name)
      if (file !== null) named.add(file)
      const folders = name.split("/").slice(0, -1)
      const part = values.split || folders.find(isSplitName) || ""
      const above = folders.filter((one) => !isSplitName(one) && one !== "data").at(-1) ?? ""
      yield {
        where,
        name,
        file,
        label: labelOf(values.label ?? above, names, where),
        split: normaliseSplit(part),
        columns: { text: values.text ?? values.caption ?? "" },
      }
    }
  }
  const unnamed = files.videos.filter((file) => !named.has(file))
  if (unnamed.length > 0) notes.push(`${unnamed.length} video files are in no metadata: ${examples(unnamed)}`)
}

/** `file_name`, or a column that ends so, brought to `path` where there was one. @throws FourtierError where there is none */
function fileColumn({ path, columns }: Table): string {
  const found =
    columns.find((column) => column === "path") ?? columns.find((column) => /(?:^|_)file_name$/.test(column))
  if (found !== undefined) return found
  throw new FourtierError({
    where: path,
    what: "no column names the files",
    expected: "file_name",
    found: columns.join(", "),
    fix: "rename the column of the files to file_name",
  })
}

function labelOf(value: string, names: readonly string[] | null, where: string): string {
  if (names === null || !/^\d+$/.test(value)) return value
  const name = names[Number(value)]
  if (name !== undefined) return name
  const expected = `0 to ${names.length - 1}, as README.md names them`
  throw new FourtierError({ where, what: "a class without a name", expected, found: value })
}

const featuresSchema = z.object({
  dataset_info: z.object({
    features: z.array(
      z.object({
        name: z.string(),
        dtype: z.union([z.string(), z.object({ class_label: z.object({ names: z.record(z.string(), z.string()) }) })]),
      }),
    ),
  }),
})

/** The names of the classes that README.md declares for a column `label` of numbers. */
async function classNames(given: readonly string[]): Promise<string[] | null> {
  const path = given.find((one) => /^readme\.md$/i.test(basename(one)) && extname(one) !== "")
  const [, head] = path === undefined ? [] : (/^---\r?\n(.*?)\r?\n---/s.exec(await readForeignText(path)) ?? [])
  if (head === undefined) return null
  const parsed = featuresSchema.safeParse(parse(head))
  const label = parsed.data?.dataset_info.features.find(({ name }) => name === "label")?.dtype
  if (label === undefined || typeof label === "string") return null
  return Object.entries(label.class_label.names)
    .sort(([a], [b]) => Number(a) - Number(b))
    .map(([, name]) => name)
}
