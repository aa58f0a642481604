/** Protects: classes from answers are found from a label or a name a class, useless prompts lose their say, arithmetic as documented. */

import { Rng } from "@fourtier/tensor"
import { describe, expect, it } from "vitest"
import { pseudoLabelsSchema } from "../../src/schemas/pseudo-labels.ts"
import { textsInMemory } from "../../src/train/clip-texts.ts"
import { LabelRounds } from "../../src/train/label-rounds.ts"
import { growingSeeds, labelIn, type PseudoLabelsInput, pseudoLabel } from "../../src/train/pseudo-labels.ts"
import { ridgeClassifier } from "../../src/train/ridge-classifier.ts"
import { centred, dot, unit } from "../../src/train/vectors.ts"

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

type Tables = ReadonlyMap<string, ReadonlyMap<string, Float32Array>>

const label = ({ texts, ...rest }: Omit<PseudoLabelsInput, "texts"> & { texts: Tables }, settings = config) =>
  pseudoLabel({ ...rest, texts: textsInMemory(texts) }, settings)

const shareRight = (found: ReadonlyMap<string, Float32Array>) =>
  clips.filter(({ id, label }) => found.get(id)?.indexOf(Math.max(...(found.get(id) ?? []))) === label).length /
  found.size

it("finds the classes from one labelled clip each, and leaves labelled clips alone", async () => {
  const labels = new Map(clips.slice(0, CLASSES).map(({ id, label }) => [id, label]))
  const { probabilities } = await label({ ...made({ A: 1.5, B: 1.5 }), labels })
  expect(probabilities.size).toBe(clips.length - CLASSES)
  expect([...labels.keys()].some((id) => probabilities.has(id))).toBe(false)
  expect(shareRight(probabilities)).toBeGreaterThan(0.95)
  for (const row of probabilities.values()) expect(row.reduce((a, b) => a + b)).toBeCloseTo(1, 5)
})

it("finds them from the names alone", async () => {
  const { probabilities } = await label({ ...made({ A: 1.5, B: 1.5 }), labels: new Map() })
  expect(shareRight(probabilities)).toBeGreaterThan(0.95)
})

it("one prompt of several that is about something else loses its say", async () => {
  const labels = new Map(clips.slice(0, CLASSES).map(({ id, label }) => [id, label]))
  const { texts, names } = made({ action: 1, parts: 1.5, scene: 0 })
  const scenes = Array.from({ length: 3 }, (_, s) => randomVector(Rng.fork("scene", s)))
  texts.set("scene", new Map(clips.map(({ id }, i) => [id, scenes[(7 * i) % 3].map((x) => x + Rng.fork(id).normal())])))
  const { probabilities, promptWeights } = await label({ texts, names, labels })
  expect(promptWeights.get("action")).toBeGreaterThan(2 * (promptWeights.get("scene") ?? Number.NaN))
  expect(shareRight(probabilities)).toBeGreaterThan(0.95)
})

it("one round is what the formula says", async () => {
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
  const { probabilities } = await label(input, { ...config, temperature: 0.5, rounds: 1 })
  // names, centred and of length 1: ±(1, −1)/√2; the known clip joins class 0
  const r = Math.SQRT1_2
  const length = Math.hypot(r + 1, -r)
  const cosines = [(0.6 * (r + 1) + 0.8 * -r) / length, 0.6 * -r + 0.8 * r]
  // ridge classifier of the clip and both names: (ZᵀZ + 0.1 I)⁻¹ Zᵀ(±½) = [2.1, −1; −1, 1.1]⁻¹ (½ + r, −r)
  const anchor = (0.6 * (1.1 * (0.5 + r) - r) + 0.8 * (0.5 + r - 2.1 * r)) / (2.1 * 1.1 - 1)
  const [p, q] = [cosines[0] + anchor, cosines[1] - anchor].map((score) => Math.exp(score / 0.5))
  expect(probabilities.get("open")?.[0]).toBeCloseTo(p / (p + q), 5)
})

it("a clip whose answers resemble no class is of none, and the others keep theirs", async () => {
  const { texts, names } = made({ A: 1, B: 1 })
  const strangers = clips.slice(90).map(({ id }) => id)
  for (const [prompt, byClip] of texts) {
    for (const id of strangers) byClip.set(id, randomVector(Rng.fork("stranger", prompt, id)))
  }
  const { none } = await label({ texts, names, labels: new Map() })
  expect(strangers.filter((id) => none.has(id)).length).toBeGreaterThan(8)
  expect([...none].filter((id) => !strangers.includes(id)).length).toBeLessThan(3)
})

it("a prompt's weight is its say from the start", async () => {
  const { texts, names } = made({ A: 1, B: 6 })
  const weights = new Map([
    ["A", 0.1],
    ["B", 0.9],
  ])
  const right = async (given: ReadonlyMap<string, number>) =>
    shareRight(
      (await label({ texts, names, labels: new Map(), weights: given }, { ...config, rounds: 1 })).probabilities,
    )
  expect(await right(new Map([["A", 1]]))).toBeGreaterThan(await right(weights))
})

it("says nothing about a clip that lacks an answer", async () => {
  const { texts, names } = made({ A: 1, B: 1 })
  texts.get("B")?.delete("clip7")
  expect((await label({ texts, names, labels: new Map() })).probabilities.has("clip7")).toBe(false)
})

describe("sums in blocks on the engine come to what the formulas say, clip by clip", () => {
  it.each([
    ["few labels", 5],
    ["more labels than channels", 300],
    ["no labels", 0],
  ])("%s", async (_, labelled) => {
    // more clips than a block holds
    const many = Array.from({ length: 2500 }, (__, i) => ({ id: `clip${i}`, label: i % CLASSES }))
    const direction = (c: number) => vectorOf(Rng.fork("direction", c))
    const around = (c: number, rng: Rng, spread: number) => direction(c).map((x) => x + spread * rng.normal())
    const texts = new Map(
      Object.entries({ A: 1, B: 3 }).map(([prompt, spread]) => [
        prompt,
        new Map(many.map((clip) => [clip.id, around(clip.label, Rng.fork(prompt, clip.id), spread)])),
      ]),
    )
    const names = Array.from({ length: CLASSES }, (__, c) => around(c, Rng.fork("name", c), 2))
    const labels = new Map(many.slice(0, labelled).map((clip) => [clip.id, clip.label]))
    const weights = new Map([
      ["A", 0.7],
      ["B", 0.4],
    ])
    const found = await label({ texts, names, labels, weights })
    const wanted = byFormula({ texts, names, labels, weights })
    for (const [prompt, weight] of wanted.promptWeights) {
      expect(found.promptWeights.get(prompt)).toBeCloseTo(weight, 4)
    }
    expect([...found.probabilities.keys()]).toEqual([...wanted.probabilities.keys()])
    const errors = [...wanted.probabilities].map(([id, row]) =>
      Math.max(...row.map((p, c) => Math.abs(p - (found.probabilities.get(id)?.[c] ?? 0)))),
    )
    expect(Math.max(...errors)).toBeLessThan(1e-4)
    expect([...found.none].sort()).toEqual([...wanted.none].sort())
  })
})

it("labels that come in one by one give what all of them at once give", async () => {
  const { texts, names } = made({ A: 1.5, B: 2 })
  const all = new Map(clips.slice(0, 12).map(({ id, label }) => [id, label]))
  const first = new Map([...all].slice(0, 5))
  const input = { texts: textsInMemory(texts), names }
  const growing = await growingSeeds({ ...input, labels: first })
  for (let clip = 5; clip < 12; clip++) await growing.add(clip, clips[clip].label)
  const session = await LabelRounds.open(input.texts, names.length, config.temperature, {})
  const [grown, whole] = [
    await labelIn(session, { ...input, labels: all }, config, growing.seeds),
    await labelIn(session, { ...input, labels: all }, config),
  ]
  await session.release()
  for (const [id, row] of whole.probabilities) {
    for (const [c, p] of row.entries()) expect(grown.probabilities.get(id)?.[c]).toBeCloseTo(p, 4)
  }
})

const vectorOf = (rng: Rng): Float32Array<ArrayBuffer> => Float32Array.from({ length: 24 }, () => rng.normal())

/** The formulas of `pseudo-labels.ts`, one clip after another in double precision. */
function byFormula({
  texts,
  names,
  labels,
  weights,
}: {
  texts: Tables
  names: readonly Float32Array[]
  labels: ReadonlyMap<string, number>
  weights: ReadonlyMap<string, number>
}) {
  const prompts = [...texts.keys()]
  const ids = [...(texts.get("A")?.keys() ?? [])]
  const rows = prompts.map((p) => ids.map((id) => unit(texts.get(p)?.get(id) ?? new Float32Array())))
  const classNames = centred(names).map(unit)
  const prior = prompts.map((p) => weights.get(p) ?? 0)
  const known = ids.map((id) => labels.get(id) ?? -1)
  const anchors = rows.map((own) => {
    const taught = own.filter((__, i) => known[i] >= 0)
    const A = ridgeClassifier(
      [...taught, ...classNames],
      [...known.filter((c) => c >= 0), ...names.keys()],
      names.length,
    )
    return own.map((row) => names.map((__, c) => dot(row, A.getColumn(c))))
  })
  const sumOf = (values: readonly number[]) => values.reduce((a, b) => a + b, 0)
  const best = (row: readonly number[]) => row.indexOf(Math.max(...row))
  let say = prior
  let chosen = known
  let shares = known.map((own): number[] => names.map((__, c) => Number(c === own)))
  let scores: number[][] = []
  for (let round = 0; round < config.rounds; round++) {
    const cosines = rows.map((own) => {
      const centres = classNames.map((name, c) =>
        unit(name.map((x, d) => x + sumOf(own.map((row, i) => shares[i][c] * row[d])))),
      )
      return own.map((row) => centres.map((centre) => dot(row, centre)))
    })
    scores = ids.map((__, i) =>
      names.map((___, c) =>
        sumOf(
          prompts.map(
            (____, p) => (say[p] / sumOf(say)) * cosines[p][i][c] + (prior[p] / sumOf(prior)) * anchors[p][i][c],
          ),
        ),
      ),
    )
    const before = chosen
    chosen = known.map((own, i) => (own < 0 ? best(scores[i]) : own))
    shares = known.map((own, i) => {
      if (own >= 0) return names.map((__, c) => Number(c === own))
      const row = softmaxOf(scores[i])
      return row.map((p) => p * Math.max(...row) ** 2)
    })
    say = cosines.map((own, p) => {
      const right = own.filter((row, i) => best(row) === chosen[i]).length
      const share = Math.min(Math.max((right + 0.5) / (ids.length + 1), 1 / CLASSES + 0.01), 0.99)
      return prior[p] * Math.log((share * (CLASSES - 1)) / (1 - share))
    })
    if (chosen.filter((c, i) => c !== before[i]).length <= ids.length / 1000) break
  }
  const open = ids.flatMap((id, i) => (known[i] < 0 ? [{ id, score: scores[i] }] : []))
  const ranked = open.map(({ score }) => [...score].sort((a, b) => b - a))
  const middle = (values: number[]) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]
  const least = (middle(ranked.map(([first]) => first)) + middle(ranked.map(([, second]) => second))) / 2
  return {
    probabilities: new Map(open.map(({ id, score }) => [id, softmaxOf(score)] as const)),
    none: new Set(open.filter(({ score }) => Math.max(...score) < least).map(({ id }) => id)),
    promptWeights: new Map(prompts.map((p, i) => [p, say[i]])),
  }
}

function softmaxOf(scores: readonly number[]): number[] {
  const powers = scores.map((score) => Math.exp((score - Math.max(...scores)) / config.temperature))
  const total = powers.reduce((a, b) => a + b)
  return powers.map((power) => power / total)
}
