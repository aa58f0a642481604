/** Runs Biome with the project's own rules on a few files made up for a test. */

import { spawnSync } from "node:child_process"
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"

export const ROOT = join(import.meta.dirname, "../..")

/**
 * `rule file:line` of each complaint about files that exist only during the call, by path and text, under the project's rules and
 * package.json files; sorted.
 */
export function lintFiles(files: Readonly<Record<string, string>>): string[] {
  const folder = mkdtempSync(join(tmpdir(), "fourtier-lint-"))
  try {
    const settings = ["biome.json", "biome.layers.json", "package.json"]
    const packages = ["tensor", "core", "puppets", "fourtier"].map((name) => `packages/${name}/package.json`)
    for (const path of [...settings, ...packages]) {
      mkdirSync(dirname(join(folder, path)), { recursive: true })
      copyFileSync(join(ROOT, path), join(folder, path))
    }
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true })
      writeFileSync(join(folder, path), text)
    }
    return lint(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function lint(folder: string): string[] {
  const args = ["lint", "--max-diagnostics=none", "--reporter=github", folder]
  const { stdout, stderr, status } = spawnSync(join(ROOT, "node_modules/.bin/biome"), args, {
    cwd: folder,
    encoding: "utf8",
  })
  const complaints = [...stdout.matchAll(/title=lint\/\w+\/(\w+),file=([^,]+),line=(\d+)/g)].map(
    ([, rule, file, line]) => `${rule} ${file.replace(`${folder}/`, "")}:${line}`,
  )
  if (status !== 0 && complaints.length === 0) throw new Error(`Biome failed: ${stdout}${stderr}`)
  return complaints.sort()
}
