/** The studio's page as the measurements drive it: labelled puppets go in, a bundle comes out. */

import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { basename, join, resolve } from "node:path"
import { Rng } from "@fourtier/tensor"
import { unzipSync } from "fflate"
import { chromium as browsers, type Page } from "playwright-core"
import { z } from "zod"
import { parseCsv } from "../packages/fourtier/src/util/csv.ts"
import { findChromium } from "../tests/browser/chromium.ts"
import { stop } from "./harness.ts"

export const DIST = resolve("packages/studio/dist")

export interface Row {
  path: string
  label: string
  split: string
}

export function rowsOf(folder: string): Row[] {
  const [{ fields: head }, ...rows] = parseCsv(readFileSync(join(folder, "manifest.csv"), "utf8"), "manifest.csv")
  const at = (name: string) => head.indexOf(name)
  return rows.map(({ fields }) => ({
    path: fields[at("path")],
    label: fields[at("label")],
    split: fields[at("split")],
  }))
}

/** So many training clips of each class, drawn. */
export function drawn(rows: readonly Row[], seed: number, perClass: number): Row[] {
  const taken = new Map<string, number>()
  return Rng.fork(seed, "studio")
    .shuffle(rows.filter(({ split }) => split === "train"))
    .filter(({ label }) => {
      taken.set(label, (taken.get(label) ?? 0) + 1)
      return (taken.get(label) ?? 0) <= perClass
    })
}

export interface Outcome {
  /** Folder. */
  bundle: string
  /** Seconds. */
  features: number
  training: number
}

/** Counts the features that the page has computed. */
const COUNT = `(async () => {
  const root = await navigator.storage.getDirectory()
  let count = 0
  try {
    const features = await (await root.getDirectoryHandle("studio")).getDirectoryHandle("features")
    for await (const name of features.keys()) if (!name.endsWith(".crswap")) count++
  } catch {}
  return count
})()`

const countFeatures = async (page: Page) => z.number().parse(await page.evaluate(COUNT))

export interface PageTraining {
  /** Takes the bundle; clips are put together there. */
  folder: string
  /** Where the clips are. */
  source: string
  rows: readonly Row[]
  seed: number
  /** Of the page. */
  url: string
  /** Sees the page when it has trained. */
  look?: (page: Page) => Promise<void>
}

/** Gives the clips to a page of a fresh browser, and trains there. */
export async function trainInPage({ folder, source, rows, seed, url, look }: PageTraining): Promise<Outcome> {
  const executable = findChromium() ?? stop("no Chromium here: set CHROMIUM")
  if (!existsSync(DIST)) stop("run `npm run bench` first, from the project's root")
  const clips = join(folder, "clips")
  for (const { path, label } of rows) {
    mkdirSync(join(clips, label), { recursive: true })
    copyFileSync(resolve(source, path), join(clips, label, basename(path)))
  }
  const browser = await browsers.launch({ executablePath: executable, args: ["--no-sandbox", "--disable-gpu"] })
  try {
    const page = await browser.newPage()
    await page.route("**/encoder/encoder.json", async (route) => {
      const encoder = await (await route.fetch()).json()
      await route.fulfill({ json: { ...encoder, settings: { ...encoder.settings, seed } } })
    })
    await page.goto(url)
    await page.getByRole("navigation").waitFor()
    const begun = performance.now()
    await page.getByLabel("Add a folder").setInputFiles(clips)
    while ((await countFeatures(page)) < rows.length) await page.waitForTimeout(250)
    const features = (performance.now() - begun) / 1000
    await page.locator('nav a[href="#train"]').click()
    const pressed = performance.now()
    await page.getByRole("button", { name: "Train" }).click()
    await page.getByRole("link", { name: "Try it" }).waitFor({ timeout: 0 })
    const training = (performance.now() - pressed) / 1000
    await look?.(page)
    await page.locator('nav a[href="#use"]').click()
    const download = page.waitForEvent("download")
    await page.getByRole("button", { name: "Download (.zip)" }).click()
    const files = unzipSync(readFileSync(await (await download).path()))
    mkdirSync(join(folder, "bundle"))
    for (const [name, bytes] of Object.entries(files)) writeFileSync(join(folder, name), bytes)
    return { bundle: join(folder, "bundle"), features, training }
  } finally {
    await browser.close()
  }
}
