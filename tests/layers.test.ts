/** Protects the order of the layers: every import points down, and outside the tensor layer none comes back in a circle. */

import { readdirSync, readFileSync } from "node:fs"
import { dirname, join, relative, resolve, sep } from "node:path"
import { describe, expect, it } from "vitest"

/** Lowest first. A module may import from itself and from lines above its own, never from its own line or below. */
const LAYERS: readonly (readonly string[])[] = [
  ["util"],
  ["tensor", "video"],
  ["describe", "encoders"],
  ["text"],
  ["model"],
  ["objective"],
  ["train"],
  ["evaluate"],
  ["deploy"],
  ["config"],
  ["stages"],
  ["recipe"],
  ["demo"],
  ["cli", "index"],
]

const root = resolve(import.meta.dirname, "../src")
const files = readdirSync(root, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .map((file) => join(root, file))

/** Files of the project that a file imports, types included. */
function importsOf(file: string): string[] {
  const text = readFileSync(file, "utf8")
  const specifiers = text.matchAll(/(?:^|\n)(?:import|export)\b[^"'\n]*?(?:\{[^}]*\}[^"'\n]*?)?["'](\.[^"']+)["']/g)
  const dynamic = text.matchAll(/\bimport\(\s*["'](\.[^"']+)["']/g)
  return [...specifiers, ...dynamic].map(([, specifier]) => resolve(dirname(file), specifier))
}

const graph = new Map(files.map((file) => [file, importsOf(file)]))
const nameOf = (file: string) => relative(root, file).split(sep).join("/")
const moduleOf = (file: string) => nameOf(file).replace(/\/.*|\.ts$/, "")
const rankOf = (file: string) => LAYERS.findIndex((layer) => layer.includes(moduleOf(file)))

describe("layers", () => {
  it("finds the imports", () => {
    const all = [...graph.values()].flat()
    expect(all.length).toBeGreaterThan(300)
    expect(all.filter((file) => !graph.has(file)).map(nameOf)).toEqual([])
  })

  it("has a place for every module", () => {
    expect([...new Set(files.filter((file) => rankOf(file) < 0).map(moduleOf))]).toEqual([])
  })

  it("imports point down", () => {
    const wrong = [...graph].flatMap(([file, imports]) =>
      imports
        .filter((other) => moduleOf(other) !== moduleOf(file) && rankOf(other) >= rankOf(file))
        .map((other) => `${nameOf(file)} imports ${nameOf(other)}`),
    )
    expect(wrong).toEqual([])
  })

  it("no import comes back in a circle outside the tensor layer", () => {
    expect(circles(new Map([...graph].filter(([file]) => moduleOf(file) !== "tensor")))).toEqual([])
  })

  it("a circle would be seen", () => {
    const three = new Map([
      ["a", ["b"]],
      ["b", ["c"]],
      ["c", ["a"]],
    ])
    expect(circles(three.set("d", ["a"]))).toHaveLength(1)
  })
})

/** One line for each import that leads back to a file on the way to it. */
function circles(edges: ReadonlyMap<string, readonly string[]>): string[] {
  const found: string[] = []
  const finished = new Set<string>()
  const visit = (file: string, way: readonly string[]) => {
    if (way.includes(file)) found.push([...way.slice(way.indexOf(file)), file].map(nameOf).join(" -> "))
    if (way.includes(file) || finished.has(file)) return
    for (const next of edges.get(file) ?? []) if (edges.has(next)) visit(next, [...way, file])
    finished.add(file)
  }
  for (const file of edges.keys()) visit(file, [])
  return found
}
