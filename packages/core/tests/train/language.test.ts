/** The language classifier: which prompts count, and that it reads the classes of clips that it has not seen. */

import { Rng } from "@fourtier/tensor"
import { describe, expect, it } from "vitest"
import { fitLanguage, promptWeights, relevance } from "../../src/train/language.ts"
import { languageEvidence } from "../../src/train/language-evidence.ts"
import { leaveOneOutScores, ridgeClassifier } from "../../src/train/ridge-classifier.ts"

const [CLASSES, WIDTH] = [4, 16]
const centers = Array.from({ length: CLASSES }, (_, c) => {
  const rng = Rng.fork("center", c)
  return Float32Array.from({ length: WIDTH }, () => rng.normal())
})

/** Unit vectors about the centre of each clip's class. */
function clips(count: number, noise: number, seed: number): { label: number; z: Float32Array }[] {
  return Array.from({ length: count }, (_, i) => {
    const rng = Rng.fork(seed, i)
    const vector = centers[i % CLASSES].map((x) => x + noise * rng.normal())
    const length = Math.hypot(...vector)
    return { label: i % CLASSES, z: vector.map((x) => x / length) }
  })
}

describe("relevance", () => {
  it("is high for answers that name the class, low for answers that say one thing of all clips", () => {
    const answers = clips(40, 0.2, 1).map(({ z }) => z)
    const rng = new Rng("noise")
    const chatter = answers.map(() => Float32Array.from({ length: WIDTH }, () => rng.normal()))
    expect(relevance(answers, centers)).toBeGreaterThan(0.9)
    expect(relevance(answers, centers)).toBeLessThanOrEqual(1)
    expect(relevance(chatter, centers)).toBeLessThan(relevance(answers, centers) - 0.2)
    expect(
      relevance(
        answers.map(() => answers[0]),
        centers,
      ),
    ).toBeCloseTo(0, 5)
  })
})

describe("prompt weights", () => {
  const relevances = new Map([
    ["A", 0.8],
    ["B", 0.4],
    ["C", 0.8],
  ])

  it("sum to 1, favour what tells of the classes, and leave out what unseen clips do not find", () => {
    const found = (skill: number, z: number) => ({ skill, z })
    const weights = promptWeights(
      relevances,
      new Map([
        ["A", found(0.5, 9)],
        ["B", found(0.5, 9)],
        ["C", found(0.1, 1)],
      ]),
    )
    expect(weights.get("C")).toBe(0)
    expect(weights.get("A") ?? 0).toBeCloseTo(8 * (weights.get("B") ?? 0), 10)
    expect([...weights.values()].reduce((a, b) => a + b)).toBeCloseTo(1, 10)
  })

  it("are all 0 where nothing is found", () => {
    const none = new Map([...relevances.keys()].map((prompt) => [prompt, { skill: 0.1, z: 2.9 }]))
    expect([...promptWeights(relevances, none).values()]).toEqual([0, 0, 0])
  })
})

describe("the language classifier", () => {
  const scores = (weights: ReturnType<typeof fitLanguage>, z: Float32Array) => {
    const A = weights.get("language.A.weight") ?? new Float32Array()
    return Array.from({ length: CLASSES }, (_, c) => z.reduce((sum, x, d) => sum + x * A[d * CLASSES + c], 0))
  }

  it("from one labelled clip a class knows unseen clips", () => {
    const labelled = clips(CLASSES, 0.3, 2)
    const embeddings = new Map([["A", labelled.map(({ z }) => z)]])
    const weights = fitLanguage(
      embeddings,
      labelled.map(({ label }) => label),
      centers,
      new Map([["A", 1]]),
    )
    const right = clips(80, 0.3, 3).filter(({ label, z }) => {
      const row = scores(weights, z)
      return row.indexOf(Math.max(...row)) === label
    })
    expect(right.length).toBeGreaterThan(76)
  })

  it("takes class probabilities as it takes classes, and says nothing with weight 0", () => {
    const labelled = clips(2 * CLASSES, 0.3, 4)
    const embeddings = new Map([["A", labelled.map(({ z }) => z)]])
    const hard = fitLanguage(
      embeddings,
      labelled.map(({ label }) => label),
      centers,
      new Map([["A", 1]]),
    )
    const soft = labelled.map(({ label }) => Array.from({ length: CLASSES }, (_, c) => (c === label ? 1 : 0)))
    expect(fitLanguage(embeddings, soft, centers, new Map([["A", 1]]))).toEqual(hard)
    const silent = fitLanguage(embeddings, soft, centers, new Map([["A", 0]]))
    expect(scores(silent, labelled[0].z)).toEqual([0, 0, 0, 0])
  })

  it("reads classes without a label by their names", () => {
    const weights = fitLanguage(new Map([["A", []]]), [], centers, new Map([["A", 1]]))
    const right = clips(80, 0.3, 3).filter(({ label, z }) => {
      const row = scores(weights, z)
      return row.indexOf(Math.max(...row)) === label
    })
    expect(right.length).toBeGreaterThan(72)
  })

  it("has less to say where there are more clips to learn from", () => {
    const size = (count: number) => {
      const own = clips(count * CLASSES, 0.3, 5)
      const z = new Map([["A", own.map(({ z: row }) => row)]])
      const labels = own.map(({ label }) => label)
      return Math.max(...scores(fitLanguage(z, labels, centers, new Map([["A", 1]])), own[0].z))
    }
    expect(size(16)).toBeLessThan(size(1) / 2)
  })
})

describe("evidence from labels", () => {
  const known = clips(12, 0.3, 5)
  const z = new Map([["A", known.map(({ z }) => z)]])
  const labels = known.map(({ label }) => label)
  const weights = new Map([["A", 1]])

  it("is for a classifier that tells the classes, and against one that tells of something else", () => {
    const real = languageEvidence(z, labels, centers, weights)
    expect(real.right).toBeGreaterThan(9)
    expect(real.odds).toBeGreaterThan(100)
    // what is said goes with the clip's place in the list, not with its class
    const other = languageEvidence(
      z,
      known.map((_, i) => Math.floor(i / 3)),
      centers,
      weights,
    )
    expect(other.odds).toBeLessThan(1)
    expect(languageEvidence(new Map([["A", []]]), [], centers, weights)).toEqual({ clips: 0, right: 0, odds: 3 })
  })

  it("leaves every clip's own label out, as solving without the clip would", () => {
    const rows = z.get("A") ?? []
    const left = leaveOneOutScores(rows, labels, CLASSES)
    for (const [i, row] of rows.entries()) {
      const others = rows.filter((_, j) => j !== i)
      const A = ridgeClassifier(
        others,
        labels.filter((_, j) => j !== i),
        CLASSES,
      )
      for (let c = 0; c < CLASSES; c++) {
        const score = row.reduce((sum, x, d) => sum + x * A.get(d, c), 0)
        expect(left.get(i, c)).toBeCloseTo(score, 6)
      }
    }
  })

  it("is odds of accuracies above chance against chance, as sums over a grid of accuracies give them", () => {
    const grid = Array.from({ length: 20_000 }, (_, i) => 0.25 + (0.75 * (i + 0.5)) / 20_000)
    for (const mistakes of [0, 3, 6, 9]) {
      const wrong = labels.map((label, i) => (i < mistakes ? (label + 1) % CLASSES : label))
      const { right, clips: count, odds } = languageEvidence(z, wrong, centers, weights)
      const likelihood = (p: number) => p ** right * (1 - p) ** (count - right)
      const above = grid.reduce((sum, p) => sum + likelihood(p), 0) / grid.length
      expect(odds / (3 * (above / likelihood(0.25)))).toBeCloseTo(1, 4)
    }
  })
})
