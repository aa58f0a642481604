/**
 * The studio without any server, in a browser whose camera films puppets: from an empty page to a recogniser that is right live. What was
 * recorded and trained outlives the window; its bundle says in Node what it says in the page; nothing is sent anywhere.
 */

import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { unzipSync } from "fflate"
import { Recognizer } from "fourtier/deploy"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { findChromium } from "./chromium.ts"
import { serve } from "./site.ts"
import {
  clipsWithFeatures,
  featureDifferences,
  largestDifference,
  oneWindow,
  saidInNode,
  saidInPage,
} from "./studio-parity.ts"
import {
  ACTIONS,
  addClass,
  built,
  DIST,
  faults,
  fewerViews,
  filmActions,
  hasClips,
  kill,
  record,
  removeLast,
  SHOWN,
  StudioWindow,
  shareSaid,
} from "./studio-window.ts"

const chromium = findChromium()
if (chromium === null) process.stderr.write("no Chromium here: the tests of the studio are skipped (set CHROMIUM)\n")

const CLIPS = 10
/** Bytes of the page, gzipped, without engine and weights. */
const PAGE_LIMIT = 300_000
/** Features of a file in the page and in Node: norm of the difference, as a share. */
const FEATURE_TOLERANCE = 0.001

describe.skipIf(chromium === null || !built)("the studio in headless Chromium", () => {
  let folder: string
  let site: Awaited<ReturnType<typeof serve>>
  let person: StudioWindow

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "fourtier-studio-"))
    await filmActions(folder)
    site = await serve(DIST, { isolated: true, instead: fewerViews(3) })
    person = new StudioWindow(chromium ?? "", folder)
  })
  afterAll(async () => {
    await person?.close()
    await site?.close()
    await rm(folder, { recursive: true, force: true })
  })

  const open = (camera: string, screen = "") => person.open(camera, `${site.url}${screen}`)

  it("is small without engine and weights", async () => {
    const names = await readdir(join(DIST, "assets"))
    const page = [
      ...names.filter((name) => /\.(js|css)$/.test(name) && !/^ort/.test(name)).map((name) => `assets/${name}`),
      "index.html",
    ]
    const sizes = await Promise.all(page.map(async (name) => gzipSync(await readFile(join(DIST, name))).length))
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(PAGE_LIMIT)
  })

  it("records three classes; a window that is killed while it records loses nothing but the running second", async () => {
    for (const action of ACTIONS) {
      const page = await open(action)
      await addClass(page, action)
      await record(page, action, CLIPS, 0.8)
      await page.getByText(`${CLIPS} clips recorded.`).waitFor({ timeout: 60_000 })
    }
    let page = await open("wave")
    await hasClips(page, 30)
    await record(page, "wave", 1, 10)
    await page.waitForTimeout(2500)
    await kill(page)
    page = await open("wave")
    await hasClips(page, 31)
    // the clip that was cut off is of no use here
    await removeLast(page)
    await hasClips(page, 30)
    await page.keyboard.press("Control+z")
    await hasClips(page, 31)
    await removeLast(page)
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
    // not by accident: three seconds, which hold the take twice or more
    expect(await shareSaid(page, SHOWN)).toBeGreaterThan(0.5)
    expect(await faults(page)).toEqual([])
  })

  it("sees a file as Node does, and its bundle is one of Node's", async () => {
    const page = await open("fourth", "#use")
    const download = page.waitForEvent("download")
    await page.getByRole("button", { name: "Download (.zip)" }).click()
    const files = unzipSync(await readFile(await (await download).path()))
    const bundle = join(folder, "bundle")
    await mkdir(bundle)
    for (const [name, bytes] of Object.entries(files)) await writeFile(join(folder, name), bytes)

    // one of each class, as they were recorded
    const clips = await clipsWithFeatures(
      page,
      ACTIONS.map((_, i) => i * CLIPS),
    )
    const stored = await Promise.all(
      clips.map(async ({ file, features }, i) => {
        const path = join(folder, `${i}.webm`)
        await writeFile(path, file)
        return { path, features }
      }),
    )
    for (const share of await featureDifferences(stored)) expect(share).toBeLessThan(FEATURE_TOLERANCE)

    const recognizer = await Recognizer.load(bundle)
    const { parity } = recognizer.bundle
    const said = []
    for (const { path } of stored) said.push((await recognizer.predict(path)).top[0].label)
    expect(said).toEqual(ACTIONS)
    await recognizer.release()
    expect(parity.largestDifference).toBeLessThan(1e-4)
    const film = await oneWindow(bundle, SHOWN, 3)
    const inNode = await saidInNode(bundle, film)
    expect(largestDifference(await saidInPage(page, bundle, film), inNode)).toBeLessThan(1e-4)
  })

  it("asks nobody else for anything, and nothing in it fails", () => {
    expect([person.elsewhere, person.complaints]).toEqual([[], []])
  })
})
