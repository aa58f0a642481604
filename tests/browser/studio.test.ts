/**
 * The studio without any server, in a browser whose camera films puppets: from an empty page to a recogniser that is right live. What was
 * recorded and trained outlives the window; nothing is sent anywhere; axe finds nothing serious.
 */

import { existsSync } from "node:fs"
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { type BrowserContext, chromium as browsers, type Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { z } from "zod"
import { ROOT } from "../structure/biome.ts"
import { findChromium } from "./chromium.ts"
import { filmPuppets } from "./puppet-camera.ts"
import { serve } from "./site.ts"

const chromium = findChromium()
const DIST = join(ROOT, "packages/studio/dist")
const built = existsSync(join(DIST, "index.html"))
if (chromium === null) process.stderr.write("no Chromium here: the tests of the studio are skipped (set CHROMIUM)\n")
const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js")

const ACTIONS = ["jump", "squat", "wave"] as const
const CLIPS = 10
/** Bytes of the page, gzipped, without engine and weights. */
const PAGE_LIMIT = 300_000

const violationsSchema = z.array(
  z.object({ id: z.string(), impact: z.string().nullish(), nodes: z.array(z.object({ html: z.string() })) }),
)

describe.skipIf(chromium === null || !built)("the studio in headless Chromium", () => {
  let folder: string
  let site: Awaited<ReturnType<typeof serve>>
  let context: BrowserContext | null = null
  const elsewhere: string[] = []

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "fourtier-studio-"))
    for (const action of ACTIONS) await filmPuppets(join(folder, `${action}.y4m`), action, [0, 1, 2], 1.2)
    await filmPuppets(join(folder, "fourth.y4m"), "squat", [3], 1.2)
    site = await serve(DIST, { isolated: true })
  })
  afterAll(async () => {
    await context?.close()
    await site?.close()
    await rm(folder, { recursive: true, force: true })
  })

  /** A window of the same person on another day: the browser's files stay. */
  async function open(camera: string, screen = ""): Promise<Page> {
    await context?.close()
    const film = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
    context = await browsers.launchPersistentContext(join(folder, "profile"), {
      executablePath: chromium ?? "",
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-background-networking",
        ...film,
        `--use-file-for-fake-video-capture=${join(folder, `${camera}.y4m`)}`,
      ],
      permissions: ["camera"],
      viewport: { width: 1280, height: 860 },
    })
    const page = context.pages()[0] ?? (await context.newPage())
    page.on("request", (request) => {
      if (!request.url().startsWith(site.url) && !/^(blob|data):/.test(request.url())) elsewhere.push(request.url())
    })
    await page.goto(`${site.url}${screen}`)
    await page.getByRole("navigation").waitFor()
    return page
  }

  async function record(page: Page, label: string, clips: number, seconds = 1): Promise<void> {
    await page.getByRole("button", { name: "Record" }).click()
    await page.getByLabel(label, { exact: true }).check()
    await page.getByLabel("Seconds a clip").fill(String(seconds))
    await page.getByLabel("Clips in a row").fill(String(clips))
    await page.getByLabel("Countdown").fill("0")
    await page.getByRole("button", { name: "Start" }).click()
  }

  /** What axe finds that is serious, and whether the page is wider than its window. */
  async function faults(page: Page): Promise<string[]> {
    await page.addScriptTag({ path: AXE })
    const found: unknown = await page.evaluate(
      "axe.run(document, { resultTypes: ['violations'] }).then((found) => found.violations)",
    )
    const wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    const serious = violationsSchema.parse(found).filter(({ impact }) => impact === "serious" || impact === "critical")
    return [
      ...serious.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`),
      ...(Number(wide) > 0 ? [`${wide} pixels too wide`] : []),
    ]
  }

  it("is small without engine and weights", async () => {
    const names = await readdir(join(DIST, "assets"))
    const page = [
      ...names.filter((name) => /\.(js|css)$/.test(name) && !/^ort/.test(name)).map((name) => `assets/${name}`),
      "index.html",
    ]
    const sizes = await Promise.all(page.map(async (name) => gzipSync(await readFile(join(DIST, name))).length))
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(PAGE_LIMIT)
  })

  it("records three classes; a window that is closed while it records loses nothing but the running second", async () => {
    for (const action of ACTIONS) {
      const page = await open(action)
      await page.getByPlaceholder("Name of a class").fill(action)
      await page.getByRole("button", { name: "Add", exact: true }).click()
      await record(page, action, CLIPS)
      await page.getByText(`${CLIPS} clips recorded.`).waitFor({ timeout: 60_000 })
    }
    let page = await open("wave")
    await page
      .getByRole("button", { name: /^All clips/ })
      .getByText("30")
      .waitFor()
    await record(page, "wave", 1, 10)
    await page.waitForTimeout(2500)
    page = await open("wave")
    await page
      .getByRole("button", { name: /^All clips/ })
      .getByText("31")
      .waitFor({ timeout: 20_000 })
    // the clip that was cut off is of no use here
    await page.locator(".clip > button").last().click()
    await page.keyboard.press("Delete")
    await page
      .getByRole("button", { name: /^All clips/ })
      .getByText("30")
      .waitFor()
    await page.keyboard.press("Control+z")
    await page
      .getByRole("button", { name: /^All clips/ })
      .getByText("31")
      .waitFor()
    await page.locator(".clip > button").last().click()
    await page.keyboard.press("Delete")
    expect(await faults(page)).toEqual([])
  })

  it("trains in the page", async () => {
    const page = await open("jump", "#train")
    await page.getByRole("button", { name: "Train" }).click()
    await page.locator(".curve").waitFor({ timeout: 200_000 })
    await page.getByRole("link", { name: "Try it" }).waitFor({ timeout: 200_000 })
    expect(await faults(page)).toEqual([])
  }, 420_000)

  it("recognises a take live that it has not seen", async () => {
    const page = await open("fourth", "#use")
    await page.getByRole("button", { name: "Start the camera" }).click()
    await page.locator(".says[data-label=squat]").waitFor({ timeout: 60_000 })
    // not by accident: five seconds, which hold the take four times
    const said: (string | null)[] = []
    for (let i = 0; i < 25; i++) {
      said.push(await page.locator(".live .says").getAttribute("data-label"))
      await page.waitForTimeout(200)
    }
    expect(said.filter((label) => label === "squat").length).toBeGreaterThan(said.length / 2)
    expect(await faults(page)).toEqual([])
  })

  it("asks nobody else for anything", () => {
    expect(elsewhere).toEqual([])
  })
})
