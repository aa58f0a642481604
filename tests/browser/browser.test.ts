/** The core runs in a page as in Node: it trains to the same losses, and a bundle gives the same probabilities. */

import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { methodNamed, onRawMap } from "@fourtier/core/model"
import { FRAMES, modelSchema } from "@fourtier/core/schemas"
import { input, mean, mul, Rng, reshape, transpose } from "@fourtier/tensor"
import { initialize } from "@fourtier/tensor/nn"
import { writeJson, writeOnnx } from "@fourtier/tensor/node"
import { toOnnx } from "@fourtier/tensor/onnx"
import type { Browser, Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { buildModel, describeInput } from "../../packages/fourtier/src/deploy/build.ts"
import { MAP, type VisualEncoder } from "../../packages/fourtier/src/encoders/encoder.ts"
import { findChromium, launchChromium } from "./chromium.ts"
import type { PageTasks } from "./page.ts"
import { buildSite, serve } from "./site.ts"
import { recogniseMadeUpClip, trainSmallHead } from "./small-head.ts"

declare global {
  var tasks: PageTasks
}

const chromium = findChromium()
if (chromium === null) process.stderr.write("no Chromium here: the tests in a browser are skipped (set CHROMIUM)\n")

const [T, SIDE] = [4, 32]

/** Averages quarters of each frame: m [B,T,4,3]. */
const encoder: VisualEncoder = {
  name: "quarters",
  id: "quarters",
  frames: T,
  resolution: [SIDE, SIDE],
  size: { T, H: 2, W: 2, D: 3 },
  flops: async () => ({ part: "encoder", weights: 0, macs: 0 }),
  async model(batch) {
    const half = SIDE / 2
    const frames = reshape(input(FRAMES, [batch, T, SIDE, SIDE, 3]), [batch * T, 2, half, 2, half, 3])
    const quarters = mean(transpose(frames, [0, 1, 3, 2, 4, 5]), [3, 4]) // [B·T,2,2,3]
    return toOnnx({ outputs: { [MAP]: mul(reshape(quarters, [batch, T, 4, 3]), 1 / 255) } })
  },
}

async function writeBundle(folder: string): Promise<void> {
  const model = modelSchema.parse({ headWidth: 3, blocks: 1 })
  const build = methodNamed("full").build({ prompts: ["A"], model, space: null })
  const network = { build, width: null, pool: model.pool }
  const spec = { size: encoder.size, classes: 3, ...network }
  const { trained, finalFrozen } = onRawMap(input("m", [1, T, 4, 3]), spec, null)
  const weights = initialize([...trained, ...finalFrozen], (name) => Rng.fork("weights", name))
  weights.get("standardize.scale")?.fill(4)
  weights.set(
    "classifier.linear.weight",
    weights.get("classifier.linear.weight")?.map((x) => 40 * x) ?? new Float32Array(),
  )
  await mkdir(folder)
  await writeOnnx(join(folder, "model.onnx"), await buildModel(encoder, 3, network, weights))
  await writeJson(join(folder, "bundle.json"), {
    format: "fourtier/bundle",
    version: 1,
    labels: ["a", "b", "c"],
    input: describeInput(encoder),
    output: { name: "probabilities" },
    sampling: { kind: "segments", frames: T, clips: 2 },
    steps: [
      { step: "shortSide", size: 40 },
      { step: "crop", size: SIDE, views: "three" },
    ],
    provenance: {
      fourtier: "0.0.0",
      created: "2026-01-01T00:00:00Z",
      method: "full",
      encoder: { name: encoder.name, id: encoder.id },
      prompts: [{ id: "A", text: "What is the action category?" }],
      config: "made up",
      split: "none",
      seed: 0,
      trainingClips: 0,
      pseudoLabelled: 0,
    },
    accuracy: null,
    parity: { clips: 0, largestDifference: 0 },
  })
}

function largestDifference(a: readonly number[], b: readonly number[]): number {
  expect(a).toHaveLength(b.length)
  return Math.max(...a.map((x, i) => Math.abs(x - b[i])))
}

describe.skipIf(chromium === null)("in headless Chromium", () => {
  let folder: string
  let files: string[]
  let site: Awaited<ReturnType<typeof serve>>
  let browser: Browser
  let page: Page
  const complaints: string[] = []

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "fourtier-page-"))
    files = await buildSite(folder)
    await writeBundle(join(folder, "bundle"))
    site = await serve(folder)
    browser = await launchChromium(chromium ?? "")
    page = await browser.newPage()
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()))
    page.on("pageerror", (error) => complaints.push(error.message))
    await page.goto(site.url)
  })
  afterAll(async () => {
    await browser?.close()
    await site?.close()
    await rm(folder, { recursive: true, force: true })
  })

  it("bundles without a module of Node, and with the WebAssembly engine alone", async () => {
    expect(files.filter((name) => name.endsWith(".wasm")).length).toBeGreaterThan(0)
    expect(files.join("\n")).not.toMatch(/onnxruntime-node|\.node$/m)
  })

  it("trains both stages for 20 updates to Node's losses and probabilities", async () => {
    const inNode = await trainSmallHead()
    const inPage = await page.evaluate(() => globalThis.tasks.train())
    expect(inPage.stage1).toHaveLength(20)
    expect(inNode.stage2[19]).toBeLessThan(inNode.stage2[0])
    expect(largestDifference(inPage.stage1, inNode.stage1)).toBeLessThan(1e-4)
    expect(largestDifference(inPage.stage2, inNode.stage2)).toBeLessThan(1e-4)
    expect(largestDifference(inPage.probabilities.flat(), inNode.probabilities.flat())).toBeLessThan(1e-4)
  })

  it("loads a bundle and recognises frames as Node does", async () => {
    const model = new Uint8Array(await readFile(join(folder, "bundle/model.onnx")))
    const bundle: unknown = JSON.parse(await readFile(join(folder, "bundle/bundle.json"), "utf8"))
    const inNode = await recogniseMadeUpClip(model, bundle)
    const inPage = await page.evaluate(() => globalThis.tasks.recognise())
    expect(Math.max(...inNode) - Math.min(...inNode)).toBeGreaterThan(0.01)
    expect(largestDifference(inPage, inNode)).toBeLessThan(1e-4)
  })

  it("says nothing on the console that is an error", () => {
    expect(complaints).toEqual([])
  })
})
