/**
 * Runs side by side, from their files alone: figures of each, paired differences on the clips that they share, and class by class
 * (Figures B1 to B3 of the paper).
 *
 * ```
 * run, method ─┐                      ┌─ figures of each, as it reported them
 * run, method ─┼─ common split, clips ┼─ paired differences to the first
 * …           ─┘  and classes         └─ differences class by class
 * ```
 */

import { distinct, groupBy } from "@fourtier/core"
import {
  type Difference,
  type FigureName,
  figureStatistics,
  type Interval,
  type Prediction,
  pairedBootstrap,
  signFlipP,
} from "@fourtier/core/metrics"
import { FourtierError } from "@fourtier/tensor"
import type { PairedDifference } from "./results.ts"
import type { StoredRun } from "./stored.ts"
import { clusterSums, leaveOut, pairedDifferences } from "./summary.ts"

export interface ComparisonOptions {
  /** Only this split; default: all that the runs have in common. */
  split?: string
  resamples?: number
  level?: number
  seed?: number
}

/** One run on one split, as it reported it. */
export interface ComparedRun {
  run: string
  folder: string
  method: string
  split: string
  clips: number
  classes: number
  seeds: number
  trainedWeights: number | null
  figures: Partial<Record<FigureName, Interval>>
  calibrationError: number
}

export interface ComparedFigure {
  /** On the common clips and classes. */
  first: number
  other: number
  /** other − first */
  difference: PairedDifference
}

export interface ComparedClass {
  name: string
  clips: number
  /** Accuracy on the clips of the class. */
  first: number
  other: number
  difference: Difference
  /** By sign flips; not adjusted for the number of classes. */
  p: number
}

/** Two runs on the clips and classes that they share. */
export interface ComparedPair {
  first: string
  other: string
  split: string
  common: { clips: number; classes: number; groups: number | null }
  /** Test clips and classes of one of the two alone, and clips that they label differently. */
  apart: { clips: [number, number]; classes: [string[], string[]]; labels: string[] }
  figures: Partial<Record<FigureName, ComparedFigure>>
  /** Largest gain first. */
  classes: ComparedClass[]
}

export interface Comparison {
  format: 1
  level: number
  resamples: number
  runs: ComparedRun[]
  pairs: ComparedPair[]
  /** What cannot be compared, and what to know about what is. */
  notes: string[]
}

interface Side {
  title: string
  run: StoredRun
}

/**
 * Compares every run with the first.
 * @param runs two or more; a run may come several times, with different methods
 * @throws FourtierError where two runs have no split or no clip in common
 *
 * @example
 * ```ts
 * import { compareRuns, readRun } from "fourtier/evaluate"
 *
 * const runs = await Promise.all([readRun("runs/mine", "baseline"), readRun("runs/mine", "full")])
 * const [{ figures, classes }] = compareRuns(runs).pairs
 * figures.top1?.difference // { value: 0.017, low: 0, high: 0.042, pBootstrap: 0.3, p: 0.5 }
 * classes[0].name // the class that gains most
 * ```
 */
export function compareRuns(runs: readonly StoredRun[], options: ComparisonOptions = {}): Comparison {
  if (runs.length < 2) {
    throw new FourtierError({
      where: "compare",
      what: "nothing to compare with",
      expected: "two runs, or two methods of one",
    })
  }
  const settings = { resamples: 2000, level: 0.95, seed: 0, ...options }
  const sides = titled(runs)
  const [first, ...others] = sides
  const notes: string[] = []
  const pairs = others.flatMap((other) =>
    commonSplits(first, other, options.split, notes).map(([own, theirs]) => {
      const pair = comparePair(first, own, other, theirs, settings)
      notes.push(...notesOf(pair))
      return pair
    }),
  )
  if (sides.some(({ run }) => !run.grouped)) {
    notes.push("A predictions.csv without the column group: intervals draw single clips where groups are not known.")
  }
  const splits = new Set(pairs.map(({ split }) => split))
  const shown = (split: string) => [...splits].some((name) => name.split(" / ").includes(split))
  const figures = sides.flatMap((side) => reported(side).filter(({ split }) => shown(split)))
  return {
    format: 1,
    level: settings.level,
    resamples: settings.resamples,
    runs: figures,
    pairs,
    notes: distinct(notes),
  }
}

/** Names that tell the runs apart: the folder's name, its path where two share a name, and the method where it is needed. */
function titled(runs: readonly StoredRun[]): Side[] {
  const unique = (names: readonly string[]) => new Set(names).size
  const folders = unique(runs.map(({ folder }) => folder))
  const plain = runs.map(({ name, folder }) => (unique(runs.map((run) => run.name)) === folders ? name : folder))
  const methods = unique(runs.map(({ method }) => method)) > 1
  return runs.map((run, i) => ({ run, title: methods ? `${plain[i]}, ${run.method}` : plain[i] }))
}

const wholeSplits = ({ results }: StoredRun) => results.splits.filter(({ excluded }) => excluded.length === 0)

function reported({ run, title }: Side): ComparedRun[] {
  return wholeSplits(run).flatMap(({ split, clips, classes, methods }) =>
    methods
      .filter(({ method }) => method === run.method)
      .map(({ seeds, trainedWeights, figures, calibrationError }) => ({
        ...{ run: title, folder: run.folder, method: run.method, split, clips, classes: classes.length },
        ...{ seeds: seeds.length, trainedWeights, figures, calibrationError },
      })),
  )
}

/** Splits of the same name, or the only ones of each. */
function commonSplits(first: Side, other: Side, wanted: string | undefined, notes: string[]): [string, string][] {
  const [own, theirs] = [first, other].map(({ run }) => [...run.predictions.keys()])
  const common = own.filter((split) => theirs.includes(split) && (wanted === undefined || split === wanted))
  const alone = (names: readonly string[]) => names.filter((name) => !common.includes(name))
  if (wanted === undefined && common.length === 0 && own.length === 1 && theirs.length === 1) {
    notes.push(`${first.title} was tested on ${own[0]}, ${other.title} on ${theirs[0]}: compared on the clips of both.`)
    return [[own[0], theirs[0]]]
  }
  if (common.length === 0) {
    throw new FourtierError({
      where: `${first.run.folder}, ${other.run.folder}`,
      what: wanted === undefined ? "the runs have no split in common" : `not both runs have the split ${wanted}`,
      expected: "splits of the same name",
      found: `${own.join(", ") || "none"}; ${theirs.join(", ") || "none"}`,
    })
  }
  if (wanted === undefined) {
    for (const [side, names] of [
      [first, alone(own)],
      [other, alone(theirs)],
    ] as const) {
      if (names.length > 0) notes.push(`Only ${side.title} has ${names.join(", ")}: not compared.`)
    }
  }
  return common.map((split) => [split, split])
}

/** A prediction and the name of its class, which two runs may number differently. */
interface Named {
  prediction: Prediction
  name: string
}

function comparePair(
  first: Side,
  split: string,
  other: Side,
  otherSplit: string,
  options: { resamples: number; level: number; seed: number },
): ComparedPair {
  const classes = first.run.classes.filter((name) => other.run.classes.includes(name))
  const [own, theirs] = [first, other].map(({ run }, side) =>
    (run.predictions.get(side === 0 ? split : otherSplit) ?? []).map((prediction): Named => {
      return { prediction, name: run.classes[prediction.label] }
    }),
  )
  const [labels, otherLabels] = [own, theirs].map(
    (side) => new Map(side.map((one) => [one.prediction.clipId, one.name])),
  )
  const differing = [...labels].filter(([clip, name]) => (otherLabels.get(clip) ?? name) !== name).map(([clip]) => clip)
  const common = new Set(
    [...labels]
      .filter(([clip, name]) => otherLabels.get(clip) === name && classes.includes(name))
      .map(([clip]) => clip),
  )
  if (common.size === 0) {
    throw new FourtierError({
      where: `${first.run.folder}, ${other.run.folder}`,
      what: `no test clip of ${split} is in both runs with the same label`,
      found: `${labels.size} and ${otherLabels.size} clips, such as ${[...labels.keys()][0]} and ${[...otherLabels.keys()][0]}`,
      fix: "compare runs on the same data and split",
    })
  }
  const groups = new Map(own.map(({ prediction }) => [prediction.clipId, prediction.group]))
  const [a, b] = [first, other].map(({ run }, side) =>
    shared(
      (side === 0 ? own : theirs).map(({ prediction }) => prediction),
      common,
      groups,
      run.classes,
      classes,
    ),
  )
  const averaging = first.run.results.averaging
  const differences = pairedDifferences(b, a, averaging, options)
  const [before, after] = [a, b].map((side) => figureStatistics(side, averaging))
  const value = (figures: typeof before, name: FigureName, count: number) =>
    figures.get(name)?.statistic(new Float64Array(count).fill(1)) ?? Number.NaN
  const figures: ComparedPair["figures"] = {}
  for (const name of before.keys()) {
    const difference = differences[name]
    if (difference)
      figures[name] = { first: value(before, name, a.length), other: value(after, name, b.length), difference }
  }
  const known = new Set([...common].flatMap((clip) => groups.get(clip) ?? []))
  const lacking = ({ run }: Side) => run.classes.filter((name) => !classes.includes(name))
  const counts = (own: ReadonlyMap<string, string>) => [...own.keys()].filter((clip) => !common.has(clip)).length
  return {
    first: first.title,
    other: other.title,
    split: split === otherSplit ? split : `${split} / ${otherSplit}`,
    common: { clips: common.size, classes: classes.length, groups: known.size > 0 ? known.size : null },
    apart: {
      clips: [counts(labels) - differing.length, counts(otherLabels) - differing.length],
      classes: [lacking(first), lacking(other)],
      labels: differing,
    },
    figures,
    classes: compareClasses(a, b, classes, options),
  }
}

/** The predictions of the common clips, on the common classes in their common order, with the first run's groups. */
function shared(
  predictions: readonly Prediction[],
  clips: ReadonlySet<string>,
  groups: ReadonlyMap<string, string | undefined>,
  own: readonly string[],
  classes: readonly string[],
): Prediction[] {
  const order = classes.map((name) => own.indexOf(name))
  const kept = predictions.filter(({ clipId }) => clips.has(clipId))
  const excluded = own.filter((name) => !classes.includes(name))
  const reordered = excluded.length > 0 ? leaveOut(kept, own, excluded) : kept
  const left = own.filter((name) => classes.includes(name))
  // a clip is tested once by each training, unless folds overlap: then they tell its tests apart
  const once = new Set(kept.map(({ clipId, seed }) => `${seed} ${clipId}`)).size === kept.length
  return reordered.map(({ fold, ...prediction }) => ({
    ...prediction,
    ...(once ? {} : { fold }),
    group: groups.get(prediction.clipId),
    label: classes.indexOf(left[prediction.label]),
    probabilities: order.map((c) => prediction.probabilities[left.indexOf(own[c])]),
  }))
}

/** Accuracy class by class; each class draws its own clips. */
function compareClasses(
  a: readonly Prediction[],
  b: readonly Prediction[],
  classes: readonly string[],
  options: { resamples: number; level: number; seed: number },
): ComparedClass[] {
  const [own, theirs] = [a, b].map((side) => groupBy(side, ({ label }) => label))
  const found = classes.flatMap((name, c): ComparedClass[] => {
    const [first, other] = [own.get(c) ?? [], theirs.get(c) ?? []]
    if (first.length === 0) return []
    const [before, after] = [first, other].map((side) => figureStatistics(side, "clips").get("top1"))
    if (!before?.shares || !after?.shares) return []
    const [difference] = pairedBootstrap(
      { observations: other, statistics: [after.statistic] },
      { observations: first, statistics: [before.statistic] },
      options,
    )
    const sum = (shares: Float64Array) => shares.reduce((total, share) => total + share, 0)
    const p = signFlipP(clusterSums(other, after.shares, first, before.shares), { seed: options.seed })
    const clips = new Set(first.map(({ clipId }) => clipId)).size
    return [{ name, clips, first: sum(before.shares), other: sum(after.shares), difference, p }]
  })
  return found.sort((x, y) => y.difference.value - x.difference.value)
}

function notesOf({ first, other, split, common, apart, classes }: ComparedPair): string[] {
  const [own, theirs] = apart.clips
  const both = `${first} and ${other} on ${split}`
  const some = (names: readonly string[]) => `${names.slice(0, 5).join(", ")}${names.length > 5 ? ", …" : ""}`
  return [
    ...(own + theirs > 0
      ? [
          `${both}: ${common.clips} clips in common; ${own} of ${first} alone and ${theirs} of ${other} alone are left out.`,
        ]
      : []),
    ...(apart.classes.some((names) => names.length > 0)
      ? [
          `${both}: ${common.classes} classes in common; without ${some(apart.classes.flat())}. Probabilities of the others are scaled to sum to 1.`,
        ]
      : []),
    ...(apart.labels.length > 0
      ? [`${both}: ${apart.labels.length} clips have another label and are left out (${some(apart.labels)}).`]
      : []),
    ...(classes.length >= 20
      ? [`${both}: of ${classes.length} classes, about ${Math.round(classes.length / 20)} have p < 0.05 by chance.`]
      : []),
  ]
}
