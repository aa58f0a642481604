/**
 * A page that is killed while it trains goes on from its last checkpoint, and ends with the weights of one that was left alone; clips of no
 * class are no class, and say from where on it is unknown.
 */

import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { unzipSync } from "fflate"
import type { Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { z } from "zod"
import { encodeClip } from "../../packages/fourtier/tests/video/encode.ts"
import { findChromium } from "./chromium.ts"
import { serve } from "./site.ts"
import { script } from "./studio-parity.ts"
import { built, DIST, fewerViews, hasClips, kill, StudioWindow } from "./studio-window.ts"

const chromium = findChromium()
const UPDATES = 40
const QUICK = { epochs: 1, minUpdates: UPDATES, checkpointSeconds: 0.2 }

/** Bars of so many pixels across the picture for one class, along it for the other, both of them for none. */
const BARS: Record<string, (x: boolean, y: boolean) => boolean> = {
  hop: (x) => x,
  wave: (_, y) => y,
  none: (x, y) => x !== y,
}
const CLIPS = [
  ["hop", 8],
  ["hop", 12],
  ["wave", 8],
  ["wave", 12],
  // unlike each other: only the one that looks most like a class lies on the limit
  ["none", 4],
  ["none", 8],
  ["none", 16],
  ["none", 24],
] as const

function film(path: string, label: string, bar: number): void {
  const paint = (_: number, pixels: Uint8Array, stride: number) => {
    for (let y = 0; y < 48; y++) {
      for (let x = 0; x < 64; x++) {
        const light = BARS[label](x % (2 * bar) < bar, y % (2 * bar) < bar)
        pixels.fill(light ? 210 : 20, y * stride + 3 * x, y * stride + 3 * x + 3)
      }
    }
  }
  encodeClip(path, { frames: 4, paint })
}

describe.skipIf(chromium === null || !built)("a page that is killed while it trains", () => {
  let folder: string
  let site: Awaited<ReturnType<typeof serve>>
  let person: StudioWindow
  let page: Page
  let files: Record<string, Uint8Array>

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "fourtier-studio-"))
    for (const [label, bar] of CLIPS) film(join(folder, "mine", label, `${label} ${bar}.mp4`), label, bar)
    site = await serve(DIST, { isolated: true, instead: fewerViews(1, QUICK) })
    person = new StudioWindow(chromium ?? "", folder)
    page = await person.open("none", site.url)
    await page.getByLabel("Add a folder").setInputFiles(join(folder, "mine"))
    await hasClips(page, CLIPS.length)
  })
  afterAll(async () => {
    await person?.close()
    await site?.close()
    rmSync(folder, { recursive: true, force: true })
  })

  const updates = async (forget = false) => Number(await page.evaluate(await script("training", { forget })))
  const trained = () => page.getByText(/^Trained and tested in/).waitFor()
  const download = async () => {
    await page.locator('nav a[href="#use"]').click()
    const download = page.waitForEvent("download")
    await page.getByRole("button", { name: "Download (.zip)" }).click()
    return unzipSync(readFileSync(await (await download).path()))
  }

  it("says so, and goes on from the last checkpoint to the same weights", async () => {
    await page.locator('nav a[href="#train"]').click()
    await page.getByRole("button", { name: "Train" }).click()
    let kept = 0
    while (kept === 0) {
      await page.waitForTimeout(100)
      kept = await updates()
    }
    await kill(page)
    page = await person.open("none", site.url)
    await hasClips(page, CLIPS.length)
    await page.getByText("The training was interrupted.").waitFor()
    const shown = page.evaluate(`new Promise((resolve) => new MutationObserver(() => {
      const [, done] = /(\\d+) \\/ ${UPDATES}/.exec(document.querySelector(".progress")?.textContent) ?? []
      if (done) resolve(Number(done))
    }).observe(document.body, { subtree: true, childList: true, characterData: true }))`)
    await page.getByRole("button", { name: "Go on" }).click()
    expect(await shown).toBeGreaterThan(kept)
    await trained()
    files = await download()
    expect(await updates(true)).toBe(0)
    await page.locator('nav a[href="#train"]').click()
    await page.getByRole("button", { name: "Train again" }).click()
    await page.getByRole("button", { name: "Stop" }).waitFor()
    await trained()
    const undisturbed = await download()
    expect(Buffer.compare(files["bundle/model.onnx"], undisturbed["bundle/model.onnx"])).toBe(0)
  })

  it("clips of no class are no class, and say below which probability it is unknown", async () => {
    const bundle: unknown = JSON.parse(Buffer.from(files["bundle/bundle.json"]).toString())
    const { labels, unknown } = z
      .object({ labels: z.array(z.string()), unknown: z.object({ clips: z.number(), threshold: z.number() }) })
      .parse(bundle)
    expect([labels, unknown.clips]).toEqual([["hop", "wave"], 4])
    const limit = 100 * unknown.threshold
    const said: string[] = []
    let before = ""
    for (const name of ["none 4", "none 8", "none 16", "none 24", "hop 8", "wave 8"]) {
      await page.getByLabel("Choose a video").setInputFiles(join(folder, "mine", name.split(" ")[0], `${name}.mp4`))
      before = (await page.locator(`.file video:not([src="${before}"])`).getAttribute("src")) ?? ""
      const lane = (await page.locator(".lane button").first().getAttribute("aria-label")) ?? ""
      const [, label, share] = /^(\w+), .* (\d+) %$/.exec(lane) ?? []
      said.push(label)
      // a clip that the limit comes from lies on it, but for rounding
      if (Math.abs(Number(share) - limit) > 1) expect(label === "unknown").toBe(Number(share) < limit)
    }
    expect(said.slice(0, 4).filter((label) => label === "unknown").length).toBeGreaterThan(1)
    expect(said.slice(4)).toEqual(["hop", "wave"])
    expect(person.complaints).toEqual([])
  })
})
