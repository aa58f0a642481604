/**
 * Detection learns what is where: people of several classes in one picture, told apart by their boxes alone. Any number of
 * boxes, in any order, gives each its own answer; boxes that hold nothing are refused by name.
 */

import { liveSessions, Rng } from "@fourtier/tensor"
import { initialize, type Weights } from "@fourtier/tensor/nn"
import { beforeAll, describe, expect, it } from "vitest"
import type { Box } from "../../src/metrics/index.ts"
import { REGION_METHODS, type RegionMethod, regionMethod } from "../../src/model/regions.ts"
import { detectionSchema } from "../../src/schemas/detection.ts"
import { modelSchema } from "../../src/schemas/model.ts"
import { scheduleSchema } from "../../src/schemas/schedule.ts"
import { detectionTask, type Populated, RegionGraphs, regionProbabilities } from "../../src/train/detect.ts"
import { type FeatureSet, MemoryFeatures } from "../../src/train/features.ts"
import { train } from "../../src/train/loop.ts"
import { fitStandardize } from "../../src/train/standardize.ts"
import { silent } from "../../src/util/progress.ts"
import { difference, PROMPTS } from "./fixtures.ts"

/** A wide map: 4×6 places. */
const SIZE = { T: 3, H: 4, W: 6, D: 16 }
const CLASSES = 3

/** The two by two places of the grid where a person may be. */
const SPOTS = [0, 1].flatMap((row) => [0, 1, 2].map((column): [number, number] => [2 * row, 2 * column]))

/** One to three people at different spots; each has one or two classes, which show in the channels of its places. */
function makeScenes(clips: number): FeatureSet<Populated> {
  const { T, H, W, D } = SIZE
  const source = new MemoryFeatures("scenes", { T, N: H * W, D })
  const examples = Array.from({ length: clips }, (_, i): Populated => {
    const rng = Rng.fork("scenes", i)
    const m = Float32Array.from({ length: T * H * W * D }, () => 0.5 * rng.normal())
    const people = rng
      .shuffle([...SPOTS])
      .slice(0, 1 + (i % 3))
      .map(([row, column]) => {
        const labels = rng.shuffle([...Array(CLASSES).keys()]).slice(0, rng.pick([1, 1, 2]))
        for (let t = 0; t < T; t++) {
          for (const place of [0, 1, W, W + 1].map((step) => row * W + column + step)) {
            for (const label of labels) {
              for (let d = label; d < D; d += CLASSES) m[(t * H * W + place) * D + d] += 1.5 + t
            }
          }
        }
        const box: Box = [column / W, row / H, (column + 2) / W, (row + 2) / H]
        return { box, labels: labels.sort() }
      })
    source.add({ clip: `scene ${i}`, view: 0 }, m)
    return { id: `scene ${i}`, hash: `scene ${i}`, views: [0], people }
  })
  return { source, examples }
}

let set: FeatureSet<Populated>
let standardize: Weights
beforeAll(async () => {
  set = makeScenes(64)
  standardize = await fitStandardize(set, null)
})

const part = (from: number, to: number): FeatureSet<Populated> => ({ ...set, examples: set.examples.slice(from, to) })

interface Variant {
  method?: RegionMethod
  microBatch?: number
  boxes?: number
  epochs?: number
  dropout?: number
  jitter?: number
}

async function detector({ method = "baseline", microBatch = 8, boxes = 3, epochs = 20, ...rest }: Variant = {}) {
  const model = modelSchema.parse({ headWidth: 8, blocks: 1 })
  const build = regionMethod(method, { prompts: PROMPTS, model, textWidth: 6 })
  const spec = { size: SIZE, classes: CLASSES, width: null, pool: model.pool, build }
  const graphs = await RegionGraphs.compile(spec, microBatch, boxes, rest.dropout ?? 0)
  const processors = graphs.frozen.filter(({ name }) => !standardize.has(name))
  const frozen: Weights = new Map([...standardize, ...initialize(processors, (name) => Rng.fork(name))])
  const config = detectionSchema.parse({ jitter: rest.jitter ?? 0.1 })
  const task = detectionTask(method, graphs, config, { train: part(0, 48), val: part(48, 64) }, frozen)
  const schedule = scheduleSchema.parse({ epochs, batch: 8, learningRate: 1e-2, warmupEpochs: 1 })
  const trained = await train(task, { schedule, seed: 1, reporter: silent })
  return { ...trained, graphs, all: new Map([...frozen, ...trained.weights]) }
}

describe("detection", () => {
  it.each(REGION_METHODS)("%s learns what each of several people does", async (method) => {
    const before = liveSessions()
    const { score, graphs } = await detector({ method })
    await graphs.release()
    expect(liveSessions()).toBe(before)
    // chance is about the share of boxes with a class: 0.45
    expect(score).toBeGreaterThan(method === "linear-probe" ? 0.8 : 0.9)
  })

  it("reads each box alone: order, number and company of boxes change nothing", async () => {
    const { graphs, all } = await detector({ epochs: 2 })
    const set = part(48, 52)
    const many = set.examples.map((_, clip) =>
      Array.from({ length: clip === 1 ? 0 : 7 }, (_, i): Box => [i / 10, 0.1 * clip, i / 10 + 0.3, 0.9]),
    )
    const found = await regionProbabilities(graphs, set, many, all)
    expect(found.map((rows) => rows.length)).toEqual([7, 0, 7, 7])
    const backward = await regionProbabilities(
      graphs,
      set,
      many.map((boxes) => boxes.toReversed()),
      all,
    )
    for (const [clip, rows] of found.entries()) {
      for (const [i, row] of rows.entries()) {
        expect(difference(backward[clip][rows.length - 1 - i], row)).toBeLessThan(1e-5)
      }
    }
    const [[alone]] = await regionProbabilities(graphs, part(51, 52), [[many[3][4]]], all)
    expect(difference(alone, found[3][4])).toBeLessThan(1e-5)
    expect(difference(found[3][0], found[3][6])).toBeGreaterThan(1e-3)
    await graphs.release()
  })

  it("a thousand boxes of one frame are answered, and parts outside the picture are cut off", async () => {
    const { graphs, all } = await detector({ epochs: 1 })
    const thousand = Array.from({ length: 1000 }, (_, i): Box => [(i % 10) / 20, 0, 0.5 + (i % 7) / 14, 1])
    const [rows] = await regionProbabilities(graphs, part(0, 1), [thousand], all)
    expect(rows.length).toBe(1000)
    expect(difference(rows[0], rows[70])).toBeLessThan(1e-5)
    const [[over, cut]] = await regionProbabilities(
      graphs,
      part(0, 1),
      [
        [
          [-1, -9, 0.4, 0.5],
          [0, 0, 0.4, 0.5],
        ],
      ],
      all,
    )
    expect(difference(over, cut)).toBe(0)
    await graphs.release()
  })

  it.each([
    [Number.NaN, 0, 1, 1],
    [0.5, 0.5, 0.2, 0.9],
    [0.3, 0.3, 0.3, 0.6],
    [1.2, 0, 1.5, 1],
    [Number.NEGATIVE_INFINITY, 0, Number.NaN, 1],
  ] satisfies Box[])(
    "refuses the box %f, %f, %f, %f by the clip's name",
    async (...box: [number, number, number, number]) => {
      const { graphs, all } = await detector({ epochs: 0, method: "linear-probe" })
      const found = regionProbabilities(graphs, part(3, 4), [[box]], all)
      await expect(found).rejects.toThrow(/clip scene 3: a box that holds nothing/)
      await graphs.release()
    },
  )

  it("refuses a label that is no class before it trains", async () => {
    const { graphs } = await detector({ epochs: 0, method: "linear-probe" })
    const [example] = set.examples
    const wrong = { ...set, examples: [{ ...example, people: [{ ...example.people[0], labels: [3] }] }] }
    const data = { train: wrong, val: { ...set, examples: [] } }
    expect(() => detectionTask("x", graphs, detectionSchema.parse({}), data, standardize)).toThrow(
      /class numbers from 0 to 2/,
    )
    await graphs.release()
  })

  it("gives the same weights for the same seed, with jitter, dropout and more people than boxes", async () => {
    const noisy = { boxes: 2, dropout: 0.1, epochs: 2 }
    const [first, second] = [await detector(noisy), await detector(noisy)]
    expect(second.weights).toEqual(first.weights)
    const still = await detector({ ...noisy, jitter: 0 })
    expect(still.weights).not.toEqual(first.weights)
    for (const { graphs } of [first, second, still]) await graphs.release()
  })

  it("micro-batches give the whole batch's weights", async () => {
    const common = { epochs: 2, jitter: 0 }
    const [whole, parts] = [await detector(common), await detector({ ...common, microBatch: 4 })]
    for (const [name, values] of whole.weights) {
      expect(difference(parts.weights.get(name) ?? [], values), name).toBeLessThan(2e-4)
    }
    for (const { graphs } of [whole, parts]) await graphs.release()
  })
})
