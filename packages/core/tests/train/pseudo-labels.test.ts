/** Protects: classes from answers are found from a label or a name a class, useless prompts lose their say, arithmetic as documented. */

import { Rng } from "@fourtier/tensor"
import { expect, it } from "vitest"
import { pseudoLabelsSchema } from "../../src/schemas/pseudo-labels.ts"
import { pseudoLabel } from "../../src/train/pseudo-labels.ts"

const CLASSES = 5
const WIDTH = 64
const config = pseudoLabelsSchema.parse({})
const clips = Array.from({ length: 100 }, (_, i) => ({ id: `clip${i}`, label: i % CLASSES }))

function randomVector(rng: Rng): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: WIDTH }, () => rng.normal())
}

/** Texts around one direction a class, a hint of which is in the class's name; `noise` is relative to the direction's length. */
function made(noise: Record<string, number>) {
  const directions = Array.from({ length: CLASSES }, (_, c) => randomVector(Rng.fork("direction", c)))
  const around = (c: number, rng: Rng, spread: number) => directions[c].map((x) => x + spread * rng.normal())
  const texts = new Map(
    Object.entries(noise).map(([prompt, spread]) => [
      prompt,
      new Map(clips.map(({ id, label }) => [id, around(label, Rng.fork(prompt, id), spread)])),
    ]),
  )
  const names = directions.map((_, c) => around(c, Rng.fork("name", c), 2))
  return { texts, names }
}

const shareRight = (found: ReadonlyMap<string, number[]>) =>
  clips.filter(({ id, label }) => found.get(id)?.indexOf(Math.max(...(found.get(id) ?? []))) === label).length /
  found.size

it("finds the classes from one labelled clip each, and leaves labelled clips alone", () => {
  const labels = new Map(clips.slice(0, CLASSES).map(({ id, label }) => [id, label]))
  const { probabilities } = pseudoLabel({ ...made({ A: 1.5, B: 1.5 }), labels }, config)
  expect(probabilities.size).toBe(clips.length - CLASSES)
  expect([...labels.keys()].some((id) => probabilities.has(id))).toBe(false)
  expect(shareRight(probabilities)).toBeGreaterThan(0.95)
  for (const row of probabilities.values()) expect(row.reduce((a, b) => a + b)).toBeCloseTo(1, 9)
})

it("finds them from the names alone", () => {
  const { probabilities } = pseudoLabel({ ...made({ A: 1.5, B: 1.5 }), labels: new Map() }, config)
  expect(shareRight(probabilities)).toBeGreaterThan(0.95)
})

it("one prompt of several that is about something else loses its say", () => {
  const labels = new Map(clips.slice(0, CLASSES).map(({ id, label }) => [id, label]))
  const { texts, names } = made({ action: 1, parts: 1.5, scene: 0 })
  const scenes = Array.from({ length: 3 }, (_, s) => randomVector(Rng.fork("scene", s)))
  texts.set("scene", new Map(clips.map(({ id }, i) => [id, scenes[(7 * i) % 3].map((x) => x + Rng.fork(id).normal())])))
  const { probabilities, promptWeights } = pseudoLabel({ texts, names, labels }, config)
  expect(promptWeights.get("action")).toBeGreaterThan(2 * (promptWeights.get("scene") ?? Number.NaN))
  expect(shareRight(probabilities)).toBeGreaterThan(0.95)
})

it("one round is what the formula says", () => {
  const text = (x: number, y: number) => Float32Array.of(x, y)
  const texts = new Map([
    [
      "A",
      new Map([
        ["known", text(1, 0)],
        ["open", text(3, 4)],
      ]),
    ],
  ])
  const input = { texts, names: [text(2, 0), text(0, 2)], labels: new Map([["known", 0]]) }
  const { probabilities } = pseudoLabel(input, { ...config, temperature: 0.5, rounds: 1 })
  // names, centred and of length 1: ±(1, −1)/√2; the known clip joins class 0
  const r = Math.SQRT1_2
  const length = Math.hypot(r + 1, -r)
  const cosines = [(0.6 * (r + 1) + 0.8 * -r) / length, 0.6 * -r + 0.8 * r]
  // ridge classifier of the clip and both names: (ZᵀZ + 0.1 I)⁻¹ Zᵀ(±½) = [2.1, −1; −1, 1.1]⁻¹ (½ + r, −r)
  const anchor = (0.6 * (1.1 * (0.5 + r) - r) + 0.8 * (0.5 + r - 2.1 * r)) / (2.1 * 1.1 - 1)
  const [p, q] = [cosines[0] + anchor, cosines[1] - anchor].map((score) => Math.exp(score / 0.5))
  expect(probabilities.get("open")?.[0]).toBeCloseTo(p / (p + q), 5)
})

it("a clip whose answers resemble no class is of none, and the others keep theirs", () => {
  const { texts, names } = made({ A: 1, B: 1 })
  const strangers = clips.slice(90).map(({ id }) => id)
  for (const [prompt, byClip] of texts) {
    for (const id of strangers) byClip.set(id, randomVector(Rng.fork("stranger", prompt, id)))
  }
  const { none } = pseudoLabel({ texts, names, labels: new Map() }, config)
  expect(strangers.filter((id) => none.has(id)).length).toBeGreaterThan(8)
  expect([...none].filter((id) => !strangers.includes(id)).length).toBeLessThan(3)
})

it("a prompt's weight is its say from the start", () => {
  const { texts, names } = made({ A: 1, B: 6 })
  const weights = new Map([
    ["A", 0.1],
    ["B", 0.9],
  ])
  const right = (given: ReadonlyMap<string, number>) =>
    shareRight(pseudoLabel({ texts, names, labels: new Map(), weights: given }, { ...config, rounds: 1 }).probabilities)
  expect(right(new Map([["A", 1]]))).toBeGreaterThan(right(weights))
})

it("says nothing about a clip that lacks an answer", () => {
  const { texts, names } = made({ A: 1, B: 1 })
  texts.get("B")?.delete("clip7")
  expect(pseudoLabel({ texts, names, labels: new Map() }, config).probabilities.has("clip7")).toBe(false)
})
