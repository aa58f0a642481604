/**
 * Protects the size of an installation: what a project gets that installs fourtier with its optional packages, by the lock file
 * and measured in node_modules, is what docs/dependencies.md says, and holds no tool that is never loaded.
 */

import { spawnSync } from "node:child_process"
import { existsSync, lstatSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { z } from "zod"
import { ROOT } from "./installed.ts"

const names = z.record(z.string(), z.string()).default({})
const lockSchema = z.object({
  packages: z.record(
    z.string(),
    z.object({
      dependencies: names,
      optionalDependencies: names,
      peerDependencies: names,
      peerDependenciesMeta: z.record(z.string(), z.object({ optional: z.boolean().optional() })).default({}),
      link: z.boolean().optional(),
      resolved: z.string().optional(),
    }),
  ),
})
const { packages } = lockSchema.parse(JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")))

/** Where a package lies that another one asks for: the nearest `node_modules` above it. */
function placeOf(name: string, from: string): string | null {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf("/node_modules/")))) {
    const place = at === "" ? `node_modules/${name}` : `${at}/node_modules/${name}`
    if (packages[place]) return place
    if (at === "") return null
  }
}

/** Folders of all packages that `fourtier` brings with it, our own at their place in the repository. */
function installedFolders(): Set<string> {
  const found = new Set<string>()
  const waiting = ["packages/fourtier"]
  for (const place of waiting) {
    if (found.has(place)) continue
    found.add(place)
    const { dependencies, optionalDependencies, peerDependencies, peerDependenciesMeta } = packages[place]
    const peers = Object.keys(peerDependencies).filter((name) => !peerDependenciesMeta[name]?.optional)
    for (const name of [...Object.keys({ ...dependencies, ...optionalDependencies }), ...peers]) {
      const at = placeOf(name, place)
      if (at === null) continue
      const { link, resolved } = packages[at]
      waiting.push(link === true && resolved !== undefined ? resolved : at)
    }
  }
  return found
}

/** Bytes of a package's files, without packages in its own `node_modules`; 0 where it is for another platform. */
function sizeOf(folder: string): number {
  if (!existsSync(folder)) return 0
  return readdirSync(folder).reduce((sum, name) => {
    const path = join(folder, name)
    const found = lstatSync(path)
    if (!found.isDirectory()) return sum + found.size
    return name === "node_modules" ? sum : sum + sizeOf(path)
  }, 0)
}

it("the package of the weights holds them, its licence and its README alone", () => {
  const { stdout } = spawnSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
    cwd: join(ROOT, "weights/movenet"),
    encoding: "utf8",
  })
  const packed = z.array(z.object({ files: z.array(z.object({ path: z.string() })) })).parse(JSON.parse(stdout))
  expect(packed[0].files.map(({ path }) => path).sort()).toEqual([
    "LICENSE",
    "README.md",
    "movenet-lightning.bin",
    "movenet-lightning.json",
    "package.json",
  ])
})

describe("an installation", () => {
  const folders = [...installedFolders()]

  it("brings no linter, compiler or test program", () => {
    const tools = folders.filter((folder) =>
      /\/(eslint|typescript|vite|vitest|@vladmandic|@google-cloud)(\/|-|$)/.test(folder),
    )
    expect(tools).toEqual([])
  })

  it.runIf(process.platform === "linux" && process.arch === "x64")("is as large as docs/dependencies.md says", () => {
    const others = folders.filter((folder) => !folder.startsWith("packages/") && !folder.startsWith("weights/"))
    const megabytes = others.reduce((sum, folder) => sum + sizeOf(join(ROOT, folder)), 0) / 1e6
    const stated = /without our own packages: (\d+) MB in (\d+) packages/.exec(
      readFileSync(join(ROOT, "docs/dependencies.md"), "utf8"),
    )
    const there = others.filter((folder) => existsSync(join(ROOT, folder))).length
    const ratios = [megabytes / Number(stated?.[1]), there / Number(stated?.[2])]
    // what is stated is measured anew where it is more than 3 % off
    expect([...ratios.map((ratio) => Math.abs(ratio - 1) < 0.03), Math.round(megabytes), there]).toEqual([
      true,
      true,
      Math.round(megabytes),
      there,
    ])
  })
})
