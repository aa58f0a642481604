/**
 * Protects the setting `encoder.precision`: features of other precisions are similar to those of float32 and never mistaken for
 * them, a clip's features do not depend on its batch, and a bundle says what the trainer said.
 */

import { join } from "node:path"
import { silent } from "@fourtier/core"
import { evaluate, halfToFloat, Rng, sizeOf, softmax } from "@fourtier/tensor"
import { encodeModel } from "@fourtier/tensor/onnx"
import { describe, expect, it } from "vitest"
import { exportBundle } from "../../src/deploy/export.ts"
import { featureSimilarity, meanRow } from "../../src/encoders/bench/feature-similarity.ts"
import { encoderSchema, openVisualEncoder } from "../../src/encoders/catalog.ts"
import { encoderShapes, openEncoder, type VisualEncoder } from "../../src/encoders/encoder.ts"
import { extractFeatures } from "../../src/features/extract.ts"
import { clipOfFile } from "../../src/video/probe.ts"
import { freshNetwork, provenanceOf } from "../deploy/fixtures.ts"
import { makeClip, scratchFolder } from "../video/fixtures.ts"

const scratch = scratchFolder()

/** Wide enough for int8 to find matrices. */
const wide = { kind: "vit", checkpoint: "random", frames: 2, resolution: 32 }
const sizes = { embed_dim: 256, depth: 3, num_heads: 4 }
const open = (more: object = {}) => openVisualEncoder(encoderSchema.parse({ ...wide, sizes, ...more }))

/** Pixels of `batch` clips, another picture in each. */
function frames(encoder: VisualEncoder, batch: number): Float32Array {
  const rng = Rng.fork(0, "pixels")
  return Float32Array.from({ length: sizeOf(encoderShapes(encoder, batch).frames) }, () => rng.uniform(0, 255))
}

async function mapsOf(encoder: VisualEncoder, pixels: Float32Array, batch: number): Promise<Float32Array> {
  const session = await openEncoder(encoder, batch, {})
  const { m } = await session.run({ frames: pixels })
  await session.release()
  return Float32Array.from(m, Number)
}

describe("precision of an encoder", () => {
  it("is part of its identity; float32 is the default and leaves identities as they were", async () => {
    const ids = await Promise.all(
      [{}, { precision: "float32" }, { precision: "float16" }, { precision: "int8" }].map(open),
    )
    expect(new Set(ids.map(({ id }) => id)).size).toBe(3)
    expect(ids[0].id).toBe(ids[1].id)
    const plain = await openVisualEncoder(encoderSchema.parse({ kind: "clip", checkpoint: "random" }))
    expect(plain.id).toBe("4296bcf9f0af0f513b8df5c1e0742b3408bebd03f25abb3598cbe2fd8259e870")
    expect(() => encoderSchema.parse({ kind: "movenet", precision: "int4" })).toThrow(/float16/)
  })

  it.each([
    ["float16", 1 - 1e-5, 0.51],
    ["int8", 0.998, 0.31],
  ])("%s: a smaller file with nearly the same features", async (precision, least, share) => {
    const [plain, other] = [await open(), await open({ precision })]
    const [before, after] = await Promise.all([plain, other].map((one) => one.model(1).then(encodeModel)))
    expect(after.length).toBeLessThan(share * before.length)
    const pixels = frames(plain, 1)
    const [map, near] = [await mapsOf(plain, pixels, 1), await mapsOf(other, pixels, 1)]
    const { cosine, centred } = featureSimilarity(map, near, meanRow([map], plain.size.D))
    expect(cosine).toBeGreaterThan(least)
    expect(centred).toBeGreaterThan(least)
    expect(near).not.toEqual(map)
  })

  it("int8: a clip's features do not depend on the clips beside it", async () => {
    const encoder = await open({ precision: "int8" })
    const pixels = frames(encoder, 2)
    const both = await mapsOf(encoder, pixels, 2)
    const alone = await mapsOf(encoder, pixels.subarray(pixels.length / 2), 1)
    const second = both.subarray(both.length / 2)
    expect(featureSimilarity(alone, second, meanRow([alone], encoder.size.D)).centred).toBeGreaterThan(1 - 1e-6)
  })

  it("int8 that would change nothing is an error that says so", async () => {
    const encoder = await openVisualEncoder(encoderSchema.parse({ kind: "movenet", precision: "int8" }))
    await expect(encoder.model(1)).rejects.toThrow(/int8 changes nothing.*movenet[\s\S]*convolutions stay float32/)
  })

  it.each(["float16", "int8"])("%s: the bundle's answer is the trainer's", async (precision) => {
    const encoder = await open({ precision })
    const clip = clipOfFile(makeClip(join(scratch, "clip.mp4"), { frames: 8, width: 48, height: 48 }))
    const { frames: T } = encoder
    const recipe = {
      sampling: { kind: "segments" as const, frames: T, clips: 1 },
      steps: [{ step: "stretch" as const, width: 32, height: 32 }],
      draws: null,
    }
    const { store } = await extractFeatures([clip], {
      encoder,
      recipe,
      pool: "mean",
      root: join(scratch, "store"),
      reporter: silent,
    })
    const m = halfToFloat(await store.read({ clip: clip.hash, view: 0 }, "m"))
    await store.close()

    const { network, weights, final } = freshNetwork(encoder, "baseline", { classes: 2, headWidth: 8 })
    const { p } = await evaluate({ outputs: { p: softmax(final) }, weights }, { m })
    const bundle = await exportBundle({
      folder: join(scratch, precision),
      encoder,
      recipe,
      labels: ["a", "b"],
      network,
      weights,
      provenance: provenanceOf(encoder, "baseline"),
      clipSeconds: null,
      calibration: null,
      unknown: null,
      accuracy: null,
      expected: [{ clip, probabilities: Float32Array.from(p, Number) }],
      reporter: silent,
    })
    expect(bundle.parity.clips).toBe(1)
  })
})
