/**
 * Protects the order of packages and folders: every import points down, none comes back in a circle, and nothing that a browser
 * loads needs Node. `npm run lint` checks that the project keeps it (`biome.json`, `biome.layers.json`); the tests here check that
 * these rules say what is meant, with a file in every folder that imports from all the others.
 */

import { readdirSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { lintFiles, ROOT } from "./biome.ts"

/** Lowest first. A module may import from lines above its own, never from its own line or below. */
const LAYERS = {
  tensor: [["ops"], ["onnx", "nn"], ["runtime"], ["optim"], ["node"]],
  core: [["util", "schemas"], ["frames", "metrics", "model"], ["objective", "bundle"], ["train"], ["node"]],
  fourtier: [
    ["util"],
    ["mpi"],
    ["video", "shards"],
    ["datasets", "describe", "encoders"],
    ["people"],
    ["text", "features", "deploy"],
    ["encoders/bench"],
    ["experiment", "detection"],
    ["evaluate"],
    ["report"],
    ["config.ts"],
    ["classes.ts"],
    ["requirements.ts"],
    ["stages"],
    ["experiment-settings.ts", "shipping.ts"],
    ["recipe.ts", "align.ts"],
    ["ablate", "plan"],
    ["studio"],
    ["cli"],
  ],
} as const

type Layered = keyof typeof LAYERS
const LAYERED = ["tensor", "core", "fourtier"] as const

/** What a module may not import although it lies below. */
const FORBIDDEN: Readonly<Record<string, readonly string[]>> = {
  "core/bundle": ["metrics", "model"],
  "fourtier/deploy": ["datasets", "describe"],
}

const isFile = (module: string) => module.endsWith(".ts")
const modulesOf = (name: Layered): string[] => LAYERS[name].flat()
const rankOf = (name: Layered, module: string) => LAYERS[name].findIndex((row) => row.some((other) => other === module))

/** A file of the module, and for each other module of its package a line that imports from there. */
function fileOf(name: Layered, module: string): { path: string; others: string[]; text: string } {
  const others = modulesOf(name).filter((other) => other !== module)
  const up = isFile(module) ? "./" : "../".repeat(module.split("/").length)
  const lines = others.map((other) => `import "${up}${isFile(other) ? other : `${other}/index.ts`}"`)
  const path = `packages/${name}/src/${isFile(module) ? module : `${module}/seeded.ts`}`
  return { path, others, text: `${lines.join("\n")}\n` }
}

function mayImport(name: Layered, module: string, other: string): boolean {
  if (FORBIDDEN[`${name}/${module}`]?.includes(other)) return false
  return rankOf(name, other) < rankOf(name, module)
}

const importing = (...specifiers: string[]) => `${specifiers.map((specifier) => `import "${specifier}"`).join("\n")}\n`

describe("the rules of `npm run lint`", () => {
  it.each(LAYERED)("the folders of %s import what lies below, nothing else", (name) => {
    const files = modulesOf(name).map((module) => ({ module, ...fileOf(name, module) }))
    const expected = files.flatMap(({ module, path, others }) =>
      others.flatMap((other, i) => (mayImport(name, module, other) ? [] : [`noRestrictedImports ${path}:${i + 1}`])),
    )
    const found = lintFiles(Object.fromEntries(files.map(({ path, text }) => [path, text])))
    expect(found.filter((line) => line.startsWith("noRestrictedImports"))).toEqual(expected.sort())
  })

  it.each(LAYERED)("every folder of %s has its place", (name) => {
    const files = readdirSync(join(ROOT, "packages", name, "src"), { recursive: true, encoding: "utf8" })
    const folders = new Set(files.filter((file) => /[\\/].*\.ts$/.test(file)).map((file) => file.split(/[\\/]/)[0]))
    expect([...folders].filter((folder) => !modulesOf(name).includes(folder))).toEqual([])
  })

  it("packages import what their package.json names, by entry", () => {
    const found = lintFiles({
      "packages/tensor/src/shape.ts": importing("@fourtier/core", "fourtier/deploy", "@fourtier/tensor/nn"),
      "packages/core/src/model/head.ts": importing(
        "@fourtier/tensor",
        "@fourtier/puppets",
        "fourtier",
        "@fourtier/core",
      ),
      "packages/puppets/src/clip.ts": importing("@fourtier/core", "fourtier", "../../core/src/index.ts"),
      "packages/fourtier/src/deploy/build.ts": importing(
        "@fourtier/core/model",
        "fourtier",
        "../../../core/src/index.ts",
      ),
    })
    expect(found).toEqual([
      "noRestrictedImports packages/core/src/model/head.ts:4",
      "noRestrictedImports packages/fourtier/src/deploy/build.ts:2",
      "noRestrictedImports packages/fourtier/src/deploy/build.ts:3",
      "noRestrictedImports packages/puppets/src/clip.ts:3",
      "noRestrictedImports packages/tensor/src/shape.ts:3",
      "noUndeclaredDependencies packages/core/src/model/head.ts:2",
      "noUndeclaredDependencies packages/core/src/model/head.ts:3",
      "noUndeclaredDependencies packages/puppets/src/clip.ts:2",
      "noUndeclaredDependencies packages/tensor/src/shape.ts:1",
      "noUndeclaredDependencies packages/tensor/src/shape.ts:2",
    ])
  })

  it("deploying trains nothing", () => {
    const path = "packages/fourtier/src/deploy/recognizer.ts"
    const found = lintFiles({
      [path]: importing("@fourtier/core/bundle", "@fourtier/core/train", "@fourtier/core/objective"),
    })
    expect(found).toEqual([`noRestrictedImports ${path}:2`, `noRestrictedImports ${path}:3`])
  })

  it("a package's tests know nothing of the packages above it", () => {
    const found = lintFiles({
      "packages/tensor/tests/a.test.ts": importing(
        "@fourtier/tensor",
        "../src/shape.ts",
        "@fourtier/core/model",
        "fourtier",
      ),
      "packages/core/tests/model/a.test.ts": importing(
        "@fourtier/tensor",
        "fourtier/video",
        "../../../tensor/src/shape.ts",
      ),
    })
    expect(found).toEqual([
      "noRestrictedImports packages/core/tests/model/a.test.ts:2",
      "noRestrictedImports packages/core/tests/model/a.test.ts:3",
      "noRestrictedImports packages/tensor/tests/a.test.ts:3",
      "noRestrictedImports packages/tensor/tests/a.test.ts:4",
    ])
  })

  it("what a browser loads has no Node", () => {
    const text =
      'import { sep } from "node:path"\nexport const a = process.cwd() + sep\nexport const b = Buffer.from(a)\n'
    const found = lintFiles({
      "packages/tensor/src/ops/a.ts": text,
      "packages/core/src/train/a.ts": text,
      "packages/core/src/node/a.ts": text,
      "packages/tensor/src/node/a.ts": text,
      "packages/tensor/src/runtime/engine.node.ts": text,
    })
    const complaintsOf = (path: string) => [
      `noNodejsModules ${path}:1`,
      `noRestrictedGlobals ${path}:2`,
      `noRestrictedGlobals ${path}:3`,
    ]
    expect(found).toEqual(["packages/core/src/train/a.ts", "packages/tensor/src/ops/a.ts"].flatMap(complaintsOf).sort())
  })

  it("a circle is found, of types as well", () => {
    const found = lintFiles({
      "packages/core/src/model/a.ts": 'import { b } from "./b.ts"\nexport const a = () => b\n',
      "packages/core/src/model/b.ts": 'import { c } from "./c.ts"\nexport const b = c\n',
      "packages/core/src/model/c.ts": 'import { a } from "./a.ts"\nexport const c = () => a\n',
      "packages/core/src/model/d.ts": 'import type { E } from "./e.ts"\nexport interface D {\n  e: E\n}\n',
      "packages/core/src/model/e.ts": 'import type { D } from "./d.ts"\nexport interface E {\n  d: D\n}\n',
    })
    expect(found).toEqual(
      ["a", "b", "c", "d", "e"].map((name) => `noImportCycles packages/core/src/model/${name}.ts:1`),
    )
  })

  it("a promise that nobody waits for is found, and a default export", () => {
    const found = lintFiles({
      "packages/core/src/train/a.ts":
        'import { save } from "./b.ts"\nexport async function run(): Promise<void> {\n  save()\n}\n',
      "packages/core/src/train/b.ts": "export async function save(): Promise<void> {}\nexport default save\n",
    })
    expect(found).toEqual([
      "noDefaultExport packages/core/src/train/b.ts:2",
      "noFloatingPromises packages/core/src/train/a.ts:3",
    ])
  })
})
