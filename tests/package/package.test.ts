/**
 * Protects what is published. Every package, packed and installed into an empty project: the tarball is well-formed, types
 * resolve under both ways of resolution, every entry can be imported, the command line starts, and the examples of the READMEs
 * are right.
 */

import { spawnSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { publint } from "publint"
import { formatMessage } from "publint/utils"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { z } from "zod"
import { encodeClip } from "../../packages/fourtier/tests/video/encode.ts"
import { writeBundle } from "../examples/bundle.ts"
import { type Installed, installPackages, ROOT, removeInstalled, runIn } from "./installed.ts"

const NAMES = ["@fourtier/tensor", "@fourtier/core", "@fourtier/puppets", "fourtier"]

let installed: Installed
beforeAll(() => {
  installed = installPackages()
})
afterAll(() => removeInstalled(installed))

function packed(name: string) {
  const found = installed.packages.find(({ manifest }) => manifest.name === name)
  if (found === undefined) throw new Error(`${name} was not packed`)
  return found
}

it("all packages are packed, with one version and licence", () => {
  expect(installed.packages.map(({ manifest }) => manifest.name).sort()).toEqual([...NAMES].sort())
  const versions = installed.packages.flatMap(({ manifest }) => {
    const dependencies = { ...manifest.dependencies, ...manifest.optionalDependencies }
    const ours = Object.entries(dependencies).filter(([name]) => NAMES.includes(name))
    return [manifest.version, ...ours.map(([, version]) => version)]
  })
  expect(new Set(versions).size).toBe(1)
  expect(new Set(installed.packages.map(({ manifest }) => manifest.license))).toEqual(new Set(["MIT"]))
})

describe.each(NAMES)("the tarball of %s", (name) => {
  it("holds code, licence and README, and nothing that is measured, tested, cached or left from an older build", () => {
    const { files, source } = packed(name)
    expect(files).toEqual(
      expect.arrayContaining(["LICENSE", "README.md", "package.json", "dist/index.js", "src/index.ts"]),
    )
    expect(
      files.filter((path) => /\.test\.|\.tsbuildinfo$|\.csv$|results.*\.json$|^(docs|tests|bench)\//.test(path)),
    ).toEqual([])
    const sourceOf = (path: string) => path.replace(/^dist\/(.*)\.js$/, "src/$1.ts")
    expect(files.filter((path) => /^dist\/.*\.js$/.test(path) && !files.includes(sourceOf(path)))).toEqual([])
    expect(readFileSync(join(source, "LICENSE"), "utf8")).toBe(readFileSync(join(ROOT, "LICENSE"), "utf8"))
  })

  it("has nothing that publint would change", async () => {
    const { tarball } = packed(name)
    const { messages, pkg } = await publint({
      pack: { tarball: readFileSync(tarball).buffer },
      level: "suggestion",
      strict: true,
    })
    expect(messages.map((message) => formatMessage(message, pkg))).toEqual([])
  })

  it("has types that fit the code, as ES modules", () => {
    const program = join(ROOT, "node_modules/@arethetypeswrong/cli/dist/index.js")
    const args = [packed(name).tarball, "--profile", "esm-only", "--format", "ascii", "--no-color", "--no-emoji"]
    expect(runIn(installed, process.execPath, program, ...args)).toContain(name)
  })
})

it("the tarball of @fourtier/studio is the built page: static files, and nothing that they were made of", () => {
  const args = ["pack", "--workspace", "packages/studio", "--dry-run", "--json", "--ignore-scripts"]
  const printed = spawnSync("npm", args, { cwd: ROOT, encoding: "utf8" }).stdout
  const [{ files }] = z.array(z.object({ files: z.array(z.object({ path: z.string() })) })).parse(JSON.parse(printed))
  const paths = files.map(({ path }) => path)
  const outside = paths.filter((path) => !path.startsWith("dist/"))
  expect(outside.sort()).toEqual(["LICENSE", "README.md", "package.json"])
  expect(paths).toEqual(
    expect.arrayContaining(["dist/index.html", "dist/encoder/encoder.json", "dist/encoder/encoder.onnx"]),
  )
  // the engine for the processor, and the one for the graphics card: each once, whoever asks for it
  const engines = paths.filter((path) => path.endsWith(".wasm"))
  expect(engines.map((path) => /\.(asyncify)-/.exec(path)?.[1] ?? "threaded").sort()).toEqual(["asyncify", "threaded"])
})

/** Blocks of TypeScript in a README. */
function examplesOf(path: string): string[] {
  return [...readFileSync(path, "utf8").matchAll(/^```ts\n([\s\S]*?)^```/gm)].map(([, code]) => code)
}

describe("the installed packages", () => {
  it.each([
    { module: "node16", moduleResolution: "node16" },
    { module: "esnext", moduleResolution: "bundler" },
  ])("have types under $moduleResolution, and the READMEs' examples fit them", (options) => {
    const entries = installed.packages.flatMap((one) => one.entries)
    const imports = entries.map((entry, i) => `import * as entry${i} from "${entry}"`)
    // an entry without types would be any, and have any name
    const uses = entries.map((_, i) => `// @ts-expect-error\nentry${i}.thisIsNotThere`)
    const files = { "entries.ts": [...imports, ...uses].join("\n") }
    const readmes = [join(ROOT, "README.md"), ...NAMES.map((name) => join(packed(name).source, "README.md"))]
    const examples = readmes.flatMap(examplesOf).map((code, i) => [`example${i}.ts`, code] as const)
    expect(examples.length).toBeGreaterThanOrEqual(readmes.length)
    const all = Object.entries({ ...files, ...Object.fromEntries(examples) })
    for (const [path, text] of all) writeFileSync(join(installed.folder, path), text)
    const compilerOptions = {
      ...options,
      target: "es2022",
      lib: ["es2023", "dom"],
      types: ["node"],
      strict: true,
      skipLibCheck: true,
      noEmit: true,
    }
    const project = JSON.stringify({ compilerOptions, files: all.map(([path]) => path) })
    writeFileSync(join(installed.folder, "tsconfig.json"), project)
    runIn(installed, process.execPath, join(ROOT, "node_modules/typescript/bin/tsc"), "-p", ".")
  })

  it("can be imported, every entry", () => {
    const entries = installed.packages.flatMap((one) => one.entries)
    const code = `for (const entry of ${JSON.stringify(entries)}) {
      if (Object.keys(await import(entry)).length === 0) throw new Error(entry + " exports nothing")
    }`
    writeFileSync(join(installed.folder, "imports.js"), code)
    expect(runIn(installed, process.execPath, "imports.js")).toBe("")
  })

  it("start from the command line", () => {
    const { manifest } = packed("fourtier")
    expect(Object.keys(manifest.bin)).toEqual(["fourtier"])
    const program = join("node_modules/fourtier", manifest.bin.fourtier)
    expect(runIn(installed, process.execPath, program, "--version").trim()).toBe(manifest.version)
    expect(runIn(installed, process.execPath, program, "--help")).toContain("predict")
  })

  it("recognise as both READMEs show", async () => {
    const readmes = [join(ROOT, "README.md"), join(packed("fourtier").source, "README.md")]
    const [example, same] = readmes.map((path) => examplesOf(path).find((code) => code.includes("Recognizer")))
    expect(same).toBe(example)
    await writeBundle(join(installed.folder, "runs/clips/bundle"))
    encodeClip(join(installed.folder, "new.mp4"), { frames: 9, paint: (_, pixels) => pixels.fill(220) })
    writeFileSync(join(installed.folder, "recognise.js"), example ?? "")
    expect(runIn(installed, process.execPath, "recognise.js")).toMatch(/^bright 0\.9\d+\n$/)
  })

  it("train as the README of @fourtier/tensor shows", () => {
    const [example] = examplesOf(join(packed("@fourtier/tensor").source, "README.md"))
    writeFileSync(join(installed.folder, "gradients.js"), example)
    expect(runIn(installed, process.execPath, "gradients.js")).toMatch(/Float32Array\(1\)[\s\S]*Float32Array\(3\)/)
  })
})
