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

export interface Answer {
  code: number | null
  out: string
  err: string
}

const answersSchema = z.array(z.object({ code: z.number(), out: z.string(), err: z.string() }))

/**
 * What the compiled command line answers to each list of arguments. They are given to one process, one after the other: enough where
 * how a process begins and ends is not the point.
 */
export function several(
  lists: readonly (readonly string[])[],
  { cwd, env = {} }: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Answer[] {
  const program = join(import.meta.dirname, "several.mjs")
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, join(DIST, "cli/main.js")], {
    ...{ cwd, encoding: "utf8", input: JSON.stringify(lists), maxBuffer: 2 ** 26 },
    env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined, NODE_OPTIONS: undefined, ...env },
  })
  if (status !== 0) throw new Error(`${stdout}${stderr}`)
  return answersSchema.parse(JSON.parse(stdout))
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
