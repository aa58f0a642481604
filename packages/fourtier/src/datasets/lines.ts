/** Annotation files as lines and rows. */

import { basename } from "node:path"
import { FourtierError, messageOf } from "@fourtier/tensor"
import { parseCsv } from "../util/csv.ts"
import { readForeignText } from "../util/text.ts"
import { isSplitName, normaliseSplit } from "../video/split-names.ts"

/** The lines of a text file that hold something, without spaces around them, each with its number. */
export async function linesOf(path: string): Promise<{ where: string; text: string }[]> {
  const lines = (await readForeignText(path)).replace(/^\uFEFF/, "").split(/\r\n|\r|\n/)
  return lines.flatMap((line, i) => (line.trim() === "" ? [] : [{ where: `${path}:${i + 1}`, text: line.trim() }]))
}

/**
 * The rows of a CSV file with a header, values by the names of the columns in small letters.
 * @throws FourtierError where a column is wanting
 */
export async function rowsOf(
  path: string,
  needed: readonly string[],
): Promise<Iterable<{ where: string; values: (name: string) => string }>> {
  const [head, ...rows] = parseCsv(await readForeignText(path), path, { columns: needed })
  const names = (head?.fields ?? []).map((name) => name.toLowerCase())
  const missing = needed.find((name) => !names.includes(name))
  if (missing !== undefined) {
    throw new FourtierError({
      where: path,
      what: `no column "${missing}"`,
      expected: needed.join(", "),
      found: names.join(", ").slice(0, 200) || "an empty file",
      fix: "give the annotation file as it is distributed",
    })
  }
  const place = new Map(names.map((name, i) => [name, i]))
  return rows.map(({ line, fields }) => ({
    where: `${path}:${line}`,
    values: (name) => fields[place.get(name) ?? -1] ?? "",
  }))
}

/** A JSON file. @throws FourtierError that names it */
export async function jsonOf(path: string): Promise<unknown> {
  const text = await readForeignText(path)
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ""))
  } catch (error) {
    throw new FourtierError({ where: path, what: "not valid JSON", found: messageOf(error) }, { cause: error })
  }
}

/** The part of a split that a file's name speaks of: "kinetics_train.csv", "something-v2-validation.json". */
export function partOfName(path: string): string | null {
  const words = basename(path)
    .toLowerCase()
    .split(/[^a-z]+/)
    .map((word) => (word === "validate" ? "val" : word))
  const found = words.filter(isSplitName).map(normaliseSplit)
  return found.at(-1) ?? null
}
