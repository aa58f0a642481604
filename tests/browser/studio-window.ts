/** A person at the studio: a browser whose camera films puppets, and what is pressed there. */

import { existsSync, readFileSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { join } from "node:path"
import { type BrowserContext, chromium as browsers, type Page } from "playwright-core"
import { expect } from "vitest"
import { z } from "zod"
import type { ActionName } from "../../packages/puppets/src/acts.ts"
import { ROOT } from "../structure/biome.ts"
import { filmPuppets } from "./puppet-camera.ts"

/** The built page. */
export const DIST = join(ROOT, "packages/studio/dist")
export const built = existsSync(join(DIST, "index.html"))

export const ACTIONS = ["jump", "squat", "wave"] as const
/** The action that is shown to the recogniser: a take that it has not seen. */
export const SHOWN = "wave"

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js")

/**
 * What is served instead of the encoder's description: fewer views of each training clip.
 * @param schedule what differs in how networks are trained
 */
export function fewerViews(draws: number, schedule: object = {}): Record<string, string> {
  const encoder = JSON.parse(readFileSync(join(DIST, "encoder/encoder.json"), "utf8"))
  Object.assign(encoder.settings.finetune, schedule)
  Object.assign(encoder.settings.linearProbe, schedule)
  encoder.settings.views.train.draws = draws
  return { "/encoder/encoder.json": JSON.stringify(encoder) }
}

/** Films three takes of each action, and a fourth one of that which is shown. */
export async function filmActions(folder: string): Promise<void> {
  const film = (name: string, action: ActionName, takes: number[]) =>
    filmPuppets(join(folder, `${name}.y4m`), action, takes, 1.2)
  for (const action of ACTIONS) await film(action, action, [0, 1, 2])
  await film("fourth", SHOWN, [3])
}

/** One browser with its files, opened again and again. */
export class StudioWindow {
  /** Addresses elsewhere that were asked for something. */
  readonly elsewhere: string[] = []
  /** Errors of the page. */
  readonly complaints: string[] = []
  readonly #executable: string
  readonly #folder: string
  #context: BrowserContext | null = null
  #camera: string | null = null

  /** @param folder of the films, and of the browser's files */
  constructor(executable: string, folder: string) {
    this.#executable = executable
    this.#folder = folder
  }

  /** A window of the same person, instead of the one before: the browser's files stay. @param camera name of a film */
  async open(camera: string, address: string): Promise<Page> {
    if (this.#camera !== camera) await this.#start(camera)
    const before = this.#context?.pages() ?? []
    const page = (await this.#context?.newPage()) ?? expect.fail("no browser")
    // one window at a time works with the browser's files
    await Promise.all(before.map((other) => other.close()))
    page.on("request", (request) => {
      if (!request.url().startsWith(new URL(address).origin) && !/^(blob|data):/.test(request.url())) {
        this.elsewhere.push(request.url())
      }
    })
    page.on("pageerror", (error) => this.complaints.push(error.message))
    await page.goto(address)
    await page.getByRole("navigation").waitFor()
    return page
  }

  async #start(camera: string): Promise<void> {
    await this.#context?.close()
    this.#camera = camera
    this.#context = await browsers.launchPersistentContext(join(this.#folder, "profile"), {
      executablePath: this.#executable,
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-background-networking",
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        `--use-file-for-fake-video-capture=${join(this.#folder, `${camera}.y4m`)}`,
      ],
      permissions: ["camera"],
      viewport: { width: 1280, height: 860 },
    })
  }

  async close(): Promise<void> {
    await this.#context?.close()
    this.#context = null
    this.#camera = null
  }
}

/** Ends a page as a crash does: nothing of it is told, nothing runs to its end. */
export async function kill(page: Page): Promise<void> {
  const gone = page.waitForEvent("crash")
  const session = await page.context().newCDPSession(page)
  session.send("Page.crash").catch(() => {})
  await gone
}

export async function addClass(page: Page, name: string): Promise<void> {
  await page.getByPlaceholder("Name of a class").fill(name)
  await page.getByRole("button", { name: "Add", exact: true }).click()
}

/** Begins to record. */
export async function record(page: Page, label: string, clips: number, seconds: number): Promise<void> {
  await page.getByRole("button", { name: "Record" }).click()
  await page.getByLabel(label, { exact: true }).check()
  await page.getByLabel("Seconds a clip").fill(String(seconds))
  await page.getByLabel("Clips in a row").fill(String(clips))
  await page.getByLabel("Countdown").fill("0")
  await page.getByRole("button", { name: "Start" }).click()
}

/** Waits until the page has so many clips. */
export async function hasClips(page: Page, count: number): Promise<void> {
  const all = page.getByRole("button", { name: /^All clips/ })
  await all.getByText(String(count), { exact: true }).waitFor({ timeout: 20_000 })
}

/** Removes the last clip. */
export async function removeLast(page: Page): Promise<void> {
  await page.locator(".clip > button").last().click()
  await page.keyboard.press("Delete")
}

/** Which share of looks at the live answer, over three seconds, found this label. */
export async function shareSaid(page: Page, label: string): Promise<number> {
  await page.getByRole("button", { name: "Start the camera" }).click()
  await page.locator(`.says[data-label=${label}]`).waitFor({ timeout: 60_000 })
  const [looks, said] = [20, { count: 0 }]
  for (let i = 0; i < looks; i++) {
    if ((await page.locator(".live .says").getAttribute("data-label")) === label) said.count++
    await page.waitForTimeout(150)
  }
  return said.count / looks
}

const violationsSchema = z.array(
  z.object({ id: z.string(), impact: z.string().nullish(), nodes: z.array(z.object({ html: z.string() })) }),
)

/** What axe finds that is serious, and whether the page is wider than its window. */
export async function faults(page: Page): Promise<string[]> {
  // what the page's policy does not allow to load is evaluated
  await page.evaluate(await readFile(AXE, "utf8"))
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
