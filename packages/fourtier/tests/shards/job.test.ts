/**
 * Shared work: every item is done, once where all goes well and at most twice where a worker fell silent, and `status` tells what is
 * so. Workers of several machines are played in this process: each with its own line to the folder and its own clocks.
 */

import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { Rng } from "@fourtier/tensor"
import { afterAll, afterEach, describe, expect, it, vi } from "vitest"
import { type Division, Job, type JobOptions } from "../../src/shards/job.ts"
import { readJobs } from "../../src/shards/status.ts"
import { defaultTiming } from "../../src/shards/workers.ts"
import { FaultyLine } from "./faults.ts"

const root = mkdtempSync(join(tmpdir(), "fourtier-jobs-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))
afterEach(() => vi.useRealTimers())

/** A clock of its own for each machine: monotonic, from anywhere. */
const timing = (from = 0) => ({ heartbeat: 20, patience: 200, now: () => from + performance.now() })

interface Options extends Partial<Division> {
  items?: number
  there?: ReadonlySet<number>
}

function jobOptions(work: string, { items = 40, there = new Set(), ...division }: Options = {}): JobOptions {
  return {
    division: { shard: null, steal: true, work: join(root, work), timing: timing(), blockSize: 4, ...division },
    kind: "toys",
    title: "toys",
    unit: "toys",
    spec: work,
    items: Array.from({ length: items }, (_, i) => `item ${i}`),
    nameOf: (item) => `toy ${item}`,
    isThere: (item) => there.has(item),
  }
}

/** Works as a worker does, and counts each item in `times` when it is done. */
async function work(job: Job, times: number[], pace = 1): Promise<void> {
  await job.during(async () => {
    for await (const block of job.all()) {
      let mine = true
      for (const item of block.items) {
        mine &&= await block.isMine()
        if (!mine) break
        await sleep(pace)
        times[item]++
        await block.tick(item)
      }
      if (mine) await block.finish()
    }
  })
}

const status = async (name: string) => (await readJobs(join(root, name)))[0]
const none = (count: number) => new Array<number>(count).fill(0)

describe("blocks from a shared folder", () => {
  it("are each done once by workers side by side", async () => {
    const times = none(40)
    const jobs = await Promise.all([0, 1, 2].map(() => Job.open(jobOptions("side"))))
    await Promise.all(jobs.map((job) => work(job, times)))
    expect(times).toEqual(none(40).fill(1))
    const { state, done, left, blocks, workers } = await status("side")
    expect([state, done, left, blocks]).toEqual(["complete", 40, 0, { size: 4, total: 10, done: 10, taken: 0 }])
    expect(workers.map((worker) => worker.state)).toEqual(["finished", "finished", "finished"])
    expect(workers.reduce((sum, worker) => sum + worker.done, 0)).toBe(40)
  })

  it("one that comes late helps, one that comes after the end has nothing to do", async () => {
    const times = none(40)
    const first = work(await Job.open(jobOptions("late")), times, 2)
    await sleep(30)
    await Promise.all([first, work(await Job.open(jobOptions("late")), times)])
    const there = new Set(times.keys())
    await work(await Job.open(jobOptions("late", { there })), times)
    expect(times).toEqual(none(40).fill(1))
    expect((await readJobs(join(root, "late"))).length).toBe(1)
  })

  it("of a worker that left in the midst are free at once; what it could not do is told", async () => {
    const job = await Job.open(jobOptions("left"))
    await expect(
      job.during(async () => {
        const block = await job.take()
        await block?.tick(0, "no such file")
        throw new Error("disk full")
      }),
    ).rejects.toThrow("disk full")
    const { state, done, failed, left, workers, failures } = await status("left")
    expect([state, done, failed, left]).toEqual(["waiting", 0, 0, 40])
    expect([workers[0].state, workers[0].error]).toEqual(["failed", "disk full"])
    expect(failures).toEqual([{ name: "toy 0", why: "no such file" }])
    const times = none(40)
    const begun = performance.now()
    await work(await Job.open(jobOptions("left")), times)
    expect(performance.now() - begun).toBeLessThan(5000)
    expect(times).toEqual(none(40).fill(1))
  })

  it("whose results are gone are done again, under the next number", async () => {
    const times = none(8)
    await work(await Job.open(jobOptions("gone", { items: 8 })), times)
    await work(await Job.open(jobOptions("gone", { items: 8, there: new Set([0, 1]) })), times)
    expect(times).toEqual(none(8).fill(2))
    const names = readdirSync(join(root, "gone")).toSorted()
    expect(names).toEqual([names[0], `${names[0]}-2`])
  })
})

describe("machines with faults between", () => {
  it("a line that fails and loses replies changes nothing", async () => {
    const times = none(40)
    const jobs = await Promise.all(
      [1, 2, 3].map((seed) => {
        const rng = new Rng(seed)
        const { calls } = new FaultyLine({ random: () => rng.next(), failing: 0.03, lost: 0.03 })
        return Job.open(jobOptions("lossy", { files: { calls, wait: 0, retries: 20 } }))
      }),
    )
    await Promise.all(jobs.map((job) => work(job, times)))
    expect(times).toEqual(none(40).fill(1))
  })

  it("clocks that differ by ten minutes, either way, change nothing", async () => {
    const times = none(40)
    const jobs = []
    for (const minutes of [0, -10, 10]) {
      vi.useFakeTimers({ now: Date.now() + 60_000 * minutes, toFake: ["Date"] })
      jobs.push(await Job.open(jobOptions("skewed", { timing: timing(60_000 * minutes) })))
      vi.useRealTimers()
    }
    await Promise.all(jobs.map((job) => work(job, times, 5)))
    expect(times).toEqual(none(40).fill(1))
  })

  it("a worker that is cut off loses its block to another, and nothing is done more than twice", async () => {
    const times = none(40)
    const line = new FaultyLine({ random: () => 1 })
    const cutOff = work(await Job.open(jobOptions("cut", { files: { calls: line.calls } })), times, 10)
    await sleep(60)
    line.cut()
    // it is known as another machine's by its process: here, its silence alone tells
    const other = work(await Job.open(jobOptions("cut")), times, 1)
    await other
    expect(times.every((count) => count >= 1)).toBe(true)
    expect((await status("cut")).state).toBe("complete")
    line.mend()
    await cutOff
    expect(Math.max(...times)).toBeLessThanOrEqual(2)
    expect(times.filter((count) => count === 2).length).toBeLessThanOrEqual(4)
    const { state, done } = await status("cut")
    expect([state, done]).toEqual(["complete", 40])
  })
})

describe("parts of one's own", () => {
  it("are disjoint, cover everything and write no blocks; missing ones are named", async () => {
    const times = none(10)
    const part = (index: number) => jobOptions("parts", { items: 10, steal: false, shard: { index, count: 3 } })
    await work(await Job.open(part(0)), times)
    await work(await Job.open(part(2)), times)
    const half = await status("parts")
    expect([half.state, half.done, half.left, half.missing]).toEqual(["waiting", 7, 3, ["2/3"]])
    await work(await Job.open(part(1)), times)
    expect(times).toEqual(none(10).fill(1))
    const all = await status("parts")
    expect([all.state, all.done, all.missing, all.blocks]).toEqual(["complete", 10, [], null])
  })
})

describe("the time after which a silent worker counts as gone", () => {
  it("is a minute, or what the environment says; what is no time is an error that names it", () => {
    expect([defaultTiming({}).patience, defaultTiming({ FOURTIER_LEASE_SECONDS: "90" }).patience]).toEqual([60e3, 90e3])
    for (const told of ["0", "-5", "abc", "Infinity"]) {
      expect(() => defaultTiming({ FOURTIER_LEASE_SECONDS: told })).toThrow(
        `FOURTIER_LEASE_SECONDS: not a time\n  expected: seconds above 0\n  found:    ${told}`,
      )
    }
  })
})
