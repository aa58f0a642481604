/**
 * Workers that are killed with kill -9 wherever they are: everything is done, once, and `status` tells what is so at any time. The
 * processes run the compiled code (`npm run build`).
 */

import { type ChildProcess, spawn } from "node:child_process"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { Rng } from "@fourtier/tensor"
import { afterAll, afterEach, describe, expect, it } from "vitest"
import { readJobs } from "../../src/shards/status.ts"

const built = existsSync(join(import.meta.dirname, "../../dist/shards/job.js"))
const root = mkdtempSync(join(tmpdir(), "fourtier-killed-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const running = new Set<ChildProcess>()
afterEach(() => {
  for (const child of running) child.kill("SIGKILL")
})

const [WORK, RESULTS, ITEMS] = [join(root, "work"), join(root, "results"), 160]

function start(): Promise<number | null> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "child.mjs"), WORK, RESULTS, String(ITEMS), "8"], {
    stdio: ["ignore", "ignore", "inherit"],
  })
  running.add(child)
  return new Promise((resolve) =>
    child.on("close", (code) => {
      running.delete(child)
      resolve(code)
    }),
  )
}

const results = () =>
  existsSync(RESULTS)
    ? readdirSync(RESULTS).flatMap((name) => readFileSync(join(RESULTS, name), "utf8").split("\n").slice(0, -1))
    : []

describe.skipIf(!built)("workers that are killed", () => {
  it("leave nothing undone, nothing done twice, and a status that is true", async () => {
    const rng = new Rng(30)
    const ends = [start(), start(), start()]
    let told = 0
    for (let kill = 0; kill < 6; kill++) {
      while (results().length < 10 + 15 * kill) await sleep(10)
      const [status] = await readJobs(WORK)
      expect(status.done + status.failed + status.left).toBe(ITEMS)
      // a worker tells of an open block now and then: what is told is there, and blocks that are done stay so
      expect(status.done).toBeLessThanOrEqual(results().length)
      expect(status.blocks?.done ?? 0).toBeGreaterThanOrEqual(told)
      told = status.blocks?.done ?? 0
      const victims = [...running]
      victims[Math.floor(rng.next() * victims.length)].kill("SIGKILL")
      ends.push(start())
    }
    const codes = await Promise.all(ends)
    expect(codes.filter((code) => code === 0)).toHaveLength(3)
    expect(
      results()
        .map(Number)
        .toSorted((a, b) => a - b),
    ).toEqual(Array.from({ length: ITEMS }, (_, i) => i))
    const jobs = await readJobs(WORK)
    expect(jobs).toHaveLength(1)
    const [{ state, done, left, blocks, workers }] = jobs
    expect([state, done, left, blocks]).toEqual(["complete", ITEMS, 0, { size: 4, total: 40, done: 40, taken: 0 }])
    const count = (state: string) => workers.filter((worker) => worker.state === state).length
    // one that was killed before it had joined left nothing
    expect([count("finished"), count("silent") <= 6, count("silent") > 0]).toEqual([3, true, true])
  })
})
