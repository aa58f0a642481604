/** Protects `fourtier bench encoder`: every precision and batch is measured beside float32, and what cannot be says why. */

import { join } from "node:path"
import { silent } from "@fourtier/core"
import { expect, it } from "vitest"
import { compareEncoder, type Measured, type Unmeasured } from "../../src/encoders/bench/compare.ts"
import { encoderSchema, openVisualEncoder } from "../../src/encoders/catalog.ts"
import { clipOfFile } from "../../src/video/probe.ts"
import { makeClip, scratchFolder } from "../video/fixtures.ts"

const folder = scratchFolder()

function measured(row: Measured | Unmeasured): Measured {
  if ("problem" in row) throw new Error(row.problem)
  return row
}

it("measures precisions and batches beside float32", async () => {
  const config = encoderSchema.parse({
    kind: "vit",
    checkpoint: "random",
    frames: 2,
    resolution: 32,
    sizes: { embed_dim: 64, depth: 2, num_heads: 2 },
  })
  const encoder = await openVisualEncoder(config)
  const clips = [60, 160, 250].map((level, i) =>
    clipOfFile(
      makeClip(join(folder, `${i}.mp4`), { frames: 6, width: 48, height: 48, background: () => [level, level, 90] }),
    ),
  )
  const { precisions, batches } = await compareEncoder({
    config,
    encoder,
    clips,
    recipe: {
      sampling: { kind: "segments", frames: 2, clips: 1 },
      steps: [{ step: "stretch", width: 32, height: 32 }],
      draws: null,
    },
    precisions: ["float16", "int8"],
    batches: [2],
    rounds: 1,
    provider: "cpu",
    threads: 1,
    reporter: silent,
  })
  const [plain, half] = precisions.slice(0, 2).map(measured)
  expect([plain.precision, half.precision]).toEqual(["float32", "float16"])
  expect(half.file).toBeLessThan(0.6 * plain.file)
  expect(half.similarity.lowest.centred).toBeGreaterThan(0.9999)
  expect(half.similarity.lowest.centred).toBeLessThan(1)
  for (const { cost, reference, load, memory } of [plain, half]) {
    expect(Math.min(cost.clock, cost.processor, reference.clock, load)).toBeGreaterThan(0)
    expect(memory.now).toBeLessThanOrEqual(memory.peak * 1.01)
  }
  // this network is too narrow for int8
  expect(precisions[2]).toMatchObject({ precision: "int8", problem: expect.stringContaining("int8 changes nothing") })

  const [one, two] = batches.map(measured)
  expect([one.batch, two.batch]).toEqual([1, 2])
  expect(two.similarity.lowest.centred).toBeGreaterThan(1 - 1e-6)
})
