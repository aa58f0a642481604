/** Recorded answers are found by clip in every format, corrections take effect, and test clips stay out. */

import { appendFileSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { expect, it, describe as suite } from "vitest"
import { hasShared, shared } from "../../../../tests/shared.ts"
import { describe, describeClips } from "../../src/describe/describe.ts"
import { resolvePrompts } from "../../src/describe/prompts.ts"
import { openProvider } from "../../src/describe/providers.ts"
import { clip, clips, scratch, strips } from "./fixtures.ts"

const folder = scratch()
const recordings = ["data", "ut_interaction", "descriptions.jsonl"]
const common = { prompts: resolvePrompts("paper"), strips }

function recorded(name: string, lines: unknown[]): string {
  const file = join(folder, name)
  writeFileSync(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(""))
  return file
}

suite("replayed answers", () => {
  it("finds answers by path in both forms, and by id for a window of a file", async () => {
    const window = clip(2, { id: "wave/clip 2@1-2", start: 1, end: 2 })
    const file = recorded("mixed.jsonl", [
      { path: "hug/clip 0.mp4", model: "m", answers: { A: "hugging", B: "arms close around a friend" } },
      { path: "./kick\\clip 1.mp4", prompt: "A", answer: "kicking" },
      { path: "wave/clip 2.mp4", prompt: "A", answer: "the whole file" },
      { clip: "wave/clip 2@1-2", prompt: "A", answer: "waving" },
      { path: "wave/clip 2.mp4", start: 1, end: 2, prompt: "B", answer: "a raised hand" },
    ])
    const provider = await openProvider({ kind: "replay", file })
    const report = await describe({
      ...common,
      clips: [clip(0), clip(1), window],
      provider,
      cachePath: join(folder, "mixed-cache.jsonl"),
    })
    expect(report.answers.get("hug/clip 0")).toEqual({ A: "hugging", B: "arms close around a friend" })
    expect(report.answers.get("kick/clip 1")).toEqual({ A: "kicking" })
    expect(report.answers.get("wave/clip 2@1-2")).toEqual({ A: "waving", B: "a raised hand" })
    expect(report.failed).toHaveLength(12 - 5)
    expect(provider.model).toBe("m")
  })

  it("reads CSV, one column per prompt", async () => {
    const file = join(folder, "wide.csv")
    writeFileSync(file, '\uFEFFpath,label,A,B\r\nhug/clip 0.mp4,hug,"hugging, twice","they say ""hi"""\r\n')
    const provider = await openProvider({ kind: "replay", file })
    const answers = await describeClips({
      ...common,
      clips: [clip(0)],
      provider,
      cachePath: join(folder, "csv-cache.jsonl"),
    })
    expect(answers.get("hug/clip 0")).toEqual({ A: "hugging, twice", B: 'they say "hi"' })
  })

  it("takes a corrected file's answers instead of the old ones", async () => {
    const cachePath = join(folder, "corrected-cache.jsonl")
    const file = recorded("corrected.jsonl", [{ path: "hug/clip 0.mp4", answers: { A: "punching" } }])
    const before = await openProvider({ kind: "replay", file })
    await describeClips({ ...common, clips: [clip(0)], provider: before, cachePath })
    appendFileSync(file, `${JSON.stringify({ path: "hug/clip 0.mp4", answers: { A: "hugging" } })}\n`)
    const after = await openProvider({ kind: "replay", file })
    const answers = await describeClips({ ...common, clips: [clip(0)], provider: after, cachePath })
    expect(answers.get("hug/clip 0")).toEqual({ A: "hugging" })
  })

  it("keeps test clips out unless they are named, even when the cache knows them", async () => {
    const file = recorded("guard.jsonl", [
      { path: "hug/clip 0.mp4", answers: { A: "hugging" } },
      { path: "kick/clip 1.mp4", answers: { A: "kicking" } },
    ])
    const provider = await openProvider({ kind: "replay", file })
    const options = {
      ...common,
      clips: [clip(0), clip(1, { split: "test" })],
      provider,
      cachePath: join(folder, "guard-cache.jsonl"),
    }
    expect([...(await describeClips(options)).keys()]).toEqual(["hug/clip 0"])
    expect((await describeClips({ ...options, mayDescribe: () => true })).size).toBe(2)
    const again = await describe(options)
    expect([...again.answers.keys()]).toEqual(["hug/clip 0"])
    expect(again.withheld).toBe(1)
  })

  it("names the line of a damaged recording", async () => {
    const file = join(folder, "damaged.jsonl")
    writeFileSync(file, '{"path":"a","answers":{"A":"x"}}\n{"path": oops\n')
    await expect(openProvider({ kind: "replay", file })).rejects.toThrow(/damaged\.jsonl:2/)
    await expect(openProvider({ kind: "replay", file: join(folder, "none.jsonl") })).rejects.toThrow(/cannot be read/)
  })

  it.skipIf(!hasShared("recorded answers", ...recordings))(
    "answers all 480 questions about UT-Interaction, from the cache the second time",
    async () => {
      const paths = readFileSync(shared(...recordings), "utf8")
        .trim()
        .split("\n")
        .map((line) => String(JSON.parse(line).path))
      const all = clips(paths.length).map((each, i) => ({
        ...each,
        id: paths[i].replace(/\.avi$/, ""),
        relative: paths[i],
      }))
      const provider = await openProvider({ kind: "replay", file: shared(...recordings) })
      const options = { ...common, clips: all, provider, cachePath: join(folder, "ut.jsonl") }
      const first = await describe(options)
      expect([first.answers.size, first.cached, first.flagged, first.failed]).toEqual([120, 0, [], []])
      expect([...first.answers.values()].every((texts) => Object.keys(texts).join("") === "ABCD")).toBe(true)
      const second = await describe(options)
      expect([second.cached, second.requests]).toEqual([480, 0])
      expect(second.answers).toEqual(first.answers)
    },
  )
})
