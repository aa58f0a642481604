/**
 * `fourtier studio`, in a browser whose camera films puppets: from an empty folder to a recogniser that is trained natively and is right
 * live in the page. What is recorded is on the server's disk while it is recorded; every screen is accessible.
 */

import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { built as commandBuilt, LAUNCHER } from "../cli/command.ts"
import { findChromium } from "./chromium.ts"
import { largestDifference, oneWindow, saidInNode, saidInPage } from "./studio-parity.ts"
import {
  ACTIONS,
  addClass,
  built,
  faults,
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
const CLIPS = 6
const SECONDS = 0.8

/** The default recipe, of which nothing but what is shipped and one probe is trained, on most of the clips and few views of each. */
const SETTINGS = {
  methods: ["baseline", "linear-probe"],
  linearProbe: { epochs: 20, minUpdates: 40 },
  calibration: null,
  split: { test: 0.17 },
  views: { train: { draws: 3 } },
}

describe.skipIf(chromium === null || !built || !commandBuilt)("fourtier studio in headless Chromium", () => {
  let folder: string
  let server: ChildProcess
  let opens: string
  let person: StudioWindow

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "fourtier-studio-"))
    await filmActions(folder)
    writeFileSync(join(folder, "settings.json"), JSON.stringify({ ...SETTINGS, cache: join(folder, "cache") }))
    const env = { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined, NODE_OPTIONS: undefined }
    const line = [LAUNCHER, "studio", "clips", "-c", "settings.json", "-o", "run"]
    server = spawn(process.execPath, line, { cwd: folder, env, stdio: ["ignore", "pipe", "inherit"] })
    if (!server.stdout) throw new Error("no output")
    const [out] = await once(server.stdout, "data")
    opens = String(out).split("\n")[0]
    person = new StudioWindow(chromium ?? "", folder)
  })
  afterAll(async () => {
    await person?.close()
    server?.kill("SIGKILL")
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  })

  /** A window at a screen. */
  async function open(camera: string, screen = "collect"): Promise<Page> {
    const page = await person.open(camera, opens)
    await page.locator(`nav a[href="#${screen}"]`).click()
    return page
  }

  const recorded = () => {
    const own = join(folder, "clips/.fourtier-studio/recordings")
    return readdirSync(own).reduce((sum, name) => sum + statSync(join(own, name)).size, 0)
  }

  it("records into the folder; of a window that is killed, what it has recorded is there", async () => {
    for (const action of ACTIONS) {
      const page = await open(action)
      await addClass(page, action)
      await record(page, action, CLIPS, SECONDS)
      await page.getByText(`${CLIPS} clips recorded.`).waitFor({ timeout: 60_000 })
    }
    for (const action of ACTIONS) expect(readdirSync(join(folder, "clips", action))).toHaveLength(CLIPS)
    let page = await open("wave")
    await hasClips(page, 3 * CLIPS)
    await record(page, "wave", 1, 10)
    await page.waitForTimeout(1800)
    const before = recorded()
    await kill(page)
    expect(before).toBeGreaterThan(10_000)
    page = await open("wave")
    await hasClips(page, 3 * CLIPS + 1)
    // as long as it was recorded
    await page
      .locator(".clip", { hasText: /^wave.*1\.\d s$/ })
      .last()
      .waitFor({ timeout: 30_000 })
    await removeLast(page)
    await hasClips(page, 3 * CLIPS)
    expect(await faults(page)).toEqual([])
  })

  it("trains natively, and shows what came of it", async () => {
    const page = await open("wave", "train")
    await page.getByRole("button", { name: "Train" }).click()
    await page.locator(".curve").waitFor({ timeout: 120_000 })
    await page.getByRole("button", { name: "Train again" }).waitFor({ timeout: 120_000 })
    for (const screen of ["train", "look", "describe", "use"]) {
      await page.locator(`nav a[href="#${screen}"]`).click()
      await page.getByRole("heading", { level: 1 }).waitFor()
      expect([screen, await faults(page)]).toEqual([screen, []])
    }
  })

  it("recognises a take live that it has not seen, and on the same frames what Node does", async () => {
    const page = await open("fourth", "use")
    expect(await shareSaid(page, SHOWN)).toBeGreaterThan(0.5)
    const bundle = join(folder, "run/bundle")
    const film = await oneWindow(bundle, SHOWN, 3)
    const inNode = await saidInNode(bundle, film)
    expect(largestDifference(await saidInPage(page, bundle, film), inNode)).toBeLessThan(1e-4)
  })

  it("asks nobody else for anything, and nothing in it fails", () => {
    expect([person.elsewhere, person.complaints]).toEqual([[], []])
  })
})
