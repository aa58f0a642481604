/**
 * Protects what the studio asks of a model: nothing before it is told to, only about training clips, each question once, at a price that
 * is told; and the model's key, which no page learns, not even from a server that repeats it.
 */

import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, expect, it } from "vitest"
import { z } from "zod"
import { startServer, type TestServer } from "../describe/server.ts"
import { encodeClip } from "../video/encode.ts"
import { scratchFolder } from "../video/fixtures.ts"
import { asker, studioOf, until } from "./client.ts"

const KEY = "sk-secret-of-the-studio"
const folder = scratchFolder()
const data = join(folder, "clips")

let model: TestServer
let studio: Awaited<ReturnType<typeof studioOf>>
let page: ReturnType<typeof asker>
const clips = new Map<string, string>()
const told: string[] = []
beforeAll(async () => {
  const rows = ["path,label,split"]
  mkdirSync(data, { recursive: true })
  for (const [i, label] of ["bow", "wave", "bow", "wave"].entries()) {
    encodeClip(join(data, `${i}.mp4`), { frames: 10, paint: (_, pixels) => pixels.fill(40 * i + 20) })
    rows.push(`${i}.mp4,${label},${i < 3 ? "train" : "test"}`)
  }
  writeFileSync(join(data, "clips.csv"), `${rows.join("\n")}\n`)
  process.env.STUDIO_TEST_KEY = KEY
  let answers = 0
  const words = ["raises an arm", "bends the knees", "turns to the left", "steps back slowly", "looks at the floor"]
  model = await startServer({
    key: KEY,
    answer: (_, prompt) =>
      `A person ${words[answers++ % words.length]} before a grey wall, number ${answers} of ${prompt.length}.`,
  })
  const provider = `describe={kind: openai, model: gpt-4o, baseUrl: "${model.url}", keyEnv: STUDIO_TEST_KEY}`
  studio = await studioOf(folder, data, undefined, [provider])
  page = asker(studio.server)
  const list = z.array(z.looseObject({ id: z.string(), name: z.string() }))
  for (const { id, name } of list.parse((await page.get("/api/clips")).value)) clips.set(name, id)
  await until(async () => {
    const { value } = await page.get("/api/clips")
    return z
      .array(z.looseObject({ seconds: z.number().nullable() }))
      .parse(value)
      .every(({ seconds }) => seconds !== null)
  })
})
afterAll(async () => {
  await studio.close()
  await model.close()
  delete process.env.STUDIO_TEST_KEY
})

const stateSchema = z.looseObject({
  status: z.string(),
  done: z.number(),
  total: z.number(),
  error: z.string().nullable(),
  spent: z.object({ calls: z.number(), tokens: z.number(), dollars: z.number().nullable() }),
  expected: z.object({ calls: z.number(), tokens: z.number(), dollars: z.number().nullable() }).nullable(),
})

async function state() {
  const { value } = await page.get("/api/state")
  told.push(JSON.stringify(value))
  return z.looseObject({ describe: stateSchema }).parse(value).describe
}

async function described(request: object) {
  const { status, value } = await page.send("/api/describe", "POST", request)
  told.push(JSON.stringify(value))
  expect(status).toBe(200)
  await until(async () => (await state()).status !== "running")
  return state()
}

const answers = async (name: string) => {
  const { value } = await page.get(`/api/clips/${clips.get(name)}/answers`)
  return z
    .array(z.object({ prompt: z.string(), text: z.string(), byHand: z.boolean(), flags: z.array(z.string()) }))
    .parse(value)
}

it("what it would cost is told before anything is sent", async () => {
  const { expected } = await described({ estimateOnly: true })
  expect(expected).toMatchObject({ calls: 12, dollars: expect.any(Number) })
  expect(model.requests).toBe(0)
})

it("an answer that is written by hand beforehand is not asked for", async () => {
  const path = `/api/clips/${clips.get("0.mp4")}/answers`
  const { value } = await page.send(path, "PUT", [{ prompt: "A", text: "bowing" }])
  expect(value).toEqual([{ prompt: "A", text: "bowing", byHand: true, flags: [] }])
})

it("every training clip is asked about once, and no clip that is held out", async () => {
  const { status, spent, done, error } = await described({})
  expect([status, error, spent.calls, done]).toEqual(["done", null, 11, 3])
  expect(spent.dollars).toBeGreaterThan(0)
  expect(model.requests).toBe(11)
  await described({})
  expect(model.requests).toBe(11)
  expect((await answers("0.mp4")).map(({ prompt, byHand }) => [prompt, byHand])).toEqual([
    ["A", true],
    ["B", false],
    ["C", false],
    ["D", false],
  ])
  expect(await answers("3.mp4")).toEqual([])
  const held = await described({ ids: [clips.get("3.mp4")] })
  expect([held.status, held.error]).toEqual(["failed", expect.stringMatching(/held out .* never described/)])
  expect(model.requests).toBe(11)
})

it("one clip is asked about anew, and the others are left", async () => {
  const [before, other] = [await answers("1.mp4"), await answers("2.mp4")]
  await described({ ids: [clips.get("1.mp4")], again: true })
  expect(model.requests).toBe(15)
  expect((await answers("1.mp4")).map(({ text }) => text)).not.toEqual(before.map(({ text }) => text))
  expect(await answers("2.mp4")).toEqual(other)
})

it("a server that refuses the key and repeats it: the answers of before stay, and the page does not learn it", async () => {
  const before = await answers("1.mp4")
  model.options.key = "another"
  const { status, error } = await described({ ids: [clips.get("1.mp4")], again: true })
  expect(status).toBe("failed")
  expect(error).toMatch(/API key/)
  expect(await answers("1.mp4")).toEqual(before)
  expect(told.join("\n")).not.toContain(KEY)
})
