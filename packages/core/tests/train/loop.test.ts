/** The loop on a task small enough to follow by hand: what it updates when, what it keeps, and where it goes on. */

import { readFileSync } from "node:fs"
import { join } from "node:path"
import { type Param, Scope, zeros } from "@fourtier/tensor/nn"
import { describe, expect, it } from "vitest"
import { fileCheckpoints } from "../../src/node/checkpoint.ts"
import { FileJournal } from "../../src/node/journal.ts"
import { type ScheduleConfig, scheduleSchema } from "../../src/schemas/schedule.ts"
import { type LoopOptions, train } from "../../src/train/loop.ts"
import type { TrainTask } from "../../src/train/task.ts"
import { silent } from "../../src/util/progress.ts"
import { difference, scratchFolder } from "./fixtures.ts"

const folder = scratchFolder()
const schedule = (some: Partial<ScheduleConfig> = {}) =>
  scheduleSchema.parse({ epochs: 4, batch: 4, learningRate: 0.1, warmupEpochs: 1, weightDecay: 0, ...some })

/** Two weights pulled to the mean of the batch's numbers: gradient w − x. */
function meanTask(some: Partial<TrainTask> & { scores?: number[]; seen?: number[][] } = {}): TrainTask {
  const scope = new Scope()
  scope.param("w", [2], zeros, { decay: true })
  const params: Param[] = scope.params
  let validations = 0
  return {
    name: "mean",
    params,
    examples: 12,
    microBatch: 4,
    async gradients({ clips, start, end }, optimizer) {
      const own = clips.slice(start, end)
      some.seen?.push(own)
      const sum = (of: (x: number) => number) => own.reduce((total, i) => total + of(i), 0) / (some.microBatch ?? 4)
      const w = optimizer.parameter("w")
      optimizer.gradientBuffer("w").set([sum((x) => w[0] - x), sum((x) => w[1] + x)])
      return { loss: sum((x) => (w[0] - x) ** 2) }
    },
    async validate() {
      const score = some.scores?.[validations++]
      return score === undefined ? null : { score }
    },
    ...some,
  }
}

const options = (some: Partial<LoopOptions> = {}): LoopOptions => ({
  schedule: schedule(),
  seed: 1,
  reporter: silent,
  ...some,
})

const journalOf = (path: string): Record<string, number | string>[] =>
  readFileSync(path, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))

describe("the loop", () => {
  it("visits every example once an epoch, in another order each time", async () => {
    const seen: number[][] = []
    await train(meanTask({ seen }), options())
    expect(seen).toHaveLength(12)
    const epochs = [0, 3, 6, 9].map((at) => seen.slice(at, at + 3).flat())
    for (const epoch of epochs) expect(epoch.toSorted((a, b) => a - b)).toEqual([...Array(12).keys()])
    expect(new Set(epochs.map(String)).size).toBe(4)
  })

  it("rises linearly in the warm-up, then falls as half a cosine", async () => {
    const journalPath = join(folder, "schedule.jsonl")
    await train(meanTask(), options({ journal: new FileJournal(journalPath) }))
    const rates = journalOf(journalPath).map(({ learningRate }) => Number(learningRate))
    const expected = rates.map((_, step) =>
      step < 3 ? (step + 1) / 3 : 0.5 * (1 + Math.cos((Math.PI * (step - 3)) / 9)),
    )
    expect(
      difference(
        rates,
        expected.map((x) => x * 0.1),
      ),
    ).toBeLessThan(1e-12)
    expect(journalOf(journalPath).map(({ step }) => step)).toEqual([...Array(12).keys()].map((i) => i + 1))
  })

  it("accumulated micro-batches give the whole batch's update", async () => {
    const whole = await train(meanTask(), options())
    const parts = await train(meanTask({ microBatch: 2 }), options())
    const ones = await train(meanTask({ microBatch: 1 }), options())
    expect(difference(parts.weights.get("w") ?? [], whole.weights.get("w") ?? [])).toBeLessThan(1e-5)
    expect(difference(ones.weights.get("w") ?? [], whole.weights.get("w") ?? [])).toBeLessThan(1e-5)
  })

  it("takes whole micro-batches where the batch does not divide", async () => {
    const seen: number[][] = []
    await train(meanTask({ seen, microBatch: 3 }), options({ schedule: schedule({ batch: 8, epochs: 1 }) }))
    expect(seen.map(({ length }) => length)).toEqual([3, 3, 3, 3])
  })

  it("clips the gradient's global norm", async () => {
    const constant = (scale: number) =>
      meanTask({
        async gradients(_part, optimizer) {
          optimizer.gradientBuffer("w").set([3 * scale, 4 * scale])
          return { loss: 1 }
        },
      })
    const clipped = await train(constant(100), options({ schedule: schedule({ clipNorm: 5, beta1: 0, beta2: 0.5 }) }))
    const equal = await train(constant(1), options({ schedule: schedule({ beta1: 0, beta2: 0.5 }) }))
    expect(difference(clipped.weights.get("w") ?? [], equal.weights.get("w") ?? [])).toBeLessThan(1e-5)
  })

  it("keeps the weights of the best validation and stops when patience ends", async () => {
    const scores = [0.1, 0.9, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95]
    const trained = await train(meanTask({ scores }), options({ schedule: schedule({ epochs: 8, patience: 3 }) }))
    expect(trained).toMatchObject({ steps: 15, keptStep: 6, score: 0.9 })
    const short = await train(meanTask(), options({ schedule: schedule({ epochs: 8 }) }))
    expect(short.keptStep).toBe(24)
    const seen: Float32Array[] = []
    const looking = meanTask({
      async validate(weights) {
        seen.push(weights("w").slice())
        return { score: scores[seen.length - 1] }
      },
    })
    const { weights } = await train(looking, options({ schedule: schedule({ epochs: 8, patience: 3 }) }))
    expect(weights.get("w")).toEqual(seen[1])
  })

  it("fails at once, and says where, when the loss is not a number", async () => {
    const broken = meanTask({ gradients: async () => ({ loss: Number.NaN }) })
    await expect(train(broken, options())).rejects.toThrow(/mean, update 1: the loss is not a number/)
  })

  it("refuses to train on no examples", async () => {
    await expect(train(meanTask({ examples: 0 }), options())).rejects.toThrow(/mean: no clips to train on/)
  })

  it("stops at a signal, goes on from there and ends with the same weights and journal", async () => {
    const uninterrupted = join(folder, "uninterrupted.jsonl")
    const scores = [0.1, 0.3, 0.2, 0.25]
    const whole = await train(meanTask({ scores: [...scores] }), options({ journal: new FileJournal(uninterrupted) }))
    const journalPath = join(folder, "stop.jsonl")
    const checkpoints = fileCheckpoints(join(folder, "stop.safetensors"), "k")
    let calls = 0
    let validated = 0
    for (;;) {
      const controller = new AbortController()
      const inner = meanTask()
      const task = meanTask({
        gradients: async (...args) => {
          if (++calls % 5 === 0) controller.abort()
          return inner.gradients(...args)
        },
        validate: async () => ({ score: scores[validated++] }),
      })
      try {
        const result = await train(
          task,
          options({ checkpoints, journal: new FileJournal(journalPath), signal: controller.signal }),
        )
        expect(result).toEqual(whole)
        break
      } catch (error) {
        expect(error).toMatchObject({ name: "AbortError" })
      }
    }
    expect(calls).toBe(12)
    expect(readFileSync(journalPath, "utf8")).toBe(readFileSync(uninterrupted, "utf8"))
  })

  it("does not go on from a checkpoint of other settings", async () => {
    const path = join(folder, "other.safetensors")
    await train(meanTask(), options({ checkpoints: fileCheckpoints(path, "k") }))
    const seen: number[][] = []
    await train(meanTask({ seen }), options({ checkpoints: fileCheckpoints(path, "another") }))
    expect(seen).toHaveLength(12)
    seen.length = 0
    await train(meanTask({ seen }), options({ checkpoints: fileCheckpoints(path, "another") }))
    expect(seen).toHaveLength(0)
  })
})

describe("the journal", () => {
  it("drops later and torn lines, and keeps what is before them", async () => {
    const path = join(folder, "torn.jsonl")
    const journal = new FileJournal(path)
    for (const step of [1, 2, 3]) journal.write(step, 0, "train", { loss: step })
    const { appendFileSync } = await import("node:fs")
    appendFileSync(path, '{"step":4,"epo')
    await journal.rewind(2)
    expect(journalOf(path).map(({ step }) => step)).toEqual([1, 2])
    journal.write(3, 0, "train", { loss: 3 })
    expect(journalOf(path).map(({ step }) => step)).toEqual([1, 2, 3])
  })
})
