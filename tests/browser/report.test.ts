/**
 * The page of a report in a browser, opened from disk: nothing fails, nothing is fetched, whatever labels hold is text, figures are
 * those of results.json, it can be used by click and by keyboard, and axe finds nothing serious.
 */

import { readFileSync, statSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import type { Browser, Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { z } from "zod"
import { PAGE_LIMIT, writePage } from "../../packages/fourtier/src/report/page.ts"
import { HOSTILE, writeRun } from "../../packages/fourtier/tests/report/run-fixture.ts"
import { built } from "../cli/command.ts"
import { findChromium, launchChromium } from "./chromium.ts"

const chromium = findChromium()
if (chromium === null)
  process.stderr.write("no Chromium here: the tests of the report's page are skipped (set CHROMIUM)\n")
const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js")

const violationsSchema = z.array(
  z.object({ id: z.string(), impact: z.string().nullish(), nodes: z.array(z.object({ html: z.string() })) }),
)

describe.skipIf(chromium === null || !built)("report.html in headless Chromium", () => {
  let folder: string
  let browser: Browser
  let own: Page
  const complaints: string[] = []
  const requests: string[] = []

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "fourtier-report-"))
    browser = await launchChromium(chromium ?? "")
    own = await browser.newPage()
    own.on("console", (message) => message.type() === "error" && complaints.push(message.text()))
    own.on("pageerror", (error) => complaints.push(error.message))
    own.on("request", (request) => !/^(file|data):/.test(request.url()) && requests.push(request.url()))
  })
  afterAll(async () => {
    await browser?.close()
    await rm(folder, { recursive: true, force: true })
  })

  /** Loads a file into the window: all that was done to what it showed before is gone. */
  async function open(file: string, width = 1440, colorScheme: "light" | "dark" = "light"): Promise<void> {
    await own.setViewportSize({ width, height: 900 })
    await own.emulateMedia({ colorScheme })
    await own.goto(pathToFileURL(file).href)
    await own.waitForSelector("#made")
  }

  /** What axe finds that is serious, and whether the page is wider than its window. */
  async function faults(): Promise<string[]> {
    await own.addScriptTag({ path: AXE })
    const found: unknown = await own.evaluate(
      "axe.run(document, { resultTypes: ['violations'] }).then((found) => found.violations)",
    )
    const serious = violationsSchema.parse(found).filter(({ impact }) => impact === "serious" || impact === "critical")
    const wide = await tooWide(own)
    return [
      ...serious.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`),
      ...(wide > 0 ? [`${wide} pixels too wide`] : []),
    ]
  }

  const page = (name: string) => join(folder, name, "report.html")
  async function write(name: string, options?: Parameters<typeof writeRun>[1]): Promise<string> {
    await writeRun(join(folder, name), options)
    await writePage([join(folder, name)], page(name))
    return page(name)
  }

  it("holds markup in labels, answers and file names as text", async () => {
    await open(await write("whole"))
    expect(await own.evaluate(() => "hacked" in globalThis)).toBe(false)
    expect(await own.locator("img[src=x], main script").count()).toBe(0)
    expect(await own.locator("#confusion").textContent()).toContain("</script>")
    expect(await own.locator("#examples").textContent()).toContain(`Answer A: hug, tight`)
    expect(readFileSync(page("whole"), "utf8")).not.toContain(HOSTILE)
  })

  it.each([
    [1440, "light"],
    [768, "dark"],
    [375, "light"],
  ] as const)("has nothing that axe calls serious, and fits, at %i pixels, %s", async (width, scheme) => {
    await open(page("whole"), width, scheme)
    expect(await faults()).toEqual([])
  })

  it.each([
    ["whole", {}, ["splits", "background", "views"]],
    ["several splits", { splits: ["split1", "split2", "split3"] }, ["splits", "means", "background", "views"]],
  ])("every figure with a place is the one that stands there in results.json: %s", async (name, options, parts) => {
    await open(await write(name, options))
    const results: unknown = JSON.parse(readFileSync(join(folder, name, "results.json"), "utf8"))
    expect(await own.locator("data[data-from]").count()).toBeGreaterThan(40)
    const shown = z
      .array(z.tuple([z.string(), z.string()]))
      .parse(
        await own.evaluate("[...document.querySelectorAll('data')].map(({ value, dataset }) => [dataset.from, value])"),
      )
    for (const [place, value] of shown) expect([place, Number(value)]).toEqual([place, valueAt(results, place)])
    expect(new Set(shown.map(([place]) => place.split("[")[0].split(".")[0]))).toEqual(new Set(parts))
    expect(await tooWide(own)).toBeLessThanOrEqual(0)
  })

  it("shows how far its probabilities can be believed, what it says of clips of no class, and what it costs", async () => {
    await open(page("whole"))
    const text = async (id: string) => (await own.locator(id).textContent()) ?? ""
    expect(await text("#calibration")).toMatch(/As it is shipped, full is .* % sure on average and right for 75\.0 %/)
    expect(await text("#calibration")).toContain("from 12 held-out clips")
    expect(await own.locator("#calibration .plot circle").count()).toBeGreaterThanOrEqual(2)
    expect(await text("#unknown")).toMatch(/false alarms14\.3 %.*kept75\.0 %.*curve0\.938/)
    expect(await text("#cost")).toContain("12 times (4 stretches of time × 3 crops)")
    expect(await text("#cost")).toContain("UniFormerV2-B/16, Table 1: 115 M weights")
    expect(await text("#folds")).toContain("seed 1")
  })

  it("leads with the mean where there are several splits, and shows each", async () => {
    await open(page("several splits"))
    expect(await own.locator("#headline .big data").getAttribute("data-from")).toBe(
      "means[0].methods[2].figures.top1.value",
    )
    expect(await own.locator("#folds").textContent()).toMatch(
      /full is right for 25\.0 % of split3 and for 75\.0 % of split1/,
    )
  })

  it("a cell of the matrix shows its clips, a clip opens and closes, runs by keyboard", async () => {
    await open(page("whole"))
    await own.locator(".matrix td:not(.right) button").first().click()
    await shows(() => own.locator("#confusion-clips .card").count()).toBe(1)
    await own.locator("#confusion-clips .strip").first().click()
    await shows(() => own.locator("dialog").textContent()).toContain("test/0-0.mp4")
    expect(await own.locator("dialog img").count()).toBe(1)
    expect(await own.locator("dialog").textContent()).toContain("Answer A")
    await own.keyboard.press("Escape")
    await own.locator("dialog").waitFor({ state: "detached", timeout: 20_000 })
    const map = own.locator("[role=application]").first()
    await map.focus()
    await own.keyboard.press("ArrowRight")
    await shows(() => own.locator(".pointed img").count()).toBe(1)
    await own.keyboard.press("Enter")
    await shows(() => own.locator("dialog h2").textContent()).toContain("test/0-0.mp4")
    await own.keyboard.press("Escape")
    await own.locator(".switch button", { hasText: "dark" }).click()
    await shows(() => own.evaluate("getComputedStyle(document.documentElement).backgroundColor")).toBe(
      "rgb(16, 20, 25)",
    )
    await own.evaluate("localStorage.clear()") // the choice is kept for other pages
  })

  it.each([
    ["training", { tested: false, status: "training" }, "Still training"],
    ["untested", { tested: false }, "Not tested"],
    ["no prompts", { prompts: [] }, "Not measured: there are no prompts"],
    ["one class, one clip", { classes: ["hug"], perClass: 1, seeds: [0] }, "Every test clip|taken for"],
    [
      "many",
      {
        classes: Array.from({ length: 500 }, (_, i) => `a rather long name of a class, number ${i}`),
        perClass: 1,
        seeds: [0],
      },
      "of 500 classes",
    ],
  ] as const)("has something to say where a run is: %s", async (name, options, expected) => {
    const file = await write(name, {
      ...options,
      classes: "classes" in options ? [...options.classes] : undefined,
      seeds: "seeds" in options ? [...options.seeds] : undefined,
      prompts: "prompts" in options ? [] : undefined,
    })
    await open(file, 375)
    expect(await own.locator("main").textContent()).toMatch(new RegExp(expected))
    expect(await tooWide(own)).toBeLessThanOrEqual(0)
    expect(statSync(file).size).toBeLessThan(PAGE_LIMIT)
  })

  it("shows several runs side by side, and the one that is chosen", async () => {
    const file = join(folder, "both.html")
    await writePage([join(folder, "whole"), join(folder, "no prompts")], file)
    await open(file)
    expect(await own.locator("#runs tbody tr").count()).toBe(2)
    await own.locator("#runs tbody button").nth(1).click()
    await shows(() => own.locator(".bar h1").textContent()).toContain("no prompts")
  })

  it("no page has complained or asked for anything", () => {
    expect(complaints).toEqual([])
    expect(requests).toEqual([])
  })
})

/** What a page comes to show after something was pressed: it draws a moment later. */
function shows<T>(read: () => Promise<T>) {
  return expect.poll(read, { timeout: 20_000 })
}

/** Pixels by which a page is wider than its window. */
async function tooWide(page: Page): Promise<number> {
  return z.number().parse(await page.evaluate("document.documentElement.scrollWidth - innerWidth"))
}

/** What stands at `splits[0].methods[1].figures.top1.value`. */
function valueAt(value: unknown, place: string): unknown {
  return place
    .split(/[.[\]]+/)
    .reduce<unknown>((at, key) => (key === "" ? at : new Map(Object.entries(at ?? {})).get(key)), value)
}
