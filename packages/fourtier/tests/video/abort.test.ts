/**
 * Protects: native code that aborts while it works on a file costs that file alone, which is named. A process is ended by SIGABRT as
 * soon as it has the file open. Linux alone tells which process that is.
 */

import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs"
import { join } from "node:path"
import { silent } from "@fourtier/core"
import { beforeAll, describe, expect, it } from "vitest"
import { writeBundle } from "../../../../tests/examples/bundle.ts"
import { Recognizer } from "../../src/deploy/recognizer.ts"
import { doctor } from "../../src/video/doctor.ts"
import { clipsOfFiles } from "../../src/video/firstlook.ts"
import { makeClip, scratchFolder } from "./fixtures.ts"

const folder = scratchFolder()
const data = join(folder, "data")
const victim = join(data, "jump", "victim.mp4")
const others = ["jump/a.mp4", "jump/b.mp4", "wave/c.mp4", "wave/d.mp4"].map((name) => join(data, name))
const CRASHED = /the worker process crashed \(SIGABRT\)/

/** Numbers of this process's children. */
const CHILDREN = `/proc/self/task/${process.pid}/children`

/** Child processes of this one that have the file open. */
function holders(file: string): string[] {
  const children = readFileSync(CHILDREN, "utf8").trim().split(" ")
  return children.filter((pid) => {
    try {
      return readdirSync(`/proc/${pid}/fd`).some((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`) === file)
    } catch {
      return false // it ended meanwhile
    }
  })
}

/** Ends the first child process that opens the file, as an assertion in native code would. */
async function abortAt(file: string): Promise<void> {
  for (const until = Date.now() + 60_000; Date.now() < until; ) {
    const [pid] = holders(file)
    if (pid !== undefined) {
      process.kill(Number(pid), "SIGABRT")
      return
    }
    await new Promise((done) => setTimeout(done, 1))
  }
  throw new Error(`no process has opened ${file}`)
}

describe.skipIf(!existsSync(CHILDREN))("a decoder that aborts", () => {
  beforeAll(async () => {
    for (const [i, path] of others.entries()) makeClip(path, { frames: 20, background: () => [40 * i, 90, 120] })
    // long enough to be found at work
    makeClip(victim, { frames: 600, width: 320, height: 240, options: { preset: "ultrafast" } })
    await writeBundle(join(folder, "bundle"))
  })

  it("costs the doctor that file alone", async () => {
    const measurements = join(folder, "measurements")
    const run = () => doctor(data, join(folder, "manifest.jsonl"), silent, { workers: 2, measurements })
    const [{ manifest }] = await Promise.all([run(), abortAt(victim)])
    expect(manifest.clips.map(({ path }) => path).sort()).toEqual(others)
    expect(manifest.quarantine).toEqual([
      expect.objectContaining({ path: victim, reason: expect.stringMatching(CRASHED) }),
    ])
    // nothing is kept of what was never measured: the next run looks again
    const again = await run()
    expect([again.measured, again.manifest.quarantine]).toEqual([1, []])
  })

  it("costs prediction that file alone, measured before or not", async () => {
    const named: string[] = []
    const look = async () => {
      for await (const found of clipsOfFiles([others[0], victim, others[1]], { workers: 2 })) {
        named.push("error" in found ? found.error.message : found.path)
      }
    }
    await Promise.all([look(), abortAt(victim)])
    expect(named).toEqual([
      others[0],
      expect.stringMatching(/victim\.mp4: cannot be looked through[\s\S]*SIGABRT/),
      others[1],
    ])
    const recognizer = await Recognizer.load(join(folder, "bundle"), { workers: 2, threads: 1 })
    try {
      const predictions = Promise.allSettled([victim, ...others].map((path) => recognizer.predict(path)))
      await abortAt(victim)
      const [lost, ...rest] = await predictions
      expect(lost).toMatchObject({
        reason: { message: expect.stringMatching(/victim\.mp4: cannot be looked through/) },
      })
      expect(lost).toMatchObject({ reason: { message: expect.stringMatching(CRASHED) } })
      expect(rest.map(({ status }) => status)).toEqual(others.map(() => "fulfilled"))
      expect((await recognizer.predict(victim)).top.length).toBeGreaterThan(0)
    } finally {
      await recognizer.release()
    }
  })
})
