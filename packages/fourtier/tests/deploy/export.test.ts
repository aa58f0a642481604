import { existsSync } from "node:fs"
import { mkdtemp, readdir, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { silent } from "@fourtier/core"
import { methodNamed, onRawMap } from "@fourtier/core/model"
import { FRAMES, modelSchema } from "@fourtier/core/schemas"
import { input, mean, mul, Rng, reshape, transpose } from "@fourtier/tensor"
import { initialize } from "@fourtier/tensor/nn"
import { toOnnx } from "@fourtier/tensor/onnx"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type ExportOptions, exportBundle } from "../../src/deploy/export.ts"
import { Recognizer } from "../../src/deploy/recognizer.ts"
import { MAP, type VisualEncoder } from "../../src/encoders/encoder.ts"
import { clipOfFile } from "../../src/video/index.ts"
import { encodeClip } from "../video/encode.ts"

const [T, SIDE] = [4, 32]
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

/** Averages quarters of each frame: m [B,T,4,3]. */
const encoder: VisualEncoder = {
  name: "quarters",
  id: "quarters",
  frames: T,
  resolution: [SIDE, SIDE],
  size: { T, H: 2, W: 2, D: 3 },
  flops: async () => ({ part: "encoder", weights: 0, macs: 0 }),
  async model(batch) {
    const half = SIDE / 2
    const frames = reshape(input(FRAMES, [batch, T, SIDE, SIDE, 3]), [batch * T, 2, half, 2, half, 3])
    const quarters = mean(transpose(frames, [0, 1, 3, 2, 4, 5]), [3, 4]) // [B·T,2,2,3]
    return toOnnx({ outputs: { [MAP]: mul(reshape(quarters, [batch, T, 4, 3]), 1 / 255) } })
  },
}

function options(name: string, expected: ExportOptions["expected"]): ExportOptions {
  const network = {
    build: methodNamed("baseline").build({
      prompts: [],
      model: modelSchema.parse({ headWidth: 3, blocks: 1 }),
      space: null,
    }),
    width: null,
    pool: "mean" as const,
  }
  const { trained, finalFrozen } = onRawMap(
    input("m", [1, T, 4, 3]),
    { size: encoder.size, classes: 2, ...network },
    null,
  )
  return {
    folder: join(folder, name),
    encoder,
    recipe: {
      sampling: { kind: "segments", frames: T, clips: 1 },
      steps: [{ step: "stretch", width: SIDE, height: SIDE }],
      draws: null,
    },
    labels: LABELS,
    network,
    weights: initialize([...trained, ...finalFrozen], (param) => Rng.fork(0, param)),
    provenance: {
      fourtier: "0",
      created: "now",
      method: "baseline",
      encoder: { name: encoder.name, id: encoder.id },
      prompts: [],
      config: "",
      split: "none",
      seed: 0,
      trainingClips: 1,
      pseudoLabelled: 0,
    },
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

  it("names what is wrong with a folder that is no bundle", async () => {
    await expect(Recognizer.load(folder)).rejects.toThrow(/bundle.json/)
  })
})
