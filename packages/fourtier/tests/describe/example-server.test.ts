/** The reference server in examples/, spoken to by our `http` provider and by an OpenAI client that is not ours. */

import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { join } from "node:path"
import OpenAI from "openai"
import sharp from "sharp"
import { afterAll, beforeAll, expect, it, describe as suite } from "vitest"
import { describe } from "../../src/describe/describe.ts"
import { resolvePrompts } from "../../src/describe/prompts.ts"
import { openProvider } from "../../src/describe/providers.ts"
import { clips, scratch, strips } from "./fixtures.ts"

const folder = scratch()
const python = spawnSync("python3", ["--version"]).status === 0
let child: ChildProcess | undefined
let base = ""
let image: Buffer

beforeAll(async () => {
  image = await sharp({ create: { width: 160, height: 32, channels: 3, background: "red" } })
    .jpeg()
    .toBuffer()
  if (!python) return
  const server = spawn("python3", [join(import.meta.dirname, "../../../../examples/vlm-server/server.py"), "0"])
  child = server
  base = await new Promise<string>((resolve, reject) => {
    server.stdout.on("data", (chunk) => resolve(String(chunk).match(/http:\S+(?=\/describe)/)?.[0] ?? ""))
    server.on("exit", (code) => reject(new Error(`server ended with ${code}`)))
  })
})

afterAll(() => {
  child?.kill()
})

suite.skipIf(!python)("the example server", () => {
  it("answers provider http about real JPEGs", async () => {
    const provider = await openProvider({ kind: "http", url: `${base}/describe`, model: "echo" })
    const real = { settings: {}, encode: async () => image }
    const report = await describe({
      clips: clips(6),
      prompts: resolvePrompts("paper"),
      strips: real,
      provider,
      cachePath: join(folder, "http.jsonl"),
    })
    expect([report.answers.size, report.requests, report.flagged, report.failed]).toEqual([6, 24, [], []])
    expect(report.answers.get("hug/clip 0")?.A).toBe("A strip of 160 by 32 pixels, asked: What is the action category?")
  })

  it("rejects what is no image, which ends the run with the server's words", async () => {
    const provider = await openProvider({ kind: "http", url: `${base}/describe`, model: "echo" })
    const wrong = { settings: {}, encode: async () => new Uint8Array(40) }
    const run = describe({
      clips: clips(6),
      prompts: resolvePrompts("paper"),
      strips: wrong,
      provider,
      cachePath: join(folder, "wrong.jsonl"),
    })
    await expect(run).rejects.toThrow(/first 5 requests were all rejected[\s\S]*not a JPEG image/)
  })

  it("answers an OpenAI client that knows nothing of us, and provider openai", async () => {
    const client = new OpenAI({ apiKey: "none", baseURL: `${base}/v1` })
    const url = `data:image/jpeg;base64,${image.toString("base64")}`
    const completion = await client.chat.completions.create({
      model: "echo",
      messages: [
        { role: "system", content: "Be brief." },
        {
          role: "user",
          content: [
            { type: "text", text: "How large?" },
            { type: "image_url", image_url: { url } },
          ],
        },
      ],
    })
    expect(completion.choices[0].message.content).toBe("A strip of 160 by 32 pixels, asked: How large?")
    const provider = await openProvider({ kind: "openai", baseUrl: `${base}/v1`, model: "echo" })
    const report = await describe({
      clips: clips(3),
      prompts: resolvePrompts("motion"),
      strips,
      provider,
      cachePath: join(folder, "chat.jsonl"),
    })
    expect([report.answers.size, report.failed]).toEqual([3, []])
  })
})
