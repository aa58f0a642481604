/**
 * The timeline of long videos in a browser, opened from disk: a click on a span plays it, the keyboard does as well, names are text,
 * a video that is not there is said, axe finds nothing serious, and it fits from a phone to a desktop.
 */

import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import type { Browser, Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { z } from "zod"
import { timelineOf } from "../../packages/fourtier/src/report/timeline.ts"
import { encodeClip } from "../../packages/fourtier/tests/video/encode.ts"
import { built } from "../cli/command.ts"
import { findChromium, launchChromium } from "./chromium.ts"

const chromium = findChromium()
if (chromium === null) process.stderr.write("no Chromium here: the tests of the timeline are skipped (set CHROMIUM)\n")
const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js")
const HOSTILE = "</script><img src=x onerror=hacked=1>"

const violationsSchema = z.array(
  z.object({ id: z.string(), impact: z.string().nullish(), nodes: z.array(z.object({ html: z.string() })) }),
)

describe.skipIf(chromium === null || !built)("timeline.html in headless Chromium", () => {
  let folder: string
  let browser: Browser
  let page: Page
  const complaints: string[] = []

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "fourtier-timeline-"))
    browser = await launchChromium(chromium ?? "")
    const paint = (frame: number, pixels: Uint8Array) => pixels.fill((8 * frame) % 256)
    // VP8: the browser here plays it without codecs of its own
    encodeClip(join(folder, "a b.webm"), { codec: "libvpx", frames: 250, paint })
    const span = (label: string, start: number, end: number, score: number) => ({ label, start, end, score })
    const spans = [
      span("walk", 0, 2, 0.9),
      span(HOSTILE, 3, 4.5, 0.6),
      span("push", 6, 8.2, 0.8),
      span("walk", 8.5, 9.5, 0.4),
    ]
    const html = await timelineOf([
      { name: "a b.webm", src: "a%20b.webm", duration: 10, spans },
      { name: "gone.mp4", src: "gone.mp4", duration: 3600, spans: [span("push", 1800, 1810, 0.7)] },
      { name: "nothing.mp4", src: "gone.mp4", duration: 5, spans: [] },
    ])
    await writeFile(join(folder, "timeline.html"), html)
    page = await browser.newPage()
    page.on("pageerror", (error) => complaints.push(error.message))
  })
  afterAll(async () => {
    await browser?.close()
    await rm(folder, { recursive: true, force: true })
  })

  /** Loads the timeline anew. */
  async function open(width = 1440, colorScheme: "light" | "dark" = "light"): Promise<void> {
    await page.setViewportSize({ width, height: 900 })
    await page.emulateMedia({ colorScheme })
    await page.goto(pathToFileURL(join(folder, "timeline.html")).href)
    await page.waitForSelector("#made")
    await until("document.querySelector('video').readyState > 0")
  }

  /** Waits until an expression holds; the page itself evaluates no text. */
  async function until(expression: string): Promise<void> {
    await expect.poll(() => page.evaluate(expression), { timeout: 30_000 }).toBe(true)
  }

  const time = () => page.evaluate("document.querySelector('video').currentTime").then(Number)

  it("plays a span that is clicked, from its start to its end", async () => {
    await open()
    await page.locator(".bar").nth(0).waitFor()
    await page.getByRole("button", { name: /^push, 0:06\.0 to 0:08\.2, 80 %$/ }).click()
    expect(await time()).toBeGreaterThanOrEqual(6)
    await until("document.querySelector('video').paused && document.querySelector('video').currentTime >= 8.2")
    expect(await time()).toBeLessThan(8.7)
    expect(await page.locator("tr.current").textContent()).toContain("push")
    await page.locator("#spans button").nth(0).click()
    expect(await time()).toBeLessThan(1)
    expect(await page.evaluate("document.querySelector('video').paused")).toBe(false)
  })

  it("is used by the keyboard: moments, spans, playing, zoom", async () => {
    await open()
    await page.keyboard.press("Shift+ArrowRight")
    await until("document.querySelector('video').currentTime > 9.4")
    await page.keyboard.press("j")
    expect(await page.locator("tr.current").textContent()).toContain("0:08.5")
    await page.keyboard.press("j")
    expect(await page.locator("tr.current").textContent()).toContain("push")
    await page.keyboard.press("Space")
    expect(await page.evaluate("document.querySelector('video').paused")).toBe(true)
    const before = await time()
    await page.keyboard.press("ArrowLeft")
    expect(await time()).toBeCloseTo(before - 1, 1)
    await page.keyboard.press("+")
    expect(await page.locator("fieldset output").textContent()).toBe("2×")
  })

  it("shows spans of a least score, other videos, and says when one does not play", async () => {
    await open()
    await page.locator("#least").fill("75")
    expect(await page.locator("#spans tbody tr").count()).toBe(2)
    expect(await page.locator("h1").textContent()).toContain("2 of 4 spans")
    await page.locator("#videos").selectOption("1")
    await page.locator(".failed").waitFor()
    expect(await page.locator(".failed").textContent()).toContain("gone.mp4")
    await page.locator("#videos").selectOption("2")
    expect(await page.locator(".none").textContent()).toContain("No action was found")
  })

  it("holds markup in labels as text", async () => {
    await open()
    expect(await page.evaluate("'hacked' in globalThis")).toBe(false)
    expect(await page.locator("#spans").textContent()).toContain(HOSTILE)
  })

  it.each([
    [1440, "light"],
    [1440, "dark"],
    [375, "light"],
    [375, "dark"],
  ] as const)("has nothing that axe calls serious, and fits, at %i pixels, %s", async (width, scheme) => {
    await open(width, scheme)
    await page.addScriptTag({ path: AXE })
    const found: unknown = await page.evaluate(
      "axe.run(document, { resultTypes: ['violations'] }).then((f) => f.violations)",
    )
    const serious = violationsSchema.parse(found).filter(({ impact }) => impact === "serious" || impact === "critical")
    expect(serious.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([])
    expect(await page.evaluate("document.documentElement.scrollWidth - innerWidth")).toBeLessThanOrEqual(0)
  })

  it("throws nothing", () => {
    expect(complaints).toEqual([])
  })
})
