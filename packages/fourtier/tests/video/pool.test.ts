/** Protects: order, back-pressure, errors with the clip's path, and that no crash or hang of a worker stops the rest. */

import { existsSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { runJobs } from "@fourtier/core/node"
import { samplingSchema, transformSchema } from "@fourtier/core/schemas"
import { beforeAll, describe, expect, test } from "vitest"
import { z } from "zod"
import type { Clip } from "../../src/video/manifest.ts"
import { type LoadJob, loadClips } from "../../src/video/pool.ts"
import { clipOfFile } from "../../src/video/probe.ts"
import { loadViews } from "../../src/video/views.ts"
import { makeClip, readNumber, scratchFolder } from "./fixtures.ts"

const folder = scratchFolder()
const sampling = samplingSchema.parse({ kind: "segments", frames: 4 })
const raw = transformSchema.parse({ steps: [], std: [1 / 255, 1 / 255, 1 / 255] })
let clips: Clip[]

beforeAll(() => {
  clips = Array.from({ length: 9 }, (_, i) => {
    const clip = clipOfFile(makeClip(join(folder, `clip ${i}.mp4`), { frames: 8 + i }))
    return { ...clip, id: `clip${i}` }
  })
})

const jobs = (over: Partial<LoadJob<Clip>> = {}) => clips.map((clip) => ({ clip, sampling, transform: raw, ...over }))

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

describe("loading clips", () => {
  test("gives every clip's frames in order, as doing it here gives them", async () => {
    const loaded = await collect(loadClips(jobs(), { workers: 2 }))
    expect(loaded.map(({ clip }) => clip.id)).toEqual(clips.map(({ id }) => id))
    for (const { clip, frames, shape, frameIndices } of loaded) {
      expect(shape).toEqual([4, 48, 64, 3])
      const pixels = Uint8Array.from(frames, Math.round)
      const area = 48 * 64 * 3
      expect(frameIndices.map((_, t) => readNumber(pixels.subarray(t * area, (t + 1) * area), 64, 48))).toEqual(
        frameIndices,
      )
      const here = loadViews({ clip, sampling, transform: raw, seed: null, scaleWhileDecoding: true })
      expect(here.views[0]).toEqual(frames)
    }
  })

  test("gives the same random views whatever the number of workers", async () => {
    const transform = transformSchema.parse({ steps: [{ step: "multiScaleCrop", size: 32 }, { step: "flip" }] })
    const [one, many] = await Promise.all(
      [1, 3].map((workers) => collect(loadClips(jobs({ transform, seed: "epoch 3" }), { workers }))),
    )
    expect(one.map(({ frames }) => frames)).toEqual(many.map(({ frames }) => frames))
  })

  test("gives all views of a clip: temporal clips times crops", async () => {
    const transform = transformSchema.parse({ steps: [{ step: "crop", size: 40, views: "three" }] })
    const views = samplingSchema.parse({ kind: "segments", frames: 4, clips: 2 })
    const loaded = await collect(loadClips(jobs({ transform, sampling: views }).slice(0, 2)))
    expect(loaded.map(({ clip, view }) => `${clip.id} ${view}`)).toEqual(
      ["clip0", "clip1"].flatMap((id) => [0, 1, 2, 3, 4, 5].map((view) => `${id} ${view}`)),
    )
    expect(loaded[0].frameIndices).toEqual([0, 2, 4, 6])
    expect(loaded[5].frameIndices).toEqual([1, 3, 5, 7])
  })

  test("an error names the file; with onError the others go on", async () => {
    const path = join(folder, "broken.mp4")
    writeFileSync(path, "not a video")
    const broken = { ...clips[0], id: "broken", path }
    const mixed = [{ clip: broken, sampling, transform: raw }, ...jobs()]
    await expect(collect(loadClips(mixed))).rejects.toThrow(path)
    const told: string[] = []
    const loaded = await collect(
      loadClips(mixed, { onError: (clip, error) => told.push(`${clip.id}: ${error.message}`) }),
    )
    expect(loaded).toHaveLength(9)
    expect(told.join()).toMatch(/^broken: .*broken\.mp4: cannot be opened as video/)
  })

  test("leaving early, while threads still load FFmpeg or decode, ends them without harm", async () => {
    for (let round = 0; round < 5; round++) {
      const views = loadClips(jobs(), { workers: 4 })
      expect((await views.next()).value.clip.id).toBe("clip0")
      await views.return(undefined)
    }
  })
})

describe("workers", () => {
  const text = z.string()
  let entry: URL

  beforeAll(() => {
    const path = join(folder, "worker.mjs")
    const workers = new URL("../../../core/dist/node/workers.js", import.meta.url)
    writeFileSync(
      path,
      `import { writeFileSync } from "node:fs"
       import { serveJobs } from ${JSON.stringify(workers.href)}
       const schema = { parse: (job) => job }
       serveJobs(schema, async (job) => {
         if (job === "throw") throw new Error("thrown")
         if (job === "exit") process.exit(3)
         if (job === "abort") process.abort()
         if (job === "reject") { setTimeout(() => { throw new Error("loose") }, 0); await new Promise(() => {}) }
         if (job === "hang") for (;;) {}
         if (job === "number") return { value: 7 }
         if (job.startsWith("slow")) await new Promise((done) => setTimeout(done, 600))
         if (job.startsWith("slow write ")) writeFileSync(job.slice("slow write ".length), "")
         return { value: job.toUpperCase() }
       })`,
    )
    entry = pathToFileURL(path)
  })

  test("failing, dying and hanging jobs become errors, in order, and the rest is done", async () => {
    const names = ["a", "throw", "exit", "b", "reject", "hang", "number", "c", "d"]
    const outcomes = await collect(runJobs(entry, names, text, { workers: 2, timeout: 1 }))
    const shown = outcomes.map((outcome) => ("error" in outcome ? outcome.error.message : outcome.result))
    expect(shown).toEqual([
      "A",
      "thrown",
      expect.stringContaining("code 3"),
      "B",
      "loose",
      expect.stringContaining("longer than 1 s"),
      expect.stringContaining("expected string"),
      "C",
      "D",
    ])
  })

  test("in child processes a native abort costs one job alone", async () => {
    const names = ["a", "abort", "b", "exit", "throw", "hang", "c"]
    const outcomes = await collect(runJobs(entry, names, text, { workers: 2, timeout: 5, processes: true }))
    const shown = outcomes.map((outcome) => ("error" in outcome ? outcome.error.message : outcome.result))
    expect(shown).toEqual([
      "A",
      "the worker process crashed (SIGABRT)",
      "B",
      "the worker process ended with code 3",
      "thrown",
      "took longer than 5 s",
      "C",
    ])
  })

  test("unordered results come as they are done", async () => {
    const outcomes = await collect(runJobs(entry, ["slow", "a", "b"], text, { workers: 2, ordered: false }))
    expect(outcomes.map(({ job }) => job).indexOf("slow")).toBe(2)
    const ordered = await collect(runJobs(entry, ["slow", "a", "b"], text, { workers: 2 }))
    expect(ordered.map(({ job }) => job)).toEqual(["slow", "a", "b"])
  })

  test("no more than two jobs a worker are taken before they are asked for", async () => {
    let taken = 0
    function* endless() {
      for (;;) yield `job${taken++}`
    }
    for await (const { job } of runJobs(entry, endless(), text, { workers: 2 })) {
      await new Promise((done) => setTimeout(done, 10))
      if (job === "job5") break
    }
    expect(taken).toBeLessThanOrEqual(6 + 4)
  })

  test("a worker that cannot start is an error, not a hang", async () => {
    const missing = pathToFileURL(join(folder, "missing.mjs"))
    await expect(collect(runJobs(missing, ["a"], text))).rejects.toThrow(/does not start/)
  })

  test("leaving early lets a thread finish the job it is at, also one that waits", async () => {
    const mark = join(folder, "finished")
    const views = runJobs(entry, ["a", `slow write ${mark}`], text, { workers: 2 })
    await views.next()
    await views.return(undefined)
    expect(existsSync(mark)).toBe(true)
  })

  test("no jobs, no threads", async () => {
    expect(await collect(runJobs(pathToFileURL(join(folder, "missing.mjs")), [], text))).toEqual([])
  })
})
