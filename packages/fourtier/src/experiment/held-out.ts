/**
 * What a method says of clips that it was not trained on, without a look at the test clips: of the validation clips where there
 * are many, else of training clips, by cross-fitting.
 *
 * ```
 * training clips ─ folds (groups stay whole) ─ both stages on the others ─► predictions of the fold's clips ─► temperature
 * ```
 * Stage 1 is fitted anew as well: processors that have met the answers about a clip are surer of it than they may be.
 */

import { existsSync } from "node:fs"
import { rm } from "node:fs/promises"
import { join } from "node:path"
import { silent } from "@fourtier/core"
import { checkPredictions, type Prediction } from "@fourtier/core/metrics"
import { type Method, methodNamed, titleOf } from "@fourtier/core/model"
import { clipProbabilities } from "@fourtier/core/train"
import { Rng } from "@fourtier/tensor"
import { hashJson, readJson, writeJson } from "@fourtier/tensor/node"
import { z } from "zod"
import type { Clip } from "../video/manifest.ts"
import { balancedFolds, type Split } from "../video/splits.ts"
import { countLabelled, examplesOf, isDescribed } from "./examples.ts"
import { Experiment } from "./experiment.ts"
import { languageOf } from "./language.ts"
import { addPseudoLabels } from "./pseudo-labelled.ts"
import { alignProcessors } from "./stage1.ts"
import { fineTune } from "./stage2.ts"
import { Trial } from "./trial.ts"

/** Clips of the validation part from which on no other clips are held out. */
const ENOUGH = 50
/** Clips of the training part after which no further fold is held out. */
const PLENTY = 500
/** Fewer held-out clips than these tell nothing. */
export const FEWEST_HELD_OUT = 20

export interface HeldOut {
  /** Where the clips come from. */
  from: "validation clips" | "cross-fitting"
  predictions: Prediction[]
}

const storedSchema = z.object({
  key: z.string(),
  predictions: z.array(
    z.object({ clipId: z.string(), label: z.number(), probabilities: z.array(z.number()), fold: z.string() }),
  ),
  background: z.array(z.array(z.number())).default([]),
})

/** What models say of clips that they were not trained on. */
interface CrossFitted {
  predictions: Prediction[]
  /** Of clips of no class, where they are learned: a row [C+1] each. */
  background: number[][]
}

/**
 * Predictions of held-out clips; null where too few clips are labelled. They are kept as `held-out.json` in the trial's folder.
 * @param trial in which the method is trained already
 * @param folds parts that the training clips are cut into
 *
 * @example
 * ```ts
 * import { fitTemperature } from "@fourtier/core/metrics"
 * import { predictHeldOut, type Trial } from "fourtier/experiment"
 * import type { Split } from "fourtier/video"
 *
 * async function temperatureOf(trial: Trial, split: Split) {
 *   const heldOut = await predictHeldOut(trial, split, "full", 4)
 *   return heldOut && fitTemperature(heldOut.predictions)
 * }
 * ```
 */
export async function predictHeldOut(
  trial: Trial,
  split: Split,
  method: Method,
  folds: number,
): Promise<HeldOut | null> {
  const { val } = trial.data
  const weights = trial.result.weights.get(method)
  if (val.examples.length >= ENOUGH && weights) {
    const graphs = await trial.experiment.classifierGraphs(method, trial.experiment.settings.fewestClips)
    const rows = await clipProbabilities(graphs, val, weights)
    return {
      from: "validation clips",
      predictions: val.examples.map(({ id, label }, i) => ({ clipId: id, label, probabilities: rows[i] })),
    }
  }
  const { predictions } = await crossFit(trial, split, method, folds)
  return predictions.length < FEWEST_HELD_OUT ? null : { from: "cross-fitting", predictions }
}

/**
 * What is said of clips of no class by models that learned from others of them: a row [C+1] each, the last their probability of
 * background. None where no network learns it, or too few clips can be held out.
 *
 * @example
 * ```ts
 * import { predictHeldOutBackground, type Trial } from "fourtier/experiment"
 * import type { Split } from "fourtier/video"
 *
 * const certainty = async (trial: Trial, split: Split) =>
 *   (await predictHeldOutBackground(trial, split, "full", 4)).map((row) => row[row.length - 1])
 * ```
 */
export async function predictHeldOutBackground(
  trial: Trial,
  split: Split,
  method: Method,
  folds: number,
): Promise<number[][]> {
  if (!trial.experiment.settings.background) return []
  return (await crossFit(trial, split, method, folds)).background
}

async function crossFit(trial: Trial, split: Split, method: Method, count: number): Promise<CrossFitted> {
  const { settings } = trial.experiment
  const parts = foldsOf(trial, split, count)
  if (parts.reduce((sum, { test }) => sum + test.length, 0) < FEWEST_HELD_OUT)
    return { predictions: [], background: [] }
  const path = join(trial.folder, "held-out.json")
  const key = hashJson(identityOf(trial, method, parts))
  if (existsSync(path)) {
    const stored = storedSchema.safeParse(await readJson(path))
    if (stored.success && stored.data.key === key) return stored.data
  }
  const progress = settings.reporter.task(`hold out clips of ${titleOf(method)}`, parts.length, "folds")
  const experiment = new Experiment({
    ...settings,
    ...fewestOf(trial, parts),
    alignment: { ...settings.alignment, cache: null },
    zeroShot: null,
    reporter: silent,
  })
  const predictions: Prediction[] = []
  const background: number[][] = []
  const folder = join(trial.folder, "held-out")
  try {
    for (const part of parts) {
      const found = await predictFold(experiment, part, trial.seed, join(folder, part.name), method)
      predictions.push(...found.predictions)
      background.push(...found.background)
      progress.tick()
      if (predictions.length >= PLENTY) break
      settings.signal?.throwIfAborted()
    }
  } finally {
    await experiment.release()
  }
  progress.done()
  const rows = predictions.map(({ clipId, label, probabilities, fold }) => {
    return { clipId, label, probabilities: Array.from(probabilities), fold }
  })
  await writeJson(path, { key, predictions: rows, ...(background.length > 0 ? { background } : {}) })
  await rm(folder, { recursive: true, force: true })
  return { predictions, background }
}

/** Splits of the training clips. Labels that the trial may not use are hidden; of a class that no other fold knows, nothing is told. */
function foldsOf(trial: Trial, { train, background }: Split, count: number): Split[] {
  const usable = new Set(trial.data.labelled.examples.map(({ id }) => id))
  const clips = train.map((clip): Clip => (usable.has(clip.id) ? clip : { ...clip, label: null, labels: [] }))
  const none = new Set(trial.experiment.settings.background ? background?.held : [])
  const all = [...clips, ...none]
  const folds = balancedFolds(all, count, Rng.fork(trial.seed, "held out"))
  if (folds.length < 2) return []
  return folds.map((held, k) => {
    const own = new Set(held)
    const rest = all.filter((clip) => !own.has(clip))
    const taught = new Set(rest.flatMap(({ labels }) => labels))
    const name = `fold${k + 1}`
    const test = held.filter((clip) => clip.label !== null && taught.has(clip.label) && !none.has(clip))
    return {
      ...{ name, training: `${trial.data.training} ${name}`, fold: true, val: [], test },
      train: rest.filter((clip) => !none.has(clip)),
      ...(none.size === 0
        ? {}
        : { background: { held: rest.filter((clip) => none.has(clip)), test: held.filter((clip) => none.has(clip)) } }),
    }
  })
}

/** Clips that the smallest fold is trained on: they bound the batches, which are compiled in. */
function fewestOf({ experiment }: Trial, parts: readonly Split[]) {
  const { labelsPerClass, prompts, text, fewestDescribed } = experiment.settings
  const described = ({ train }: Split) => train.filter(({ id }) => text && isDescribed(id, prompts, text.table)).length
  return {
    fewestClips: Math.min(...parts.map(({ train }) => countLabelled(train, labelsPerClass))),
    fewestDescribed: Math.min(fewestDescribed, ...parts.map(described)),
  }
}

async function predictFold(
  experiment: Experiment,
  split: Split,
  seed: number,
  folder: string,
  method: Method,
): Promise<CrossFitted> {
  if (split.test.length === 0) return { predictions: [], background: [] }
  const { features, prompts, fewestClips } = experiment.settings
  const views = Math.min(features.trainViews, features.testViews)
  const trial = new Trial(experiment, split, seed, folder, { source: features.train, views })
  const { aligned: aligns, shuffled = false } = methodNamed(method)
  const language = aligns && prompts.length > 0 ? languageOf(trial, shuffled) : null
  const aligned = language && (await alignProcessors(trial, language))
  const pseudoLabelled = aligned && (await addPseudoLabels(trial, aligned))
  const weights = await fineTune(trial, method, {
    aligned,
    clips: pseudoLabelled ?? trial.data.taught,
    fewest: fewestClips,
  })
  const found = trial.result.predictions.get(titleOf(method))?.predictions ?? []
  checkPredictions(found, `held-out clips of ${split.name}`)
  const predictions = found.map(({ clipId, label, probabilities }) => ({
    clipId,
    label,
    probabilities,
    fold: split.name,
  }))
  const examples = examplesOf(split.background?.test ?? [], views)
  if (examples.length === 0) return { predictions, background: [] }
  const graphs = await experiment.classifierGraphs(method, fewestClips)
  const rows = await clipProbabilities(graphs, { source: features.train, examples }, weights)
  return { predictions, background: rows.map((row) => Array.from(row)) }
}

/** All that decides on the predictions. */
function identityOf(trial: Trial, method: Method, parts: readonly Split[]): unknown {
  const { settings } = trial.experiment
  const { size, model, prompts, classes, align, text, alignment, pseudoLabels, features, labelsPerClass } = settings
  const given = alignment.given?.card.id ?? null
  const clips = parts.map(({ train, test, background }) =>
    [train, test, ...(background ? [background.held, background.test] : [])].map((side) =>
      side.map(({ id, hash, label }) => [id, hash, label]),
    ),
  )
  const training = trial.experiment.trainingOf(method)
  return [
    { method, training, size, model, prompts, classes, align, pseudoLabels, labelsPerClass, seed: trial.seed },
    { text: text?.id ?? null, space: alignment.space, given, features: features.train.id, clips },
    [features.trainViews, features.testViews],
  ]
}
