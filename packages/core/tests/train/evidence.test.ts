/** The guard of pseudo-labels: answers about other clips are refused, answers about the clips themselves are not, at the stated rate. */

import { Rng } from "@fourtier/tensor"
import { describe, expect, it } from "vitest"
import { pseudoLabelsSchema } from "../../src/schemas/pseudo-labels.ts"
import { textsInMemory } from "../../src/train/clip-texts.ts"
import { evidenceFor } from "../../src/train/evidence.ts"

const WIDTH = 32
const config = pseudoLabelsSchema.parse({})

/** Clips with features and answers around one direction a class; `labelled` of each class have a label. */
function made(seed: number, classes: number, labelled: number, shuffled: boolean) {
  const direction = (kind: string, c: number) => vector(Rng.fork(kind, c), 1)
  const clips = Array.from({ length: 60 }, (_, i) => ({ id: `clip${i}`, label: i % classes }))
  const around = (kind: string, { id, label }: (typeof clips)[number], spread: number) =>
    plus(direction(kind, label), vector(Rng.fork(seed, kind, id), spread))
  const rows = new Map(clips.map((clip) => [clip.id, around("features", clip, 2)]))
  const told = shuffled ? Rng.fork(seed, "shuffled").shuffle(clips) : clips
  const texts = new Map(
    ["A", "B"].map((prompt) => [prompt, new Map(clips.map(({ id }, i) => [id, around(prompt, told[i], 1)]))]),
  )
  const names = Array.from({ length: classes }, (_, c) => plus(direction("A", c), vector(Rng.fork("name", c), 1)))
  const labels = new Map(clips.slice(0, classes * labelled).map(({ id, label }) => [id, label]))
  return { rows: async () => rows, input: { texts: textsInMemory(texts), names, labels } }
}

const noRows = async () => new Map<string, Float32Array>()

const vector = (rng: Rng, spread: number): Float32Array<ArrayBuffer> =>
  Float32Array.from({ length: WIDTH }, () => spread * rng.normal())
const plus = (a: Float32Array, b: Float32Array) => a.map((x, d) => x + b[d])

async function accepted(classes: number, labelled: number, shuffled: boolean): Promise<number> {
  let count = 0
  for (let seed = 0; seed < 8; seed++) {
    const { input, rows } = made(seed, classes, labelled, shuffled)
    if ((await evidenceFor(input, rows, config)).accepted) count++
  }
  return count
}

describe("the evidence for pseudo-labels", () => {
  it.each([
    [2, 0],
    [2, 1],
    [6, 1],
  ])("accepts sound answers and refuses shuffled ones: %i classes, %i labels", async (classes, labelled) => {
    expect(await accepted(classes, labelled, false)).toBeGreaterThan(6)
    expect(await accepted(classes, labelled, true)).toBeLessThan(2)
  })

  it.each([
    [2, 4, 12],
    [3, 4, 18],
    [2, 8, 20],
  ])(
    "bets on labels win nothing where answers have no connection: %i classes, %i labels of %i clips",
    async (classes, labelled, clips) => {
      const found: number[] = []
      for (let seed = 0; seed < 60; seed++) {
        const ids = Array.from({ length: clips }, (__, i) => `clip${i}`)
        const raw = ids.map((id) => vector(Rng.fork(seed, "answer", id), 1))
        const mean = raw[0].map((_x, d) => raw.reduce((sum, row) => sum + row[d] / clips, 0))
        const texts = new Map([["A", new Map(ids.map((id, i) => [id, raw[i].map((x, d) => x - mean[d])]))]])
        const names = Array.from({ length: classes }, (__, c) => vector(Rng.fork(seed, "name", c), 1))
        const labels = new Map(ids.slice(0, classes * labelled).map((id, i) => [id, i % classes]))
        found.push((await evidenceFor({ texts: textsInMemory(texts), names, labels }, noRows, config)).labels)
      }
      // an e-value has mean 1 at most; 60 draws of a skewed one stay well below this
      expect(found.reduce((sum, value) => sum + value, 0) / found.length).toBeLessThan(2.5)
      expect(found.filter((value) => value >= 20).length).toBeLessThan(5)
    },
  )

  it("labels that contradict the answers outweigh clips that agree with them", async () => {
    const { input, rows } = made(1, 2, 8, false)
    const wrong = new Map([...input.labels].map(([id, label], i) => [id, i % 4 < 2 ? 1 - label : label]))
    const found = await evidenceFor({ ...input, labels: wrong }, rows, config)
    expect(found.labels).toBeLessThan(0.5)
    expect(found.clips * found.labels).toBeLessThan(20)
  })

  it("says how many labels more would decide it", async () => {
    const { input } = made(1, 2, 0, false)
    const found = await evidenceFor(input, noRows, config)
    expect(found).toMatchObject({ accepted: false, clips: 1, labels: 1, checked: 0 })
    // log 20 over the mean gain of a label with two classes: 0.85 log 1.7 + 0.15 log 0.3 = 0.270
    expect(found.labelsWanted).toBe(12)
  })
})
