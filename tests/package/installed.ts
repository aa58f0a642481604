/**
 * Packs every package of code as it would be published and installs the tarballs into an empty project, without a registry: ours are
 * unpacked, of others' exactly those that a package.json of ours cannot do without are linked: optional ones are absent.
 */

import { spawnSync } from "node:child_process"
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { z } from "zod"

export const ROOT = join(import.meta.dirname, "../..")

const dependenciesSchema = z.record(z.string(), z.string()).default({})

const manifestSchema = z.object({
  name: z.string(),
  version: z.string(),
  license: z.string(),
  exports: z.record(z.string(), z.unknown()),
  bin: z.record(z.string(), z.string()).default({}),
  dependencies: dependenciesSchema,
  optionalDependencies: dependenciesSchema,
})

export interface PackedPackage {
  manifest: z.infer<typeof manifestSchema>
  /** Its folder in the repository. */
  source: string
  tarball: string
  /** Paths in the tarball. */
  files: string[]
  /** Names to import it by, one per entry. */
  entries: string[]
}

export interface Installed {
  folder: string
  packages: PackedPackage[]
}

/** @returns a project whose `node_modules` has all packages; the caller removes it */
export function installPackages(): Installed {
  const folder = mkdtempSync(join(tmpdir(), "fourtier-installed-"))
  const packages = packPackages(join(folder, "tarballs"))
  const modules = join(folder, "node_modules")
  for (const { manifest, tarball } of packages) unpack(tarball, join(modules, manifest.name))
  const ours = new Set(packages.map(({ manifest }) => manifest.name))
  const needed = packages.flatMap(({ manifest }) => Object.keys(manifest.dependencies))
  for (const name of new Set([...needed, "@types/node"])) if (!ours.has(name)) link(name, modules)
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }))
  return { folder, packages }
}

export function removeInstalled({ folder }: Installed): void {
  rmSync(folder, { recursive: true, force: true })
}

/** Runs a program in the project. @returns what it printed; throws when it fails */
export function runIn({ folder }: Installed, command: string, ...args: string[]): string {
  return run(folder, command, ...args)
}

function packPackages(folder: string): PackedPackage[] {
  mkdirSync(folder, { recursive: true })
  const sources = readdirSync(join(ROOT, "packages"))
    .filter((name) => name !== "studio")
    .map((name) => join(ROOT, "packages", name))
  if (!sources.every((source) => existsSync(join(source, "dist")))) throw new Error("run `npm run build` first")
  const workspaces = sources.flatMap((source) => ["--workspace", source])
  const printed = run(ROOT, "npm", "pack", ...workspaces, "--json", "--ignore-scripts", "--pack-destination", folder)
  const packedSchema = z.array(
    z.object({ name: z.string(), filename: z.string(), files: z.array(z.object({ path: z.string() })) }),
  )
  return packedSchema.parse(JSON.parse(printed)).map(({ name, filename, files }) => {
    const source = sources.find((source) => readManifest(source).name === name)
    if (source === undefined) throw new Error(`npm packed ${name}, which is no package of packages/`)
    const manifest = readManifest(source)
    const modules = Object.keys(manifest.exports).filter((entry) => entry !== "./package.json")
    const entries = modules.map((entry) => `${name}${entry.slice(1)}`)
    return { manifest, source, tarball: join(folder, filename), files: files.map(({ path }) => path), entries }
  })
}

const readManifest = (folder: string) =>
  manifestSchema.parse(JSON.parse(readFileSync(join(folder, "package.json"), "utf8")))

function unpack(tarball: string, to: string): void {
  const unpacked = `${tarball}.unpacked`
  mkdirSync(unpacked, { recursive: true })
  mkdirSync(dirname(to), { recursive: true })
  run(unpacked, "tar", "-xzf", tarball)
  renameSync(join(unpacked, "package"), to)
}

function link(name: string, modules: string): void {
  mkdirSync(dirname(join(modules, name)), { recursive: true })
  symlinkSync(join(ROOT, "node_modules", name), join(modules, name), "junction")
}

function run(cwd: string, command: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: "utf8" })
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}\n${stdout}${stderr}${error?.message ?? ""}`)
  return stdout
}
