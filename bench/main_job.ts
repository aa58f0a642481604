/**
 * The main job from files to report and bundle, all methods on one split, as a user runs it: with an empty cache, then again.
 *
 *     npm run bench && node .fourtier/bench/main_job.js <data> [flags of fourtier run]
 *
 * For example `… main_job.js ../shared/data/ut_interaction --split split_seq`. Writes bench/main_job.csv: seconds on the clock,
 * and the most memory that the process held.
 */

import { spawn } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { BENCH, stop, Table } from "./harness.ts"

const cli = resolve("packages/fourtier/dist/cli/main.js")
const [data, ...flags] = process.argv.slice(2)
if (data === undefined) stop("usage: node .fourtier/bench/main_job.js <data> [flags of fourtier run]")
if (!existsSync(cli)) stop("run `npm run bench` first, from the project's root")

/** Linux tells the peak while the process lives; null elsewhere. */
function peakMB(pid: number): number | null {
  const status = `/proc/${pid}/status`
  if (!existsSync(status)) return null
  const kB = /VmHWM:\s+(\d+) kB/.exec(readFileSync(status, "latin1"))?.[1]
  return kB === undefined ? null : Number(kB) / 1024
}

async function run(cwd: string): Promise<{ seconds: number; peak: number | null }> {
  const begun = performance.now()
  const child = spawn(process.execPath, [cli, "run", resolve(data), "--out", "run", ...flags], {
    cwd,
    env: { ...process.env, FOURTIER_CACHE: join(cwd, "cache") },
    stdio: ["ignore", "inherit", "inherit"],
  })
  let peak: number | null = null
  const watch = setInterval(() => {
    if (child.pid !== undefined && child.exitCode === null) peak = peakMB(child.pid) ?? peak
  }, 200)
  const code = await new Promise((done) => child.on("close", done))
  clearInterval(watch)
  if (code !== 0) throw new Error(`fourtier run ended with ${code}`)
  return { seconds: (performance.now() - begun) / 1000, peak }
}

const folder = await mkdtemp(join(tmpdir(), "fourtier-main-job-"))
try {
  const table = new Table(join(BENCH, "main_job.csv"), ["run", "wall_s", "peak_mib"])
  for (const name of ["from nothing", "again"]) {
    const { seconds, peak } = await run(folder)
    table.add([name, seconds.toFixed(1), peak?.toFixed(0) ?? null])
  }
  await table.write()
} finally {
  await rm(folder, { recursive: true, force: true })
}
