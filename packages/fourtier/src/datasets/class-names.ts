/** The names of classes that lists give as numbers. */

import { FourtierError } from "@fourtier/tensor"
import { jsonOf, linesOf } from "./lines.ts"

/**
 * Names by number, from a text file with one name a line, `number name` or `name number` a line, or from JSON: an array of names,
 * `{"name": number}` or `{"number": "name"}`.
 * @throws FourtierError where it holds none
 */
export async function readClassNames(path: string): Promise<Map<number, string>> {
  const pairs = /\.json$/i.test(path) ? fromJson(await jsonOf(path)) : fromLines(await linesOf(path))
  if (pairs.length > 0) return new Map(pairs)
  throw new FourtierError({
    where: path,
    what: "no names of classes",
    expected: 'one name a line, "number name" a line, or JSON: ["name", …] or {"name": number, …}',
    fix: "give another file with --classes",
  })
}

function fromJson(value: unknown): [number, string][] {
  if (Array.isArray(value)) return value.map((name, i) => [i, String(name)])
  if (typeof value !== "object" || value === null) return []
  return Object.entries(value).flatMap(([key, other]): [number, string][] => {
    if (/^\d+$/.test(String(other))) return [[Number(other), key]]
    return /^\d+$/.test(key) ? [[Number(key), String(other)]] : []
  })
}

function fromLines(lines: readonly { text: string }[]): [number, string][] {
  const texts = lines.map(({ text }) => text)
  const every = (pattern: RegExp) => texts.every((text) => pattern.test(text))
  const before = /^(\d+)[\s,:]+(\S.*)$/
  const after = /^(.*\S)[\s,:]+(\d+)$/
  if (every(before)) return texts.map((text) => [Number(before.exec(text)?.[1]), before.exec(text)?.[2] ?? ""])
  if (every(after)) return texts.map((text) => [Number(after.exec(text)?.[2]), after.exec(text)?.[1] ?? ""])
  return texts.map((text, i) => [i, text.replace(/^"(.*)"$/, "$1")])
}
