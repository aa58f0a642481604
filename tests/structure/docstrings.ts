/** Finds, for every entry of every package, where its functions and classes are declared, and what their docstrings say. */

import { readFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import { z } from "zod"
import { ROOT } from "./biome.ts"

const manifestSchema = z.object({
  name: z.string(),
  exports: z.record(z.string(), z.union([z.string(), z.object({ "@fourtier/source": z.string() })])),
})

/** Path of the source file of every entry of the four packages, by the name that it is imported by. */
export const ENTRIES: ReadonlyMap<string, string> = new Map(
  ["tensor", "core", "puppets", "fourtier"].flatMap((folder) => {
    const path = join(ROOT, "packages", folder)
    const { name, exports } = manifestSchema.parse(JSON.parse(readFileSync(join(path, "package.json"), "utf8")))
    return Object.entries(exports).flatMap(([key, value]): [string, string][] =>
      typeof value === "string" ? [] : [[name + key.slice(1), join(path, value["@fourtier/source"])]],
    )
  }),
)

export interface Docstring {
  /** `packages/core/src/metrics/metrics.ts` */
  file: string
  /** The text between the comment's marks; null where there is none. */
  text: string | null
}

/** The docstring of what `file` exports under this name. @returns null where the file exports no such thing */
export function docstringOf(file: string, name: string): Docstring | null {
  const source = readFileSync(file, "utf8")
  const declaration = new RegExp(
    `^export (?:abstract class|class|async function\\*?|function\\*?|const) ${name}\\b`,
    "m",
  )
  const at = declaration.exec(source)?.index
  if (at !== undefined) {
    const text = /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n$/.exec(source.slice(0, at))?.[1] ?? null
    return { file: relative(ROOT, file), text: text?.replaceAll(/^ *\* ?/gm, "").trim() ?? null }
  }
  for (const [, list, from] of source.matchAll(/^export (?:\{([^}]*)\}|\*) from "([^"]+)"/gm)) {
    const original = list === undefined ? name : originalName(list, name)
    const target = from.startsWith(".") ? join(dirname(file), from) : ENTRIES.get(from)
    const found = original !== null && target !== undefined ? docstringOf(target, original) : null
    if (found !== null) return found
  }
  return null
}

/** What `name` is called where a list such as `a, type B, c as d` takes it from. */
function originalName(list: string, name: string): string | null {
  for (const item of list.split(",")) {
    const [original, exported = original] = item.trim().split(" as ")
    if (exported === name) return original
  }
  return null
}

/** The code of an `@example`. */
export function exampleIn(text: string): string | null {
  return /^@example\n```ts\n([\s\S]*?)^```/m.exec(text)?.[1] ?? null
}
