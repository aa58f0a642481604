/**
 * Answers cost money and stay in people's caches for years. If one of these values changed, all of them would be asked, and
 * paid for, again.
 */

import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { expect, it, describe as suite } from "vitest"
import { answerKey, promptSpec, specId } from "../../src/describe/cache.ts"
import { describe } from "../../src/describe/describe.ts"
import { folderStrips, stripFile } from "../../src/describe/folder-strips.ts"
import { presets } from "../../src/describe/prompts.ts"
import { openProvider, type ProviderConfig } from "../../src/describe/providers.ts"
import { clip, scratch, strips } from "./fixtures.ts"
import { completion, scripted } from "./scripted.ts"

const folder = scratch()

suite("an answer's identity stays what it was", () => {
  it.each<[string, ProviderConfig, string]>([
    ["openai", { kind: "openai", model: "gpt-4o" }, "9ccd946a4446ea08fa263df62ea773ed"],
    [
      "openai with settings",
      {
        kind: "openai",
        model: "llava",
        baseUrl: "http://127.0.0.1:1/v1",
        temperature: null,
        seed: 3,
        detail: "low",
        extra: { top_p: 0.5 },
      },
      "9f1297cde46f66471aa13c8192b0fc2a",
    ],
    ["openai-batch", { kind: "openai-batch", model: "gpt-4o" }, "9ccd946a4446ea08fa263df62ea773ed"],
    [
      "http",
      { kind: "http", url: "http://127.0.0.1:8008/describe", model: "blip2" },
      "ce358f9710e560645b1f71221526ab9d",
    ],
  ])("%s", async (_, config, key) => {
    const { model, settings } = await openProvider(config)
    const common = { model, settings, system: presets.paper.system, strip: strips.settings }
    expect(answerKey(clip(0).hash, specId(promptSpec(presets.paper.prompts[0], common)))).toBe(key)
  })

  it("replay, as its lines stand in the file", async () => {
    const file = join(folder, "recorded.jsonl")
    writeFileSync(file, `${JSON.stringify({ path: "hug/clip 0.mp4", model: "m", answers: { A: "hugging" } })}\n`)
    const cachePath = join(folder, "cache.jsonl")
    await describe({
      clips: [clip(0)],
      prompts: { system: null, prompts: [{ id: "A", text: "What?" }] },
      strips,
      provider: await openProvider({ kind: "replay", file }),
      cachePath,
    })
    const lines = readFileSync(cachePath, "utf8").replace(/"time":"[^"]+"/, '"time":"T"')
    expect(lines.split("\n")).toEqual([
      '{"spec":"a66e6fe4fe9e0d7f","is":{"model":"m","prompt":"What?","settings":{"source":"325ce65f3a41b0b1e42cd4069dc3a7a6aed411b80b10cae0e13bd49580b0b0ec"},"strip":{},"system":null}}',
      '{"key":"b6747bebd994ed398e8bc93aeff8f0fe","ok":1,"clip":"hug/clip 0","path":"hug/clip 0.mp4","prompt":"A","answer":"hugging","model":"m","spec":"a66e6fe4fe9e0d7f","by":"replay","time":"T"}',
      "",
    ])
  })

  it("at the default height: as it was where the picture is as it was, another where it is shrunk", () => {
    const auto = folderStrips("strips", { frames: 5, height: "auto" })
    expect([240, 384].map((height) => auto.settingsOf?.(clip(0, { height })))).toEqual(
      Array(2).fill(folderStrips("strips", { frames: 5, height: null }).settings),
    )
    expect(auto.settingsOf?.(clip(0, { height: 385 }))).toEqual(
      folderStrips("strips", { frames: 5, height: 384 }).settings,
    )
  })

  it("answers about a video's full height are used at the default height; no flagged one is, and none at a height that is named", async () => {
    const cachePath = join(folder, "heights.jsonl")
    const { url, received } = await scripted((_, n) => ({ body: completion(n === 1 ? "" : "a hug") }))
    const provider = await openProvider({ kind: "openai", model: "m", baseUrl: url, concurrency: 1 })
    const tall = [clip(0), clip(1, { height: 1080, width: 1920 }), clip(2, { height: 1080, width: 1920 })]
    const run = async (height: number | "auto" | null, clips = tall) => {
      const before = received.length
      const own = { ...folderStrips("strips", { frames: 5, height }), encode: strips.encode }
      const prompts = { system: null, prompts: [{ id: "A", text: "What?" }] }
      const report = await describe({ clips, prompts, strips: own, provider, cachePath, retryFlagged: false })
      return [received.length - before, report.answers.size]
    }
    expect(await run(null, tall.slice(0, 2))).toEqual([3, 2])
    expect(await run("auto")).toEqual([1, 3])
    expect(await run("auto")).toEqual([0, 3])
    expect(await run(384)).toEqual([2, 3])
    expect(await run(null)).toEqual([1, 3])
  })

  it("strips keep their names", () => {
    expect(stripFile("strips", clip(0), { frames: 5, height: 256 })).toBe("strips/hug/clip 0.5feceb66-k5-h256.jpg")
    expect(stripFile("strips", clip(0), { frames: 5, height: null })).toBe("strips/hug/clip 0.5feceb66-k5.jpg")
    const [small, tall] = [clip(0), clip(0, { height: 1080 })].map((each) => {
      return stripFile("strips", each, { frames: 5, height: "auto" })
    })
    expect([small, tall]).toEqual(["strips/hug/clip 0.5feceb66-k5.jpg", "strips/hug/clip 0.5feceb66-k5-h384.jpg"])
  })
})
