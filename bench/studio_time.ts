/**
 * How long it takes, in the studio's page without a server, from the first recorded clip to a recogniser that works: three classes of ten
 * clips of a second, from a camera that films puppets, trained in the page.
 *
 *     npm run bench && node .fourtier/bench/studio_time.js [rounds, 1]
 *
 * Prints seconds since the first recording began: when all was recorded, when training was begun, when its features were there, when the
 * recogniser could be tried, when it was tested; before that, when the page showed something, and when it could be used. Needs a Chromium
 * (CHROMIUM), and a machine that does nothing else.
 */

import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { chromium as browsers, type Page } from "playwright-core"
import { z } from "zod"
import { findChromium } from "../tests/browser/chromium.ts"
import { filmPuppets } from "../tests/browser/puppet-camera.ts"
import { serve } from "../tests/browser/site.ts"
import { stop } from "./harness.ts"

const [rounds = "1"] = process.argv.slice(2)
const DIST = resolve("packages/studio/dist")
const executable = findChromium() ?? stop("no Chromium here: set CHROMIUM")
if (!existsSync(DIST)) stop("run `npm run bench` first, from the project's root")

const CLASSES = ["jump", "squat", "wave"]
const CLIPS = 10

async function recordAll(page: Page): Promise<void> {
  for (const name of CLASSES) {
    await page.getByPlaceholder("Name of a class").fill(name)
    await page.getByRole("button", { name: "Add", exact: true }).click()
  }
  await page.getByRole("button", { name: "Record" }).click()
  await page.getByLabel("Seconds a clip").fill("1")
  await page.getByLabel("Clips in a row").fill(String(CLIPS))
  await page.getByLabel("Countdown").fill("0")
}

async function round(url: string, folder: string): Promise<void> {
  const browser = await browsers.launch({
    executablePath: executable,
    args: [
      ...["--no-sandbox", "--disable-gpu", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"],
      `--use-file-for-fake-video-capture=${join(folder, "film.y4m")}`,
    ],
  })
  try {
    const page = await browser.newPage({ permissions: ["camera"] })
    const opened = performance.now()
    await page.goto(url)
    await page.getByRole("button", { name: "Record" }).waitFor()
    const usable = (performance.now() - opened) / 1000
    const paint = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"
    const painted = z.number().parse(await page.evaluate(paint)) / 1000
    process.stdout.write(`first paint ${painted.toFixed(2)} s, usable ${usable.toFixed(2)} s\n`)
    await recordAll(page)
    const begun = performance.now()
    const tell = (what: string) =>
      process.stdout.write(`${((performance.now() - begun) / 1000).toFixed(1).padStart(6)} s  ${what}\n`)
    for (const name of CLASSES) {
      await page.getByLabel(name, { exact: true }).check()
      await page.getByRole("button", { name: "Start" }).click()
      await page.getByText(`${CLIPS} clips recorded.`).waitFor({ timeout: 120_000 })
    }
    tell("recorded")
    await page.getByRole("button", { name: "Close" }).click()
    await page.locator('nav a[href="#train"]').click()
    await page.getByRole("button", { name: "Train" }).click()
    await page.getByText("Training the recogniser").waitFor({ timeout: 0 })
    tell("features computed")
    await page.getByRole("link", { name: "Try it" }).waitFor({ timeout: 0 })
    tell("recogniser works")
    await page.getByRole("button", { name: "Train again" }).waitFor({ timeout: 0 })
    tell("recogniser tested")
  } finally {
    await browser.close()
  }
}

const folder = mkdtempSync(join(tmpdir(), "fourtier-studio-time-"))
const site = await serve(DIST, { isolated: true })
try {
  await filmPuppets(join(folder, "film.y4m"), "wave", [0, 1, 2], 1.2)
  for (let i = 0; i < Number(rounds); i++) await round(site.url, folder)
} finally {
  await site.close()
  rmSync(folder, { recursive: true, force: true })
}
