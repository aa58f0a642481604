/**
 * What a trained method makes of single clips, for people to look at: what it guesses with and without each prompt (paper
 * Figure 5), which answers a clip comes closest to, where its classifier's first layer puts it (Figures B4 and B5), and whose label is
 * doubtful. Written as `report/inspection.json`; nothing is trained for it.
 */

import { groupBy } from "@fourtier/core"
import { withoutBackground } from "@fourtier/core/bundle"
import { argmax, nearestNeighbours } from "@fourtier/core/metrics"
import { type Method, methodNamed, titleOf } from "@fourtier/core/model"
import {
  dot,
  type Example,
  embedExamples,
  type FeatureSet,
  NetworkReader,
  type Reading,
  unit,
  withoutPrompt,
} from "@fourtier/core/train"
import { Rng } from "@fourtier/tensor"
import type { Weights } from "@fourtier/tensor/nn"
import { z } from "zod"
import { meanRow, trainingTargets } from "../text/targets.ts"
import { doubtLabels } from "./doubts.ts"
import { isDescribed, NO_CLASS } from "./examples.ts"
import { flatMap } from "./flat-map.ts"
import type { Trial } from "./trial.ts"

/** Test clips that are looked at, at most: those that the method gets wrong first. */
const MOST_CLIPS = 300
/** Training clips that are shown beside them, with their own answers. */
const MOST_TRAINED = 8
/** Clips of a map, at most. */
const MOST_POINTS = 500
/** Classes that are shown of each clip. */
const MOST_GUESSES = 5
/** Training clips whose answers are compared with a clip, at most, and how many are named. */
const MOST_ANSWERS = 2000
const CLOSEST = 3

const verdictSchema = z.object({ class: z.number(), share: z.number(), own: z.number() })

export const inspectionSchema = z.object({
  format: z.literal(1),
  /** The method that was looked at, and its seed. */
  method: z.string(),
  seed: z.number(),
  classes: z.array(z.string()),
  prompts: z.array(z.string()),
  clips: z.array(
    z.object({
      id: z.string(),
      /** Name of the split whose model looked at it. */
      split: z.string(),
      part: z.enum(["test", "train"]),
      /** Class number; null without a label. */
      label: z.number().nullable(),
      /** Class numbers, the most probable first. */
      classes: z.array(z.number()),
      /** Probabilities of these classes, of the whole network and, by prompt, without that prompt's processor. */
      all: z.array(z.number()),
      without: z.record(z.string(), z.array(z.number())),
      /** By prompt: training clips whose answers it comes closest to, with the cosine of the centred embeddings. */
      closest: z.record(z.string(), z.array(z.tuple([z.string(), z.number()]))),
    }),
  ),
  /** Places of clips on a plane, with and without four-tiered prompts. */
  maps: z.array(
    z.object({
      method: z.string(),
      split: z.string(),
      /** Of clips that the network was not trained on: how often the nearest other one is of the same class. */
      nearest: z
        .object({ value: z.number(), low: z.number(), high: z.number(), chance: z.number(), clips: z.number() })
        .nullable(),
      points: z.array(
        z.object({ id: z.string(), label: z.number(), part: z.enum(["test", "train"]), x: z.number(), y: z.number() }),
      ),
    }),
  ),
  /** Labels that features and answers doubt; null where too few clips have both. */
  doubts: z
    .object({
      clips: z.number(),
      basis: z.enum(["folds", "linear"]),
      found: z.array(
        z.object({ clip: z.string(), label: z.number(), features: verdictSchema, answers: verdictSchema }),
      ),
    })
    .nullable(),
})

/** `report/inspection.json`. */
export type Inspection = z.infer<typeof inspectionSchema>
type Inspected = Inspection["clips"][number]

/**
 * Looks at the trials of one seed: those of the first training, or of all folds.
 * @param trials with trained weights of `method`
 * @param tested false where their test clips are training clips
 * @returns null where there is nothing trained to look at
 *
 * @example
 * ```ts
 * import { inspectTrials, type Trial } from "fourtier/experiment"
 *
 * async function hardest(trials: Trial[]) {
 *   const found = await inspectTrials(trials, "full")
 *   return found?.clips[0].id // the most confident mistake
 * }
 * ```
 */
export async function inspectTrials(
  trials: readonly Trial[],
  method: Method,
  tested = true,
): Promise<Inspection | null> {
  const ready = trials.filter(({ result }) => result.weights.has(method))
  if (ready.length === 0) return null
  const [{ experiment, seed }] = ready
  const { classes, prompts } = experiment.settings
  const folds = new Set(ready.map(({ data }) => data.training)).size > 1
  const reader = await NetworkReader.compile(experiment.networkSpec(method), experiment.settings.runtime)
  try {
    const chosen = chooseClips(ready, method)
    const clips: Inspected[] = []
    for (const trial of ready) {
      const test = { ...trial.data.test, examples: chosen.get(trial) ?? [] }
      clips.push(...(await lookAt(trial, method, reader, test, tested ? "test" : "train")))
    }
    if (!folds && tested) clips.push(...(await lookAt(ready[0], method, reader, describedClips(ready[0]), "train")))
    clips.sort((a, b) => confidence(b) - confidence(a))
    const maps = await drawMaps(ready, method, reader, tested)
    return {
      format: 1,
      method: titleOf(method),
      seed,
      classes: [...classes],
      prompts: [...prompts],
      clips,
      maps,
      doubts: await doubtLabels(folds ? ready : [ready[0]], titleOf(method)),
    }
  } finally {
    await reader.release()
  }
}

/** Probability of a wrong class, 0 for clips that are right. */
const confidence = ({ label, classes, all }: Inspected) => (label === null || classes[0] === label ? 0 : all[0])

/** Wrong ones first, then the others class by class, at most `MOST_CLIPS` over all trials. */
function chooseClips(trials: readonly Trial[], method: Method): Map<Trial, Trial["data"]["test"]["examples"]> {
  const all = trials.flatMap((trial) => {
    const predictions = trial.result.predictions.get(titleOf(method))?.predictions ?? []
    const said = new Map(predictions.map(({ clipId, probabilities }) => [clipId, argmax(probabilities)]))
    return trial.data.test.examples.map((example) => ({
      trial,
      example,
      wrong: said.get(example.id) !== example.label,
    }))
  })
  const shuffled = Rng.fork("inspect").shuffle(all)
  const counts = new Map<string, number>()
  const ranked = shuffled.map((one) => {
    const key = `${one.wrong} ${one.example.label}`
    const rank = counts.get(key) ?? 0
    counts.set(key, rank + 1)
    return { ...one, rank: one.wrong ? rank : rank + 1e6 }
  })
  ranked.sort((a, b) => a.rank - b.rank)
  const kept = groupBy(ranked.slice(0, MOST_CLIPS), ({ trial }) => trial)
  return new Map([...kept].map(([trial, own]) => [trial, own.map(({ example }) => example)]))
}

/** A few training clips with answers to all prompts, of different classes. */
function describedClips(trial: Trial): FeatureSet {
  const { prompts, text } = trial.experiment.settings
  const { source, examples } = trial.data.labelled
  if (!text || prompts.length === 0) return { source, examples: [] }
  const described = examples.filter(({ id }) => prompts.every((prompt) => isDescribed(id, [prompt], text.table)))
  const firsts = [...groupBy(described, ({ label }) => label).values()].map(([first]) => first)
  return { source, examples: firsts.slice(0, MOST_TRAINED) }
}

async function lookAt(
  trial: Trial,
  method: Method,
  reader: NetworkReader,
  set: FeatureSet,
  part: "test" | "train",
): Promise<Inspected[]> {
  const weights = trial.result.weights.get(method)
  const { examples } = set
  if (!weights || examples.length === 0) return []
  const { aligned } = methodNamed(method)
  const { means } = trial.result
  const all = await reader.read(set, weights)
  const without = new Map<string, Reading>()
  for (const prompt of aligned ? trial.experiment.settings.prompts : []) {
    without.set(prompt, await reader.read(set, withoutPrompt(weights, prompt, means.get(prompt))))
  }
  const closest =
    aligned && means.size > 0 ? await closestAnswers(trial, set, weights) : new Map<string, [string, number][][]>()
  return examples.map(({ id, label }, i) => {
    const actions = ({ probabilities }: Reading) =>
      withoutBackground(probabilities[i], trial.experiment.settings.classes.length).actions
    const own = actions(all)
    const shown = shownClasses(own, [...without.values()].map(actions), label)
    const of = (row: Float32Array) => shown.map((c) => rounded(row[c]))
    return {
      id,
      split: trial.data.split,
      part,
      label: label === NO_CLASS ? null : label,
      classes: shown,
      all: of(own),
      without: Object.fromEntries([...without].map(([prompt, reading]) => [prompt, of(actions(reading))])),
      closest: Object.fromEntries([...closest].map(([prompt, rows]) => [prompt, rows[i]])),
    }
  })
}

/** The most probable classes, the first guess without each prompt, and the label. */
function shownClasses(row: Float32Array, others: readonly Float32Array[], label: number): number[] {
  const ranked = [...row.keys()].sort((a, b) => row[b] - row[a])
  const wanted = new Set([
    ...ranked.slice(0, MOST_GUESSES),
    ...others.map(argmax),
    ...(label === NO_CLASS ? [] : [label]),
  ])
  return ranked.filter((c) => wanted.has(c))
}

/** By prompt, for each clip: the training clips whose answers its predicted text embedding comes closest to, never itself. */
async function closestAnswers(
  trial: Trial,
  set: FeatureSet<Example>,
  weights: Weights,
): Promise<Map<string, [string, number][][]>> {
  const { experiment, data, result } = trial
  const { text, model } = experiment.settings
  if (!text || model.processors !== "text") return new Map()
  const predicted = await embedExamples(await experiment.alignGraphs(), set, weights)
  const training = Rng.fork("inspect").shuffle(data.train.examples.map(({ id }) => id))
  const targets = trainingTargets(text.table, new Set(training.slice(0, MOST_ANSWERS)), text)
  return new Map(
    [...predicted].map(([prompt, rows]) => {
      const mean = result.means.get(prompt)
      const answers = [...(targets.get(prompt) ?? [])].map(
        ([id, vector]) => [id, unit(meanRow(vector, text.width))] as const,
      )
      const closest = rows.map((row, i) => {
        const own = unit(row.map((x, d) => x - (mean?.[d] ?? 0)))
        const scored = answers
          .filter(([id]) => id !== set.examples[i].id)
          .map(([id, vector]): [string, number] => [id, rounded(dot(own, vector))])
        return scored.sort((a, b) => b[1] - a[1]).slice(0, CLOSEST)
      })
      return [prompt, closest] as const
    }),
  )
}

/** What the first layer makes of the clips of the first training: test clips, and as many training clips as there is room for. */
async function drawMaps(
  trials: readonly Trial[],
  method: Method,
  reader: NetworkReader,
  tested: boolean,
): Promise<Inspection["maps"]> {
  const [first] = trials
  const { classes } = first.experiment.settings
  const own = trials.filter(({ data }) => data.training === first.data.training)
  const test = pick(
    tested ? own.flatMap(({ data }) => data.test.examples).filter(({ label }) => label !== NO_CLASS) : [],
    MOST_POINTS,
  )
  const train = pick(first.data.labelled.examples, MOST_POINTS - test.length)
  const parts = [
    ...test.map(({ id, label }) => ({ id, label, part: "test" as const })),
    ...train.map(({ id, label }) => ({ id, label, part: "train" as const })),
  ]
  const draw = async (name: Method, by: NetworkReader) => {
    const weights = first.result.weights.get(name)
    if (!weights) return []
    const features = [
      ...(await by.read({ source: first.data.test.source, examples: test }, weights)).first,
      ...(await by.read({ source: first.data.labelled.source, examples: train }, weights)).first,
    ]
    const places = await flatMap(features, first.seed)
    if (!places) return []
    const tested = test.map(({ id, label }) => ({
      clipId: id,
      label: classes[label],
      group: first.data.groups.get(id) ?? undefined,
    }))
    const score = nearestNeighbours(features.slice(0, test.length), tested)
    const nearest = score && { ...score.share, chance: score.chance, clips: score.clips }
    const points = parts.map((clip, i) => ({ ...clip, x: places[i][0], y: places[i][1] }))
    return [{ method: titleOf(name), split: first.data.training, nearest, points }]
  }
  const maps = await draw(method, reader)
  if (method === "baseline" || !first.result.weights.has("baseline") || maps.length === 0) return maps
  const { experiment } = first
  const plain = await NetworkReader.compile(experiment.networkSpec("baseline"), experiment.settings.runtime)
  try {
    return [...maps, ...(await draw("baseline", plain))]
  } finally {
    await plain.release()
  }
}

/** At most so many, drawn evenly over the list. */
function pick<T>(items: readonly T[], count: number): T[] {
  if (items.length <= count) return [...items]
  return Array.from({ length: count }, (_, i) => items[Math.floor((i * items.length) / count)])
}

const rounded = (value: number) => Number(value.toFixed(4))
