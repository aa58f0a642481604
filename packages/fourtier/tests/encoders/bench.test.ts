/**
 * Protects `fourtier bench encoder`: every precision and batch is measured beside float32, and what cannot be says why; labelled
 * clips are scored by their nearest neighbours, none of them a test clip.
 */

import { join } from "node:path"
import { silent } from "@fourtier/core"
import { describe, expect, it } from "vitest"
import { compareEncoder, type Measured, type Unmeasured } from "../../src/encoders/bench/compare.ts"
import { describeNeighbours, labelledClips, neighbourScore } from "../../src/encoders/bench/neighbours.ts"
import { encoderSchema, openVisualEncoder } from "../../src/encoders/catalog.ts"
import { clipOfFile } from "../../src/video/probe.ts"
import type { SourceClip } from "../../src/video/rows.ts"
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

describe("the nearest-neighbour score", () => {
  /** Clips of one colour, by file: red ones are `a`, blue ones `b`. */
  const clip = (name: string, label: string | null, split: string | null, group: string | null): SourceClip => {
    const level = 90 + 10 * name.charCodeAt(0)
    const path = makeClip(join(folder, `${name}.mp4`), {
      frames: 4,
      width: 48,
      height: 48,
      background: () => (label === "a" ? [level % 256, 0, 0] : [0, 0, level % 256]),
    })
    const labels = label === null ? [] : [label]
    return { path, relative: `${name}.mp4`, labels, split, fold: null, group, start: null, end: null, columns: {} }
  }

  const encoder = async () => {
    const sizes = { embed_dim: 32, depth: 1, num_heads: 2 }
    const config = { kind: "vit", checkpoint: "random", frames: 2, resolution: 32, sizes }
    return openVisualEncoder(encoderSchema.parse(config))
  }

  it("takes labelled clips that are no test clips, from the store where they are, and says what it found", async () => {
    const clips = [
      clip("k", "a", "train", "x"),
      clip("l", "a", "val", "y"),
      clip("m", "b", null, "x"),
      clip("n", "b", "train", "y"),
      clip("o", "a", "Testing", "x"),
      clip("p", null, "train", "y"),
      clip("q", "b", "test-shift", "y"),
    ]
    const labelled = await labelledClips(clips, { count: 10, reporter: silent })
    expect(labelled.map(({ label, group }) => `${label}${group}`)).toEqual(["ax", "ay", "bx", "by"])
    expect((await labelledClips(clips, { count: 2, reporter: silent })).map(({ label }) => label)).toEqual(["a", "b"])
    const other = clips.map((clip, i) => ({ ...clip, columns: { scene: i === 0 ? "train" : "test" } }))
    expect(await labelledClips(other, { count: 10, column: "scene", reporter: silent })).toHaveLength(1)
    const said: string[] = []
    const options = {
      encoder: await encoder(),
      recipe: {
        sampling: { kind: "segments" as const, frames: 2, clips: 1 },
        steps: [{ step: "stretch" as const, width: 32, height: 32 }],
        draws: null,
      },
      pool: "mean" as const,
      root: join(folder, "features"),
      reporter: { ...silent, say: (line: string) => void said.push(line) },
      workers: 1,
    }
    const found = await neighbourScore(labelled, options)
    expect(found).toMatchObject({ classes: 2, groups: 2, anyOther: { clips: 4, share: { value: 1 }, chance: 1 / 3 } })
    expect(found?.otherGroups).toMatchObject({ clips: 4, share: { value: 1 }, chance: 1 / 2 })
    expect(found && describeNeighbours(found)).toMatch(
      /^nearest neighbour has the label: 100\.0 % of 4 clips of 2 classes \(.*chance 33\.3\)\nnearest of 1 other group has it: 100/,
    )
    await neighbourScore(labelled, options)
    expect(said.at(-1)).toMatch(/already in the store/)
    expect(await neighbourScore([labelled[0], labelled[2]], options)).toBeNull()
  })
})
