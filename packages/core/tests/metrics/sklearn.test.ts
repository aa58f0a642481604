/**
 * Protects the metrics against scikit-learn's, to 1e-9: on recorded figures everywhere, and on fresh random data where Python has
 * scikit-learn (Debian: python3-sklearn). Among the data: ties, classes without clips, a single class, a single clip.
 */

import { spawnSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Rng } from "@fourtier/tensor"
import { describe, expect, it } from "vitest"
import { z } from "zod"
import * as metrics from "../../src/metrics/index.ts"

type SingleCase = { name: string; labels: number[]; probabilities: number[][] }
type MultiCase = { name: string; labels: number[][]; scores: number[][] }

const numbers = z.array(z.number())
const single = z.object({
  ...{ top1: z.number(), meanClass: z.number(), macroF1: z.number(), nll: z.number().optional() },
  ...{ confusion: z.array(numbers), precision: numbers, recall: numbers, f1: numbers, support: numbers },
  ...{ calibrationError: z.number(), topK: numbers.optional() },
})
const multi = z.object({ mean: z.number(), classes: z.array(z.number().nullable()) })
const answers = z.array(z.union([single, multi]))

/** Rows that sum to 1; with `levels`, of few different values, so that many are equal. */
function rows(rng: Rng, clips: number, classes: number, levels?: number): number[][] {
  return Array.from({ length: clips }, () => {
    const raw = Array.from({ length: classes }, () => (levels ? 1 + rng.int(levels) : rng.next() ** 3 + 1e-6))
    const sum = raw.reduce((total, value) => total + value, 0)
    return raw.map((value) => value / sum)
  })
}

function singleCases(seed: number | string): SingleCase[] {
  const rng = Rng.fork(seed, "single")
  const labels = (clips: number, classes: readonly number[]) => Array.from({ length: clips }, () => rng.pick(classes))
  const make = (name: string, clips: number, classes: number, known: readonly number[], levels?: number) => {
    return { name, labels: labels(clips, known), probabilities: rows(rng, clips, classes, levels) }
  }
  const upTo = (n: number) => [...Array(n).keys()]
  const right = make("every clip right", 30, 4, upTo(4))
  return [
    make("ten classes", 200, 10, upTo(10)),
    make("two classes", 50, 2, upTo(2)),
    make("ties", 150, 6, upTo(6), 2),
    make("nothing but ties", 40, 5, upTo(5), 1),
    make("classes without clips", 60, 9, [0, 3, 8]),
    make("classes that nobody says and nobody has", 12, 20, [1, 2], 3),
    make("clips of a single class", 25, 4, [2]),
    make("a single class", 5, 1, [0]),
    make("a single clip", 1, 7, [6]),
    { ...right, labels: right.probabilities.map((row) => row.indexOf(Math.max(...row))) },
  ]
}

function multiCases(seed: number | string): MultiCase[] {
  const rng = Rng.fork(seed, "multi")
  const make = (name: string, clips: number, classes: number, share: number, levels?: number): MultiCase => ({
    name,
    labels: Array.from({ length: clips }, (_, i) =>
      [...Array(classes).keys()].filter(
        (c) => (i === 0 && c === 0) || (c > 0 && c < classes - 1 && rng.next() < share),
      ),
    ),
    scores: Array.from({ length: clips }, () =>
      Array.from({ length: classes }, () => (levels ? rng.int(levels) / levels : rng.normal())),
    ),
  })
  return [make("several labels", 120, 8, 0.3), make("equal scores", 90, 5, 0.4, 3), make("one clip", 1, 3, 0)]
}

function compare(cases: readonly (SingleCase | MultiCase)[], found: z.infer<typeof answers>): void {
  expect(found).toHaveLength(cases.length)
  for (const [i, given] of cases.entries()) {
    if ("scores" in given) compareMulti(given, multi.parse(found[i]))
    else compareSingle(given, single.parse(found[i]))
  }
}

/** Largest absolute difference allowed. */
const EQUAL = 1e-9

function near(name: string, ours: readonly (number | null)[], theirs: readonly (number | null)[]): void {
  expect(ours.length, name).toBe(theirs.length)
  for (const [i, value] of ours.entries()) {
    const other = theirs[i]
    if (value === null || other === null) expect([name, value]).toEqual([name, other])
    else expect(Math.abs(value - other), `${name}: ${value} and ${other}`).toBeLessThanOrEqual(EQUAL)
  }
}

function compareSingle({ name, labels, probabilities }: SingleCase, theirs: z.infer<typeof single>): void {
  const predictions = labels.map((label, i) => ({ clipId: `${i}`, label, probabilities: probabilities[i] }))
  const ones = new Float64Array(labels.length).fill(1)
  const figures = metrics.figureStatistics(predictions, "clips")
  const figure = (key: metrics.FigureName) => figures.get(key)?.statistic(ones) ?? Number.NaN
  const classes = metrics.perClass(predictions)
  near(`${name}: top-1`, [metrics.topK(predictions, 1), figure("top1")], [theirs.top1, theirs.top1])
  near(
    `${name}: mean class`,
    [metrics.meanClassAccuracy(predictions), figure("meanClass")],
    [theirs.meanClass, theirs.meanClass],
  )
  near(`${name}: macro F1`, [metrics.macroF1(predictions), figure("macroF1")], [theirs.macroF1, theirs.macroF1])
  near(`${name}: ECE`, [metrics.calibrationError(predictions)], [theirs.calibrationError])
  expect(metrics.confusionMatrix(predictions), name).toEqual(theirs.confusion)
  // scikit-learn has 0 where there is nothing to divide by, fourtier null
  near(
    `${name}: precision`,
    classes.map(({ precision }) => precision ?? 0),
    theirs.precision,
  )
  near(
    `${name}: recall`,
    classes.map(({ recall }) => recall ?? 0),
    theirs.recall,
  )
  near(
    `${name}: F1`,
    classes.map(({ f1 }) => f1 ?? 0),
    theirs.f1,
  )
  near(
    `${name}: support`,
    classes.map(({ support }) => support),
    theirs.support,
  )
  if (theirs.nll !== undefined)
    near(`${name}: nll`, [metrics.negativeLogLikelihood(predictions), figure("nll")], [theirs.nll, theirs.nll])
  for (const [i, value] of (theirs.topK ?? []).entries())
    near(`${name}: top-${i + 1}`, [metrics.topK(predictions, i + 1)], [value])
  if (figures.has("top5") && theirs.topK) near(`${name}: top-5`, [figure("top5")], [theirs.topK[4]])
}

function compareMulti({ name, labels, scores }: MultiCase, theirs: z.infer<typeof multi>): void {
  const found = metrics.multiLabelPrecision(
    labels.map((own, i) => ({ clipId: `${i}`, labels: own, scores: scores[i] })),
  )
  near(`${name}: mAP`, [found.mean, ...found.classes], [theirs.mean, ...theirs.classes])
}

const casesOf = (seed: number | string) => [...singleCases(seed), ...multiCases(seed)]
const fixture = join(import.meta.dirname, "sklearn.json")
const script = join(import.meta.dirname, "reference.py")

/** The first Python that has scikit-learn. */
function findPython(): string | null {
  const found = ["python3", "/usr/bin/python3"].find(
    (python) => spawnSync(python, ["-c", "import sklearn"]).status === 0,
  )
  if (found === undefined)
    process.stderr.write("skipped, no scikit-learn (apt-get install python3-sklearn): fresh data\n")
  return found ?? null
}

function ask(python: string, cases: readonly (SingleCase | MultiCase)[]): z.infer<typeof answers> {
  const { stdout, stderr, status } = spawnSync(python, [script], { input: JSON.stringify(cases), encoding: "utf8" })
  if (status !== 0) throw new Error(stderr)
  return answers.parse(JSON.parse(stdout))
}

const python = findPython()
if (python && process.env.RECORD) writeFileSync(fixture, `${JSON.stringify(ask(python, casesOf("recorded")))}\n`)

describe("metrics equal scikit-learn's", () => {
  it("on recorded figures", () =>
    compare(casesOf("recorded"), answers.parse(JSON.parse(readFileSync(fixture, "utf8")))))

  it.skipIf(python === null)("on fresh random data", () => {
    const seed = Date.now()
    const cases = [...casesOf(seed), ...casesOf(seed + 1)]
    try {
      compare(cases, ask(python ?? "", cases))
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error })
    }
  })
})
