/** The command as it is installed, for tests: its launcher, run as a child process. */

import { spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { z } from "zod"

const fourtier = join(import.meta.dirname, "../../packages/fourtier")

export const LAUNCHER = join(fourtier, "bin/fourtier.js")
export const DIST = join(fourtier, "dist")
export const built = existsSync(join(DIST, "cli/main.js"))

/** Runs Node to its end. */
export function node(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined, NODE_OPTIONS: undefined, ...env },
  })
  return { code: status, out: stdout, err: stderr }
}

const coverageSchema = z.object({ result: z.array(z.object({ url: z.string() })) })

/** The files that Node loads as modules for these arguments, as V8 lists them: ECMAScript modules and CommonJS alike. */
export function modulesLoadedBy(args: readonly string[]): string[] {
  const folder = mkdtempSync(join(tmpdir(), "fourtier-modules-"))
  try {
    const { code, err } = node(args, { NODE_V8_COVERAGE: folder })
    if (code !== 0) throw new Error(err)
    const urls = readdirSync(folder).flatMap((file) =>
      coverageSchema.parse(JSON.parse(readFileSync(join(folder, file), "utf8"))).result.map(({ url }) => url),
    )
    return [...new Set(urls)].filter((url) => url.startsWith("file:"))
  } finally {
    rmSync(folder, { recursive: true })
  }
}
