/** Protects what ships: a bundle that equals the trainer, or none. */

import { existsSync } from "node:fs"
import { mkdtemp, readdir, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { silent } from "@fourtier/core"
import { FrameRecognizer } from "@fourtier/core/bundle"
import { framesInMemory } from "@fourtier/core/frames"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type ExportOptions, exportBundle } from "../../src/deploy/export.ts"
import { modelPath, readBundle } from "../../src/deploy/folder.ts"
import { Recognizer } from "../../src/deploy/recognizer.ts"
import { loadForStream } from "../../src/deploy/stream.ts"
import { clipOfFile } from "../../src/video/index.ts"
import { encodeClip } from "../video/encode.ts"
import { freshNetwork, provenanceOf, quarters, SIDE, T } from "./fixtures.ts"

const LABELS = ["dark", "bright"]
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fourtier-export-"))
  encodeClip(join(folder, "clip.mp4"), {
    width: 48,
    height: 32,
    frames: 9,
    paint: (frame, pixels) => pixels.fill(20 * frame),
  })
})
afterAll(() => rm(folder, { recursive: true, force: true }))

function options(name: string, expected: ExportOptions["expected"]): ExportOptions {
  const { network, weights } = freshNetwork(quarters, "baseline", { classes: 2, headWidth: 3 })
  return {
    folder: join(folder, name),
    encoder: quarters,
    recipe: {
      sampling: { kind: "segments", frames: T, clips: 1 },
      steps: [{ step: "stretch", width: SIDE, height: SIDE }],
      draws: null,
    },
    labels: LABELS,
    network,
    weights,
    provenance: provenanceOf(quarters, "baseline"),
    clipSeconds: null,
    calibration: null,
    unknown: null,
    accuracy: null,
    expected,
    reporter: silent,
  }
}

describe("export", () => {
  it("proves the bundle, and refuses one whose answers differ from the trainer's", async () => {
    const clip = clipOfFile(join(folder, "clip.mp4"))
    await exportBundle(options("first", []))
    const recognizer = await Recognizer.load(join(folder, "first"))
    const { probabilities, top } = await recognizer.predict(clip.path, { top: 1 })
    await recognizer.release()
    expect(top).toHaveLength(1)
    expect(probabilities[0] + probabilities[1]).toBeCloseTo(1, 5)

    const proven = await exportBundle(options("second", [{ clip, probabilities }]))
    expect(proven.parity).toMatchObject({ clips: 1 })
    expect(proven.parity.largestDifference).toBeLessThan(1e-6)

    const off = [probabilities[0] + 2e-4, probabilities[1] - 2e-4]
    await expect(exportBundle(options("second", [{ clip, probabilities: off }]))).rejects.toThrow(
      /does not match the trainer/,
    )
    // the bundle that was there is still whole, and nothing half-written lies beside it
    expect(existsSync(join(folder, "second", "model.onnx"))).toBe(true)
    expect((await readdir(folder)).filter((name) => name.includes("tmp"))).toEqual([])
  })

  it("writes its two parts where the encoder sees single frames: a stream answers as the whole does, each frame computed once", async () => {
    await exportBundle(options("parts", []))
    const path = join(folder, "parts")
    const bundle = await readBundle(path)
    expect(bundle.stream).toEqual({ rows: [4, 3] })
    const whole = await FrameRecognizer.load(modelPath(path), bundle)
    const stream = await loadForStream(path)
    const data = new Uint8Array(60 * SIDE * SIDE * 3)
    for (let i = 0; i < data.length; i++) data[i] = (i * 31 + (i >> 7) * 3) % 256
    const picture = (from: number, count: number) => {
      const area = SIDE * SIDE * 3
      return { data: data.subarray(from * area, (from + count) * area), count, height: SIDE, width: SIDE }
    }
    const frames = Array.from({ length: 60 }, (_, i) => ({ time: i / 20, picture: picture(i, 1) }))
    let answers = 0
    for await (const { time, probabilities } of stream.stream(frames, { window: 1.5, step: 0.25 })) {
      if (answers++ > 5) continue
      const { probabilities: expected } = await whole.recognize(
        framesInMemory(picture(Math.round((time - 1.5) * 20), 30), 20),
      )
      expect(Math.abs(probabilities[0] - expected[0])).toBeLessThan(1e-4)
    }
    expect(answers).toBe(7)
    await stream.release()
    await whole.release()
    await exportBundle({ ...options("whole", []), encoder: { ...quarters, frameWise: undefined } })
    const alone = await loadForStream(join(folder, "whole"))
    expect([alone.bundle.stream, (await readdir(join(folder, "whole"))).sort()]).toEqual([
      null,
      ["bundle.json", "model.onnx"],
    ])
    let windows = 0
    for await (const _ of alone.stream(frames, { window: 1.5, step: 0.5 })) windows++
    expect(windows).toBe(4)
    await alone.release()
  })

  it("names what is wrong with a folder that is no bundle", async () => {
    await expect(Recognizer.load(folder)).rejects.toThrow(/bundle.json/)
  })
})
