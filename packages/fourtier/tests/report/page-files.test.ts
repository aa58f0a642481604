/** What a page is made from: files of a run to bounded data, advice with its counts, the model card, JSON that ends no script. */

import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { parse } from "yaml"
import { z } from "zod"
import { bundleSchema } from "../../src/deploy/index.ts"
import { adviceFor } from "../../src/report/advice.ts"
import { modelCard } from "../../src/report/card.ts"
import { collectRun } from "../../src/report/collect.ts"
import { scriptJson } from "../../src/report/html.ts"
import type { RunData } from "../../src/report/page-data.ts"
import { readAbout, readTimes, writeTimes } from "../../src/report/run-files.ts"
import { serveReport } from "../../src/report/serve.ts"
import { HOSTILE, writeRun } from "./run-fixture.ts"

const folder = mkdtempSync(join(tmpdir(), "fourtier-page-files-"))
const run = join(folder, "run")
let data: RunData
beforeAll(async () => {
  await writeRun(run, { perClass: 6, wrong: 2 })
  data = await collectRun(run)
})
afterAll(() => rmSync(folder, { recursive: true }))

describe("the data of a page", () => {
  it("holds the mistakes first, with what was said", () => {
    const [{ rows, all }] = data.predictions
    expect(all).toBe(48)
    expect(rows.slice(0, 16).every(([, truth, said]) => truth !== said)).toBe(true)
    expect(rows.slice(16).every(([, truth, said]) => truth === said)).toBe(true)
    expect(rows[0].slice(3, 5)).toEqual([0.9, expect.closeTo(0.1 / 3, 5)])
  })

  it("keeps confusion of the reference alone, and says where each method stands in results.json", () => {
    const methods = data.results?.splits[0].methods ?? []
    expect(methods.map(({ index, confusion }) => [index, confusion !== null])).toEqual([
      [0, false],
      [1, false],
      [2, true],
      [3, false],
    ])
    expect(methods[2].confusion?.reduce((sum, [, , count]) => sum + count, 0)).toBe(48)
  })

  it("says what is wrong with the data", () => {
    expect(data.health).toMatchObject({ clips: 50, quarantined: 1, duplicated: 1, shorter: 1, groups: 3 })
    expect(data.health?.quarantine[0].reason).toBe("it has no frames")
  })

  it("has strips as long as there is room, and counts what is left out", async () => {
    expect(Object.values(data.clips).filter(({ strip }) => strip !== null).length).toBeGreaterThan(20)
    const small = await collectRun(run, { runs: 100_000 })
    expect(Object.values(small.clips).filter(({ strip }) => strip !== null)).toEqual([])
    expect(small.withoutStrip).toBeGreaterThan(20)
  })

  it("is told from a folder that is no run's", async () => {
    await expect(collectRun(folder)).rejects.toThrow(/not the folder of a run[\s\S]*runs\/clips/)
  })
})

describe("advice", () => {
  it("names the classes, how often, where, and what to do", () => {
    const confused = data.advice.find(({ about }) => about === "classes")
    expect(confused?.seen).toMatch(/ is taken for .* in 4 of 12 tests/)
    expect(confused?.todo).toMatch(/Label more clips of .* \(trained on 6 and 6 labels\)/)
    expect(confused?.clips).toHaveLength(2)
  })

  it("says where the mistakes are when they are in one place", () => {
    const classes = ["kick", "punch"]
    const tested = Array.from({ length: 20 }, (_, i) => {
      const label = i % 2
      const place = i < 10 ? "set1" : "set2"
      return { split: "test", clip: `${i}`, label, said: i >= 13 ? 1 - label : label, columns: { set: place } }
    })
    const confusion = [0, 1].map((row) =>
      [0, 1].map((column) => tested.filter(({ label, said }) => label === row && said === column).length),
    )
    const method = {
      method: "full",
      trainedWeights: 1,
      seeds: [0],
      figures: {},
      calibrationError: 0,
      calibrationErrorByChance: 0,
      reliability: [],
      meanAveragePrecision: 0,
      calibrated: null,
      difference: null,
      perFold: [],
      perSeed: [],
      classes: [],
      confusion,
    }
    const split = { split: "test", excluded: [], classes, clips: 20, groups: null, folds: [], methods: [method] }
    const head = {
      format: 1 as const,
      configHash: "",
      reference: "full",
      averaging: "clips" as const,
      resamples: 1,
      level: 0.95,
      bootstrapSeed: 0,
      background: [],
      means: [],
      views: null,
      seeds: [0],
    }
    const [advice] = adviceFor({
      results: { ...head, pseudoLabels: [], retrieval: [], splits: [split] },
      tested,
      about: null,
      inspection: null,
    })
    expect(advice.seen).toBe(
      "punch is taken for kick in 4 of 10 tests, and the other way round 3 of 10. 7 of these 7 mistakes have set set2.",
    )
    expect(advice.todo).toContain("like those with set set2")
  })
})

describe("files", () => {
  it("of times keep the longest of each stage", async () => {
    const path = join(folder, "times")
    await writeTimes(path, [
      { stage: "features", seconds: 60 },
      { stage: "texts", seconds: 1 },
    ])
    await writeTimes(path, [
      { stage: "features", seconds: 0.1 },
      { stage: "texts", seconds: 2 },
    ])
    expect(await readTimes(path)).toEqual([
      { stage: "features", seconds: 60 },
      { stage: "texts", seconds: 2 },
    ])
  })

  it("of data end no script and begin no comment", () => {
    const value = { a: HOSTILE, b: "<!--\u2028]]>" }
    expect(scriptJson(value)).not.toMatch(/[<>\u2028]/)
    expect(JSON.parse(scriptJson(value))).toEqual(value)
  })
})

describe("the model card", () => {
  it("has front matter, figures with controls, limits and licences, and no markup from names", async () => {
    const about = await readAbout(run)
    if (about === null || data.results === null) throw new Error("the fixture has no figures")
    const bundle = bundleSchema.parse({
      format: "fourtier/bundle" as const,
      version: 1 as const,
      labels: about.classes.map(({ name }) => name),
      input: { name: "frames" as const, shape: [1, 8, 192, 192, 3] as [1, number, number, number, 3] },
      output: { name: "probabilities" as const },
      sampling: { kind: "segments" as const, frames: 8, clips: 1 },
      steps: [],
      provenance: {
        fourtier: "0.1.0",
        created: "",
        method: "full",
        encoder: { name: "movenet", id: "0123456789abcdef" },
        prompts: [{ id: "A", text: "What?" }],
        config: "5f1c",
        split: "test",
        seed: 0,
        trainingClips: 24,
        pseudoLabelled: 0,
      },
      accuracy: null,
      parity: { clips: 1, largestDifference: 0 },
    })
    const untested = modelCard({ bundle, about, results: null, encoder: "movenet" })
    expect(untested).toContain("Not measured")
    expect(untested).toContain("Apache-2.0")
    expect(untested.replaceAll("\\<", "")).not.toContain("<img")
    const [, front] = untested.split("---\n")
    expect(parse(front)).toMatchObject({ pipeline_tag: "video-classification", library_name: "fourtier" })
    expect(modelCard({ bundle, about, results: null, encoder: "clip" })).toContain("that of the checkpoint")
  })
})

describe("the server", () => {
  it("answers those who ask for this machine by its address, and tells when a file has changed", async () => {
    const server = await serveReport([run], { every: 20 })
    try {
      const answered = z.object({ runs: z.array(z.object({ predictions: z.unknown() })) })
      const found = answered.parse(await (await fetch(`${server.address}data.json`)).json()).runs[0]
      expect(found.predictions).toEqual(data.predictions)
      const { request } = await import("node:http")
      const status = await new Promise<number | undefined>((resolve) =>
        request(`${server.address}data.json`, { headers: { Host: "evil.example" } }, ({ statusCode }) =>
          resolve(statusCode),
        ).end(),
      )
      expect(status).toBe(403)
      expect((await fetch(`${server.address}config.yaml`)).status).toBe(404)
      expect((await fetch(server.address, { method: "POST" })).status).toBe(405)
      const events = (await fetch(`${server.address}events`)).body?.getReader()
      await writeTimes(run, [{ stage: "export", seconds: 5 }])
      let heard = ""
      while (events && !heard.includes("data: changed")) heard += new TextDecoder().decode((await events.read()).value)
      expect(heard).toContain("data: changed")
      await events?.cancel()
    } finally {
      await server.close()
    }
    await expect(fetch(server.address)).rejects.toThrow()
  })
})
