/** The core runs in a page as in Node: it trains to the same losses, and a bundle gives the same probabilities. */

import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { writeJson, writeOnnx } from "@fourtier/tensor/node"
import type { Browser, Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { buildModel, describeInput } from "../../packages/fourtier/src/deploy/build.ts"
import { freshNetwork, provenanceOf, quarters, SIDE, T } from "../../packages/fourtier/tests/deploy/fixtures.ts"
import { findChromium, launchChromium } from "./chromium.ts"
import type { PageTasks } from "./page.ts"
import { buildSite, serve } from "./site.ts"
import { recogniseMadeUpClip, trainSmallHead } from "./small-head.ts"

declare global {
  var tasks: PageTasks
}

const chromium = findChromium()
if (chromium === null) process.stderr.write("no Chromium here: the tests in a browser are skipped (set CHROMIUM)\n")

async function writeBundle(folder: string): Promise<void> {
  const { network, weights } = freshNetwork(quarters, "full", { classes: 3, headWidth: 3, prompts: ["A"] })
  weights.get("standardize.scale")?.fill(4)
  weights.set(
    "classifier.linear.weight",
    weights.get("classifier.linear.weight")?.map((x) => 40 * x) ?? new Float32Array(),
  )
  await mkdir(folder)
  await writeOnnx(join(folder, "model.onnx"), await buildModel(quarters, 3, network, weights))
  await writeJson(join(folder, "bundle.json"), {
    format: "fourtier/bundle",
    version: 1,
    labels: ["a", "b", "c"],
    input: describeInput(quarters),
    output: { name: "probabilities" },
    sampling: { kind: "segments", frames: T, clips: 2 },
    steps: [
      { step: "shortSide", size: 40 },
      { step: "crop", size: SIDE, views: "three" },
    ],
    provenance: provenanceOf(quarters, "full"),
    stream: null,
    clipSeconds: null,
    calibration: null,
    unknown: null,
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
