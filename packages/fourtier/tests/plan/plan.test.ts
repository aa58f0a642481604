/** A plan's figures are those that a person reckons by hand from the same facts. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type Config, loadConfig } from "../../src/config.ts"
import { listPrices, priceOf } from "../../src/describe/cost.ts"
import { openVisualEncoder } from "../../src/encoders/catalog.ts"
import type { VisualEncoder } from "../../src/encoders/encoder.ts"
import { dataSize } from "../../src/plan/data-size.ts"
import { messageSeconds, type PlanRequest, planOf } from "../../src/plan/plan.ts"
import { SHARES } from "../../src/plan/rates.ts"

const folder = mkdtempSync(join(tmpdir(), "fourtier-plan-"))
afterAll(() => rmSync(folder, { recursive: true }))

let config: Config
let encoder: VisualEncoder
beforeAll(async () => {
  const set = ["encoder={kind: uniformerv2, model: B/16, checkpoint: random}"]
  config = (await loadConfig({ preset: "paper", set })).value
  encoder = await openVisualEncoder(config.encoder)
})

async function plan(some: Partial<PlanRequest> = {}) {
  return planOf({
    config,
    data: await dataSize("kinetics710", 0),
    encoder,
    textWidth: 512,
    machines: 1,
    rates: { cores: 16, gflops: 100, from: "given", encoderSeconds: null },
    price: priceOf("gpt-4.1-mini", listPrices),
    ask: "separate",
    requestsPerMinute: null,
    link: { bytesPerSecond: 1e9, latency: 1e-4 },
    ...some,
  })
}

const [TRAIN, VAL] = [658_340, 66_803]

describe("the plan of Kinetics-710", () => {
  it("has the published clips, four answers each, and a price by tokens", async () => {
    const { data, answers } = await plan()
    expect([data.train, data.tested, data.classes]).toEqual([TRAIN, VAL, 710])
    expect(answers).toMatchObject({ count: 4 * TRAIN, requests: 4 * TRAIN, outputTokens: 4 * 80 * TRAIN })
    // a strip of 5 frames, 1700 × 256 pixels: 54 × 8 patches of 32², times 1.62
    const image = Math.ceil(54 * 8 * 1.62)
    const input = (answers.inputTokens ?? 0) / TRAIN - 4 * image
    expect(input).toBeGreaterThan(4 * 20)
    expect(input).toBeLessThan(4 * 80)
    expect(answers.usd).toBeCloseTo((0.4 * (answers.inputTokens ?? 0) + 1.6 * answers.outputTokens) / 1e6, 0)
    const together = (await plan({ ask: "together" })).answers
    expect([together.count, together.requests]).toEqual([4 * TRAIN, TRAIN])
  })

  it("counts views, features on disk and hours of the encoder", async () => {
    const { stages } = await plan()
    const encode = stages.find(({ stage }) => stage === "encode")
    // one view for stage 1 and two for stage 2 of each training clip, 4 × 3 of each tested one
    const views = 3 * TRAIN + 12 * VAL
    expect(encode?.disk).toBe(views * 2 * 768 * (8 * 196 + 8 + 196))
    const { macs } = await encoder.flops()
    expect(encode?.hours).toBeCloseTo((views * 2 * macs) / (16 * 100e9 * SHARES.encoder) / 3600, 6)
  })

  it("on more machines divides what divides, and adds messages to training", async () => {
    const [one, many] = [await plan(), await plan({ machines: 16, requestsPerMinute: 1000 })]
    for (const stage of ["key frames", "decode", "encode"]) {
      const hours = one.stages.find((own) => own.stage === stage)?.hours ?? 0
      expect(many.stages.find((own) => own.stage === stage)?.hoursTogether).toBeCloseTo(hours / 16, 6)
    }
    const answers = many.stages.find(({ stage }) => stage === "answers")
    expect(answers?.hours).toBeCloseTo((4 * TRAIN) / 1000 / 60, 6)
    expect(answers?.hoursTogether).toBe(answers?.hours)
    expect(one.stages.find(({ stage }) => stage === "answers")?.hours).toBeNull()
    const efficiencies = many.efficiency.map(({ training }) => training)
    expect(efficiencies.toSorted((a, b) => b - a)).toEqual(efficiencies)
    expect(efficiencies[0]).toBeLessThan(1)
    // a ring of 4: 6 messages, one and a half times the bytes
    expect(messageSeconds(1e9, 4, { bytesPerSecond: 1e9, latency: 1e-4 })).toBeCloseTo(1.5 + 6e-4, 9)
  })

  it("takes a measured time of the encoder over a reckoned one", async () => {
    const rates = { cores: 16, gflops: 100, from: "given", encoderSeconds: 0.5 } as const
    const { stages } = await plan({ rates })
    expect(stages.find(({ stage }) => stage === "encode")?.hours).toBeCloseTo((0.5 * (3 * TRAIN + 12 * VAL)) / 3600, 6)
  })
})

describe("the size of the data", () => {
  it("is counted in a table, by the parts that it names", async () => {
    const table = join(folder, "clips.csv")
    for (const name of ["a", "b", "c"]) writeFileSync(join(folder, `${name}.mp4`), "")
    writeFileSync(table, "path,label,split\na.mp4,x,train\nb.mp4,y,train\nc.mp4,x,test\n")
    expect(await dataSize(table, 0.2)).toMatchObject({ train: 2, tested: 1, classes: 2 })
  })

  it("says what it knows where a name is unknown, or has no published size", async () => {
    await expect(dataSize("kinetics", 0)).rejects.toThrow(/neither data nor a data set[\s\S]*kinetics710/)
    await expect(dataSize("elan", 0)).rejects.toThrow(/no size of .* is known/)
  })
})
