/**
 * The studio without any server: folders with a table come in as it says, clips are cut by keys, labelled together, deleted and described by
 * a model's server that a person enters, whose key is stored nowhere; what is downloaded says the same to `fourtier`.
 */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer, type IncomingMessage, type Server } from "node:http"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { unzipSync } from "fflate"
import { scanSource } from "fourtier/video"
import type { Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { encodeClip } from "../../packages/fourtier/tests/video/encode.ts"
import { findChromium } from "./chromium.ts"
import { serve } from "./site.ts"
import { built, DIST, faults, hasClips, StudioWindow } from "./studio-window.ts"

const chromium = findChromium()
const KEY = "sk-secret-of-a-person"

/** A model that pages may ask. */
async function openModel(): Promise<{ url: string; requests: { key: string; text: string }[]; close(): void }> {
  const requests: { key: string; text: string }[] = []
  const cors = { "access-control-allow-origin": "*", "access-control-allow-headers": "*" }
  const bodyOf = async (request: IncomingMessage) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(Buffer.from(part))
    return Buffer.concat(parts).toString()
  }
  const server: Server = createServer(async (request, response) => {
    const text = await bodyOf(request)
    if (request.method === "OPTIONS") return response.writeHead(204, cors).end()
    const key = request.headers.authorization ?? ""
    requests.push({ key, text })
    if (key !== `Bearer ${KEY}`) return response.writeHead(401, cors).end(`no such key: ${key}`)
    const content = `A person moves, number ${requests.length}.`
    const usage = { prompt_tokens: 100, completion_tokens: 10 }
    const body = JSON.stringify({ choices: [{ message: { content }, finish_reason: "stop" }], usage })
    return response.writeHead(200, { ...cors, "content-type": "application/json" }).end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const address = server.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  return { url: `http://127.0.0.1:${port}/v1`, requests, close: () => server.close() }
}

describe.skipIf(chromium === null || !built)("clips in the studio's page", () => {
  let folder: string
  let site: Awaited<ReturnType<typeof serve>>
  let model: Awaited<ReturnType<typeof openModel>>
  let person: StudioWindow
  let page: Page

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "fourtier-studio-"))
    const clip = (path: string, frames: number) =>
      encodeClip(join(folder, "mine", path), { frames, paint: (i, pixels) => pixels.fill(40 + 2 * i) })
    clip("jump/a.mp4", 12)
    clip("wave/b.mp4", 12)
    clip("videos/long.mp4", 75)
    writeFileSync(join(folder, "mine/broken.mp4"), "no video")
    const rows = ["jump/a.mp4,hop,,", "wave/b.mp4,wave,,", "videos/long.mp4,hop,0,1"]
    writeFileSync(join(folder, "mine/labels.csv"), `path,label,start,end\n${rows.join("\n")}\n`)
    site = await serve(DIST, { isolated: true })
    model = await openModel()
    person = new StudioWindow(chromium ?? "", folder)
    page = await person.open("none", site.url)
  })
  afterAll(async () => {
    await person?.close()
    await site?.close()
    model?.close()
    rmSync(folder, { recursive: true, force: true })
  })

  const row = (name: string, count: number) =>
    page.locator(".row", { hasText: new RegExp(`^${name}\\d?${count}$`) }).waitFor({ timeout: 20_000 })
  const notice = (text: string) => page.locator(".notice", { hasText: text }).waitFor()
  const go = (screen: string) => page.locator(`nav a[href="#${screen}"]`).click()

  it("a folder comes in as its table says, and what cannot be read is set aside with the reason", async () => {
    await page.getByLabel("Add a folder").setInputFiles(join(folder, "mine"))
    await hasClips(page, 5)
    await row("hop", 2)
    await row("wave", 1)
    await row("No class yet", 1)
    await page.locator(".row", { hasText: /^Set aside/ }).click()
    const card = page.locator(".clip", { has: page.locator(".problem") })
    expect(await card.innerText()).toMatch(/^broken.*not a video/s)
  })

  it("colours are those that are chosen", async () => {
    const ground = () => page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    for (const [theme, colour] of [
      ["dark", "rgb(15, 19, 23)"],
      ["light", "rgb(251, 252, 253)"],
    ]) {
      await page.getByLabel("Colours").selectOption(theme)
      await expect.poll(ground).toBe(colour)
    }
  })

  it("clips are cut out of a long video by keys", async () => {
    await page.locator(".row", { hasText: /^No class yet/ }).click()
    await page.getByText("3.0 s").waitFor()
    await page.locator(".clip > button").dblclick()
    await page.getByRole("slider").waitFor()
    for (const key of ["Shift+ArrowRight", "i", "Shift+ArrowRight", "o"]) await page.keyboard.press(key)
    await page.locator("dialog output", { hasText: "1.00 s to 2.00 s" }).waitFor()
    expect(await faults(page)).toEqual([])
    await page.keyboard.press("2")
    await notice("1 clip cut out")
    await page.keyboard.press("Escape")
    await row("wave", 2)
  })

  it("clips are labelled together, which is undone; removed ones are deleted for good", async () => {
    await page.locator(".row", { hasText: /^hop/ }).click()
    await page.locator(".clip > button").first().click()
    await page
      .locator(".clip > button")
      .last()
      .click({ modifiers: ["Shift"] })
    await page.keyboard.press("2")
    await row("wave", 4)
    await page.keyboard.press("Control+z")
    await row("hop", 2)
    await page.locator(".row", { hasText: /^Set aside/ }).click()
    await page.locator(".clip > button").click()
    await page.keyboard.press("Delete")
    await page.locator(".row", { hasText: /^Removed/ }).click()
    await page.locator(".clip > button").click()
    await page.getByRole("button", { name: "Delete for good" }).click()
    await notice("1 clip deleted for good")
    await page.locator(".row", { hasText: /^All clips/ }).click()
    await hasClips(page, 5)
  })

  it("asks the server that is entered, at a price that is told before; its key is stored nowhere", async () => {
    await go("describe")
    const enter = async (key: string) => {
      await page.getByLabel("Address (OpenAI's protocol)").fill(model.url)
      await page.getByLabel("Model").fill("gpt-4o")
      await page.getByLabel("Key, if it wants one").fill(key)
      await page.getByRole("button", { name: "Use it" }).click()
      await page.getByRole("button", { name: "What would it cost?" }).click()
      await page.getByText(/^about 20 calls, [\d,]+ tokens, \$0\.\d\d$/).waitFor()
    }
    await enter("another")
    expect(model.requests).toEqual([])
    await page.getByRole("button", { name: "Ask", exact: true }).click()
    await page.getByText("it does not take the key").waitFor()
    expect(await page.content()).not.toContain("another")
    model.requests.length = 0
    await page.locator("details.endpoint summary").click()
    await enter(KEY)
    await page.getByRole("button", { name: "Ask", exact: true }).click()
    await page.getByText("5 of 5 clips described").waitFor({ timeout: 30_000 })
    await page.getByText("20 calls, 2,200 tokens, $0.01 so far").waitFor()
    expect(model.requests).toHaveLength(20)
    expect(model.requests[0].text).toMatch(/"url":"data:image\/jpeg;base64,.{100}/)
    await page.locator("textarea").first().fill("hopping")
    await page.getByRole("button", { name: "Save" }).click()
    await notice("Saved")
    expect(await faults(page)).toEqual([])
    await page.reload()
    await page.getByText("Who is asked").waitFor()
    expect(await page.locator("textarea").first().inputValue()).toBe("hopping")
    expect(await page.getByLabel("Key, if it wants one").inputValue()).toBe("")
    expect(await page.evaluate("JSON.stringify([{ ...localStorage }, { ...sessionStorage }])")).not.toContain(KEY)
  })

  it("what is downloaded says the same to fourtier", async () => {
    await go("collect")
    const download = page.waitForEvent("download")
    await page.getByRole("button", { name: "Download the clips (.zip)" }).click()
    for (const [name, bytes] of Object.entries(unzipSync(readFileSync(await (await download).path())))) {
      mkdirSync(dirname(join(folder, name)), { recursive: true })
      writeFileSync(join(folder, name), bytes)
    }
    const { clips } = await scanSource(join(folder, "clips"))
    expect(clips.map(({ relative, labels, start, end }) => [relative, labels, start, end])).toEqual([
      ["hop/a.mp4", ["hop"], null, null],
      ["videos/long.mp4", ["hop"], 0, 1],
      ["videos/long.mp4", [], null, null],
      ["videos/long.mp4", ["wave"], 1, 2],
      ["wave/b.mp4", ["wave"], null, null],
    ])
    const lines = readFileSync(join(folder, "clips/descriptions.jsonl"), "utf8").trim().split("\n")
    expect(lines).toHaveLength(20)
    expect(JSON.parse(lines.find((line) => line.includes("hopping")) ?? "{}")).toMatchObject({
      prompt: "A",
      model: "by hand",
    })
  })

  it("nothing in it fails, and nobody but the model is asked", () => {
    expect(person.complaints).toEqual([])
    expect(person.elsewhere.filter((url) => !url.startsWith(model.url))).toEqual([])
  })
})
