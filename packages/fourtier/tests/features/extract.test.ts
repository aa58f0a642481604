/** Extraction: nothing is computed twice, other settings never share features, and failures are told. */

import { truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { type Reporter, silent } from "@fourtier/core"
import { viewCount } from "@fourtier/core/frames"
import { FRAMES, type Step, samplingSchema } from "@fourtier/core/schemas"
import { halfToFloat, input, liveSessions, mean, mul, reshape } from "@fourtier/tensor"
import { toOnnx } from "@fourtier/tensor/onnx"
import { beforeAll, describe, expect, it } from "vitest"
import { MAP, type VisualEncoder } from "../../src/encoders/encoder.ts"
import { type ExtractOptions, extractFeatures } from "../../src/features/extract.ts"
import type { Clip } from "../../src/video/manifest.ts"
import { clipOfFile } from "../../src/video/probe.ts"
import { makeClip, scratchFolder } from "../video/fixtures.ts"

const folder = scratchFolder()
const [T, S, GRID] = [3, 32, 2]

/** Mean colour of each quarter of each frame, 0..1. Counts how often its graph is asked for. */
function meanColors(id = "mean-colours", scale = 1 / 255): VisualEncoder & { built: number } {
  const encoder = {
    name: "mean colours",
    id,
    frames: T,
    resolution: [S, S] as const,
    size: { T, H: GRID, W: GRID, D: 3 },
    built: 0,
    async model(batch: number) {
      encoder.built++
      const frames = input(FRAMES, [batch, T, S, S, 3])
      const blocks = reshape(frames, [batch * T, GRID, S / GRID, GRID, S / GRID, 3])
      return toOnnx({ outputs: { [MAP]: mul(reshape(mean(blocks, [2, 4]), [batch, T, GRID * GRID, 3]), scale) } })
    },
    flops: async () => ({ part: "encoder", weights: 0, macs: 0 }),
  }
  return encoder
}

let clips: Clip[]
beforeAll(() => {
  clips = [40, 120, 200].map((level, i) => {
    const path = join(folder, `clip ${i}.mp4`)
    const clip = clipOfFile(
      makeClip(path, { frames: 10 + i, width: 48, height: 48, background: () => [level, level, level] }),
    )
    return { ...clip, id: `clip${i}`, label: "x" }
  })
})

const steps: Step[] = [{ step: "stretch", width: S, height: S }]
const flips: Step[] = [...steps, { step: "flip", probability: 0.5 }]
const sampling = samplingSchema.parse({ kind: "segments", frames: T })

async function extract(some: Partial<ExtractOptions> & { clips?: Clip[] } = {}) {
  const said: string[] = []
  const reporter: Reporter = { ...silent, say: (line) => void said.push(line) }
  const encoder = some.encoder ?? meanColors()
  const recipe = some.recipe ?? { sampling, steps, draws: null }
  const root = join(folder, "store")
  const options = { encoder, recipe, pool: "mean" as const, root, reporter, workers: 1, ...some }
  const result = await extractFeatures(some.clips ?? clips, options)
  const count = result.store.count
  const read = async (clip: Clip, view = 0) => halfToFloat(await result.store.read({ clip: clip.hash, view }, "m"))
  return { ...result, said, count, read }
}

describe("extraction", () => {
  it("stores what the encoder says of every clip, announces the disk it takes, and leaks no session", async () => {
    const before = liveSessions()
    const { store, said, read, views, failed } = await extract()
    expect([views, store.count, failed.length]).toEqual([1, 3, 0])
    expect(said.join("\n")).toMatch(/3 views to compute, \d+ B on disk/)
    for (const [i, level] of [40, 120, 200].entries()) {
      const map = await read(clips[i])
      // lower half of every frame: the last two places of each
      for (let t = 0; t < T; t++) expect(map[(t * 4 + 3) * 3]).toBeCloseTo(level / 255, 1)
    }
    await store.close()
    expect(liveSessions()).toBe(before)
  })

  it("computes nothing a second time, and says so", async () => {
    const root = join(folder, "twice")
    const first = await extract({ root })
    const encoder = meanColors()
    const second = await extract({ root, encoder })
    expect(encoder.built).toBe(0)
    expect(second.said).toEqual(["features: 3 clips × 1 views are already in the store"])
    expect(second.store.path).toBe(first.store.path)
    expect(await second.read(clips[1])).toEqual(await first.read(clips[1]))
    for (const { store } of [first, second]) await store.close()
  })

  it("names the clip and the encoder where features are beyond what can be stored", async () => {
    const huge = extract({ root: join(folder, "huge"), encoder: meanColors("huge", 1e6) })
    await expect(huge).rejects.toThrow(/clip 0\.mp4, encoder mean colours: features too large for float16/)
  })

  it("computes only what is new", async () => {
    const root = join(folder, "new")
    const first = await extract({ root, clips: clips.slice(0, 1) })
    await first.store.close()
    const { store, said } = await extract({ root })
    expect(said[0]).toMatch(/^features: 2 views to compute/)
    expect(store.count).toBe(3)
    await store.close()
  })

  it("a clip that is there twice is computed once", async () => {
    const copy = { ...clips[0], id: "copy" }
    const { store, said } = await extract({ root: join(folder, "copy"), clips: [clips[0], copy] })
    expect(said[0]).toMatch(/^features: 1 views/)
    await store.close()
  })

  it("other encoders, transforms, samplings and seeds have stores of their own", async () => {
    const root = join(folder, "others")
    const dense = samplingSchema.parse({ kind: "dense", frames: T, stride: 2 })
    const variants: Partial<ExtractOptions>[] = [
      {},
      { encoder: meanColors("another") },
      { recipe: { sampling, steps: [{ step: "letterbox", size: S, fill: [0, 0, 0] }], draws: null } },
      { recipe: { sampling: dense, steps, draws: null } },
      { recipe: { sampling, steps: flips, draws: { count: 1, seed: 1 } } },
      { recipe: { sampling, steps: flips, draws: { count: 1, seed: 2 } } },
    ]
    const paths = new Set<string>()
    for (const variant of variants) {
      const { store, count } = await extract({ root, ...variant })
      expect(count).toBe(3)
      paths.add(store.path)
      await store.close()
    }
    expect(paths.size).toBe(variants.length)
  })

  it("draws are repeatable, differ from each other, and more of them keep the first", async () => {
    const recipe = (count: number) => ({ sampling, steps: flips, draws: { count, seed: 7 } })
    const one = await extract({ root: join(folder, "draws"), recipe: recipe(2) })
    const again = await extract({ root: join(folder, "draws2"), recipe: recipe(4) })
    expect(again.count).toBe(12)
    for (const clip of clips) {
      for (const view of [0, 1]) expect(await again.read(clip, view)).toEqual(await one.read(clip, view))
    }
    const all = await Promise.all(clips.flatMap((clip) => [0, 1, 2, 3].map((view) => again.read(clip, view))))
    expect(new Set(all.map(String)).size).toBeGreaterThan(6)
    const more = await extract({ root: join(folder, "draws"), recipe: recipe(4) })
    expect(more.said[0]).toMatch(/^features: 6 views/)
    for (const { store } of [one, again, more]) await store.close()
  })

  it("fixed views: temporal clips and crops, each with its own record", async () => {
    const several = samplingSchema.parse({ kind: "segments", frames: T, clips: 2 })
    const recipe = {
      sampling: several,
      steps: [
        { step: "shortSide", size: 40 },
        { step: "crop", size: S, views: "three" },
      ] as Step[],
      draws: null,
    }
    const { store, views } = await extract({ root: join(folder, "views"), recipe })
    expect([views, viewCount(recipe), store.count]).toEqual([6, 6, 18])
    await store.close()
  })

  it("grids of views take over what another grid has computed at the same places in time", async () => {
    const root = join(folder, "grids")
    const grid = (clips: number) => ({
      sampling: samplingSchema.parse({ kind: "segments", frames: T, clips }),
      steps,
      draws: null,
    })
    const one = await extract({ root, recipe: grid(1) })
    const three = await extract({ root, recipe: grid(3) })
    expect(three.said[0]).toMatch(/^features: 6 views to compute/)
    expect(three.store.path).toBe(one.store.path)
    expect(three.store.id).not.toBe(one.store.id)
    const alone = await extract({ root: join(folder, "grid of three"), recipe: grid(3) })
    for (const clip of clips) {
      expect(await three.read(clip, 1)).toEqual(await one.read(clip, 0))
      for (const view of [0, 1, 2]) expect(await three.read(clip, view)).toEqual(await alone.read(clip, view))
    }
    const again = await extract({ root, recipe: grid(3) })
    expect(again.said).toEqual(["features: 3 clips × 3 views are already in the store"])
    for (const { store } of [one, three, alone, again]) await store.close()
  })

  it("batches give the same records as one at a time", async () => {
    const one = await extract({ root: join(folder, "batch1"), batch: 1 })
    const two = await extract({ root: join(folder, "batch2"), batch: 2 })
    for (const clip of clips) expect(await two.read(clip)).toEqual(await one.read(clip))
    for (const { store } of [one, two]) await store.close()
  })

  it("reports clips that cannot be decoded and goes on with the others", async () => {
    const path = join(folder, "broken.mp4")
    writeFileSync(path, "not a video at all")
    const broken = { ...clips[0], id: "broken", path, hash: "f".repeat(64) }
    const root = join(folder, "broken")
    const { store, failed } = await extract({ root, clips: [clips[0], broken, clips[1]] })
    expect(failed.map(({ clip }) => clip.id)).toEqual(["broken"])
    expect(failed[0].error.message).toContain(path)
    expect(store.count).toBe(2)
    await store.close()
    const again = await extract({ root, clips: [clips[0], broken, clips[1]] })
    expect(again.failed).toHaveLength(1)
    await again.store.close()
  })

  it("pads what a cut file lacks and counts it", async () => {
    const path = makeClip(join(folder, "cut.mkv"), { frames: 40, width: 48, height: 48, options: { g: "4" } })
    const whole = clipOfFile(path)
    truncateSync(path, 3000)
    const clip = { ...whole, id: "cut", label: "x", hash: "e".repeat(64) }
    const { store, failed } = await extract({ root: join(folder, "cut"), clips: [clip] })
    if (failed.length === 0) expect(store.padded({ clip: clip.hash, view: 0 })).toBeGreaterThanOrEqual(0)
    expect(failed.length + store.count).toBe(1)
    await store.close()
  })

  it("stops at a signal, keeps what is done and goes on", async () => {
    const root = join(folder, "signal")
    const controller = new AbortController()
    const reporter: Reporter = { ...silent, task: () => ({ tick: () => controller.abort(), done: () => {} }) }
    await expect(extract({ root, reporter, signal: controller.signal })).rejects.toMatchObject({ name: "AbortError" })
    const { store, said } = await extract({ root })
    expect(said[0]).toMatch(/^features: [12] views/)
    expect(store.count).toBe(3)
    await store.close()
  })

  it("refuses frames, sizes and random steps that do not fit", async () => {
    const other = samplingSchema.parse({ kind: "segments", frames: T + 1 })
    await expect(extract({ recipe: { sampling: other, steps, draws: null } })).rejects.toThrow(
      /not the number of frames/,
    )
    await expect(extract({ recipe: { sampling, steps: flips, draws: null } })).rejects.toThrow(/random steps/)
    const small: Step[] = [{ step: "letterbox", size: 16, fill: [0, 0, 0] }]
    await expect(extract({ recipe: { sampling, steps: small, draws: null } })).rejects.toThrow(/not the frame size/)
    const wrong: Step[] = [{ step: "stretch", width: 16, height: S }]
    await expect(extract({ recipe: { sampling, steps: wrong, draws: null } })).rejects.toThrow(/not the frame size/)
    await expect(extract({ recipe: { sampling, steps: [], draws: null } })).rejects.toThrow(
      /do not give the frame size/,
    )
  })
})
