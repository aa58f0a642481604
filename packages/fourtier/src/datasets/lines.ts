/** Annotation files as lines and rows. */

import { basename } from "node:path"
import { FourtierError, messageOf } from "@fourtier/tensor"
import { csvRows } from "../util/csv.ts"
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
export async function* rowsOf(
  path: string,
  needed: readonly string[],
): AsyncGenerator<{ where: string; values: (name: string) => string }> {
  const place = new Map<string, number>()
  for (const { line, fields } of csvRows(await readForeignText(path), path, { columns: needed })) {
    if (place.size > 0) yield { where: `${path}:${line}`, values: (name) => fields[place.get(name) ?? -1] ?? "" }
    else {
      for (const [i, name] of fields.entries()) place.set(name.toLowerCase(), i)
      checkColumns(path, [...place.keys()], needed)
    }
  }
  checkColumns(path, [...place.keys()], needed)
}

function checkColumns(path: string, names: readonly string[], needed: readonly string[]): void {
  const missing = needed.find((name) => !names.includes(name))
  if (missing === undefined) return
  throw new FourtierError({
    where: path,
    what: `no column "${missing}"`,
    expected: needed.join(", "),
    found: names.join(", ").slice(0, 200) || "an empty file",
    fix: "give the annotation file as it is distributed",
  })
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
