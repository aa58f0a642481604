/** Protects what ships of action detection: a bundle that equals the trainer, judged by the frames that training saw; or none. */

import { existsSync } from "node:fs"
import { mkdtemp, readdir, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { silent } from "@fourtier/core"
import { FrameDetector, framesAround } from "@fourtier/core/bundle"
import { type Corners, letterboxed, transformOf } from "@fourtier/core/frames"
import { placesOf, regionMethod, regionsOnRawMap } from "@fourtier/core/model"
import { modelSchema } from "@fourtier/core/schemas"
import { MemoryFeatures, RegionGraphs, regionProbabilities } from "@fourtier/core/train"
import { input, Rng } from "@fourtier/tensor"
import { initialize } from "@fourtier/tensor/nn"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { detectAt, loadDetector } from "../../src/deploy/detector.ts"
import { type ExportDetectorOptions, exportDetector } from "../../src/deploy/export-detector.ts"
import { modelPath, readBundle, readDetectionBundle } from "../../src/deploy/folder.ts"
import { openEncoder } from "../../src/encoders/encoder.ts"
import { clipOfFile, decodeFrames, frameTimesOf, loadViews } from "../../src/video/index.ts"
import { encodeClip } from "../video/encode.ts"
import { quarters, SIDE, T } from "./fixtures.ts"

const CLASSES = [4, 9, 11].map((id) => ({ id, name: `act ${id}` }))
const recipe = {
  sampling: { kind: "segments" as const, frames: T, clips: 1 },
  steps: [{ step: "letterbox" as const, size: SIDE, fill: [0, 0, 0] as [number, number, number] }],
}
const model = modelSchema.parse({ headWidth: 3, blocks: 1 })
const network = {
  width: null,
  pool: model.pool,
  build: regionMethod("baseline", { prompts: [], model, textWidth: 0 }),
}
const spec = { ...network, size: quarters.size, classes: CLASSES.length }
const built = regionsOnRawMap(input("m", [1, T, placesOf(spec.size), 3]), input("boxes", [1, 2, 4]), spec, null)
const weights = initialize([...built.trained, ...built.frozen], (name) => Rng.fork(3, name))
for (const name of ["standardize.scale"]) weights.set(name, Float32Array.of(3, 4, 5))
for (const [name, values] of weights)
  if (name.endsWith("linear.weight"))
    weights.set(
      name,
      values.map((_, i) => Math.sin(3 * i)),
    )

const WINDOW = 1
const people: Corners[] = [
  [0.1, 0.2, 0.5, 0.9],
  [0.4, -0.3, 1.2, 0.8],
]

let folder: string
let video: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fourtier-detector-"))
  video = join(folder, "scene.mp4")
  encodeClip(video, {
    width: 64,
    height: 48,
    frames: 60,
    paint: (frame, pixels) => {
      for (let i = 0; i < pixels.length; i++) pixels[i] = (i * (frame % 7) + 40 * frame) % 256
    },
  })
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** What the trainer says: from stored features of the window, as `fourtier detection` computes them. */
async function trainer(seconds: number, boxes: readonly Corners[]): Promise<Float32Array[]> {
  const { duration } = clipOfFile(video)
  const clip = clipOfFile(video, { start: Math.max(0, seconds - 0.5), end: Math.min(duration, seconds + 0.5) })
  const { views } = loadViews({
    clip,
    ...recipe,
    transform: transformOf(recipe.steps),
    seed: null,
    scaleWhileDecoding: true,
  })
  const session = await openEncoder(quarters, 1, {})
  const { m } = await session.run({ frames: views[0] })
  await session.release()
  const source = new MemoryFeatures("trainer", { T, N: 4, D: 3 })
  source.add({ clip: "a", view: 0 }, Float32Array.from(m, Number))
  const graphs = await RegionGraphs.compile(spec, 1, 4, 0)
  const examples = [{ id: "a", hash: "a", views: [0] }]
  const onSquare = boxes.map((box) => letterboxed(box, clip))
  const [rows] = await regionProbabilities(graphs, { source, examples }, [onSquare], weights)
  await graphs.release()
  return rows
}

function options(name: string, expected: ExportDetectorOptions["expected"]): ExportDetectorOptions {
  return {
    ...{ folder: join(folder, name), encoder: quarters, recipe, window: WINDOW, classes: CLASSES, network, weights },
    provenance: {
      ...{ fourtier: "0.0.0", created: "2026-01-01T00:00:00Z", method: "baseline", prompts: [], config: "made up" },
      ...{ encoder: { name: quarters.name, id: quarters.id }, seed: 0, keyFrames: 1, people: 2 },
    },
    ...{ quality: null, expected, reporter: silent },
  }
}

describe("the bundle of a detector", () => {
  it("is proven at key times of files, also near both ends, and refused where its answers differ", async () => {
    const at = [0, 1.2, 2.3].map(async (seconds) => {
      return { path: video, seconds, boxes: people, probabilities: await trainer(seconds, people) }
    })
    const expected = await Promise.all(at)
    expect(Math.abs(expected[0].probabilities[0][0] - expected[1].probabilities[0][0])).toBeGreaterThan(1e-3)
    expect(Math.abs(expected[0].probabilities[0][0] - expected[0].probabilities[1][0])).toBeGreaterThan(1e-3)
    const { parity, classIds, labels } = await exportDetector(options("first", expected))
    expect(parity).toMatchObject({ clips: 3, boxes: 6 })
    expect(parity.largestDifference).toBeLessThan(1e-6)
    expect([classIds, labels]).toEqual([
      [4, 9, 11],
      ["act 4", "act 9", "act 11"],
    ])
    const off = expected.map((one) => ({
      ...one,
      probabilities: one.probabilities.map((row) => row.map((p) => p + 2e-4)),
    }))
    await expect(exportDetector(options("first", off))).rejects.toThrow(/at 0 s, person 1: the bundle does not match/)
    expect(existsSync(modelPath(join(folder, "first")))).toBe(true)
    expect((await readdir(folder)).filter((name) => name.includes("tmp"))).toEqual([])
  })

  it("answers about nobody, one or a thousand, each as alone; whole and in parts alike", async () => {
    await exportDetector(options("many", []))
    const path = join(folder, "many")
    const detector = await loadDetector(path)
    const whole = await FrameDetector.load(modelPath(path), detector.bundle)
    expect(detector.bundle.stream).toEqual({ rows: [4, 3] })
    expect(await detectAt(detector, video, 1, [])).toEqual([])
    const rng = Rng.fork("a thousand")
    const thousand = Array.from({ length: 1000 }, (): Corners => {
      const [x, y] = [rng.uniform(-0.2, 0.8), rng.uniform(-0.2, 0.8)]
      return [x, y, x + rng.uniform(0.25, 1), y + rng.uniform(0.25, 1)]
    })
    const rows = await detectAt(detector, video, 1, thousand)
    expect(rows.map(({ length }) => length)).toEqual(Array(1000).fill(3))
    for (const i of [0, 31, 32, 999]) {
      const [alone] = await detectAt(detector, video, 1, [thousand[i]])
      const [other] = await detectAt(whole, video, 1, [thousand[i]])
      for (const c of [0, 1, 2]) {
        expect(alone[c]).toBeCloseTo(rows[i][c], 6)
        expect(other[c]).toBeCloseTo(rows[i][c], 6)
      }
    }
    await whole.release()
    await detector.release()
  })

  it("what is kept of frames judges any window", async () => {
    await exportDetector(options("kept", []))
    const detector = await loadDetector(join(folder, "kept"))
    const { times, duration } = frameTimesOf(video)
    const { indices } = framesAround(detector.bundle, times, duration, 1)
    const clip = { path: video, start: null, end: null, frames: 0, fps: 0 }
    const kept: Float32Array[] = []
    for (const index of indices) {
      const { data, width, height } = decodeFrames(clip, { indices: [index] }, { size: { longSide: SIDE } })
      kept.push(await detector.keep({ data, count: 1, width, height }))
    }
    const judged = await detector.judge(kept, { width: 64, height: 48 }, people)
    const answered = await detectAt(detector, video, 1, people)
    for (const [k, row] of judged.entries())
      for (const [c, p] of row.entries()) expect(p).toBeCloseTo(answered[k][c], 6)
    await detector.release()
  })

  it.each([
    ["a NaN", [0.1, Number.NaN, 0.5, 0.9]],
    ["swapped corners", [0.5, 0.1, 0.2, 0.9]],
    ["no area", [0.5, 0.1, 0.5, 0.9]],
    ["nothing in the picture", [1.2, 0.1, 1.5, 0.9]],
  ] as const)("refuses a box with %s by its number", async (_, box) => {
    await exportDetector(options("hostile", []))
    const detector = await loadDetector(join(folder, "hostile"))
    const asked = detectAt(detector, video, 1, [people[0], box])
    await expect(asked).rejects.toThrow(/box 2 of 2: a box that holds nothing of the picture/)
    await detector.release()
  })

  it("refuses times that the video does not have, and another number of frames", async () => {
    await exportDetector(options("times", []))
    const detector = await loadDetector(join(folder, "times"))
    for (const seconds of [-0.1, 99, Number.NaN]) {
      await expect(detectAt(detector, video, seconds, people)).rejects.toThrow(/not a time of the video/)
    }
    const pictures = { data: new Uint8Array(2 * 64 * 48 * 3), count: 2, width: 64, height: 48 }
    await expect(detector.answer(pictures, people)).rejects.toThrow(/not the number of frames[\s\S]*4/)
    await detector.release()
  })

  it("and one of recognition are told apart", async () => {
    await exportDetector(options("kind", []))
    await expect(readBundle(join(folder, "kind"))).rejects.toThrow(/a bundle of action detection[\s\S]*fourtier detect/)
    await expect(readDetectionBundle(folder)).rejects.toThrow(/no bundle.json/)
  })
})

describe("frames around a key time", () => {
  it.each([{ kind: "segments" }, { kind: "dense", stride: 3 }] as const)("are those of its clip: %j", (kind) => {
    const sampling = { ...kind, frames: T, clips: 1 }
    const { times, duration } = frameTimesOf(video)
    for (const seconds of [0, 0.04, 0.3, 0.96, 1.2, 1.5, 2, 2.36]) {
      const window = { start: Math.max(0, seconds - 0.5), end: Math.min(duration, seconds + 0.5) }
      const clip = clipOfFile(video, window)
      const job = { clip, sampling, transform: transformOf([]), seed: null, scaleWhileDecoding: false }
      const { frameIndices, padded } = loadViews(job)
      const first = times.findIndex((time) => time >= window.start - 1e-4)
      expect(framesAround({ sampling, window: WINDOW }, times, duration, seconds)).toEqual({
        indices: frameIndices[0].map((index) => first + index),
        padded,
      })
    }
  })
})
