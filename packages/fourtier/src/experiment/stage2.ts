/**
 * Stage 2 of a trial (paper Sec. 3.2): the integration and the classifier are fine-tuned on labels. The probes and the network
 * without prompts are trained the same way: they differ in their network alone.
 *
 * ```
 * m of training clips ─ network of the method ─ logits ─ cross-entropy ─ AdamW ─► weights of integration and classifier
 * ```
 */

import { type Method, titleOf } from "@fourtier/core/model"
import {
  classificationTask,
  embedExamples,
  type FeatureSet,
  fitLanguage,
  languageEvidence,
  type Taught,
} from "@fourtier/core/train"
import type { Param, Weights } from "@fourtier/tensor/nn"
import { hashJson } from "@fourtier/tensor/node"
import type { Aligned } from "./stage1.ts"
import { shareStage2, type Team } from "./together.ts"
import type { Trial } from "./trial.ts"

export interface Stage2Options {
  /** What the figures are reported as; default: the method's title. */
  name?: string
  /** What stage 1 has learned, for a method that is aligned. */
  aligned?: Aligned | null
  /** Clips to learn from. */
  clips: FeatureSet<Taught>
  /** Clips of the smallest split that is trained like this: bounds the batch, which is compiled in. */
  fewest: number
}

/**
 * Trains a method's network and lets it predict the test clips.
 * @returns every weight of the network
 *
 * @example
 * ```ts
 * import { alignProcessors, fineTune, languageOf, type Trial } from "fourtier/experiment"
 *
 * async function bothStages(trial: Trial) {
 *   const language = languageOf(trial, false)
 *   const aligned = language && (await alignProcessors(trial, language))
 *   const clips = trial.data.labelled
 *   return fineTune(trial, "full", { aligned, clips, fewest: clips.examples.length })
 * }
 * ```
 */
export async function fineTune(
  trial: Trial,
  method: Method,
  { name = titleOf(method), aligned = null, clips, fewest }: Stage2Options,
): Promise<Weights> {
  const { experiment, data } = trial
  const { model, reporter } = experiment.settings
  const language = aligned && model.languageWeight > 0 ? [...(await readLanguage(trial, aligned, clips))] : []
  const fixed: Weights = new Map([...(aligned?.weights ?? (await trial.standardize())), ...language])

  const training = experiment.trainingOf(method)
  const taught = clips.examples.length
  const bound = Math.max(1, Math.min(fewest, taught))
  const unit = experiment.unitOf(method, bound)
  const graphs = await experiment.classifierGraphs(method, bound, taught)
  const recipe = experiment.graphsRecipe(method, bound, taught)
  const task = classificationTask(name, graphs, training, { train: clips, val: data.val }, fixed, unit)
  // validation judges with what language adds, so this decides which weights are kept
  const judged =
    data.val.examples.length > 0 && language.length > 0 ? hashJson(language.map(([, data]) => [...data])) : null
  const stage1 = aligned ? [aligned.id, judged] : null
  const parts = { method, stage: training, batch: unit, stage1, taught: clips.examples }
  if (
    taught === 0 &&
    !aligned?.language.suffix &&
    language.every(([, values]) => values.every((value) => value === 0))
  ) {
    reporter.warn(`${name}: no labels, no pseudo-labels, and nothing that the words tell: it guesses; label some clips`)
  }
  const share = (team: Team) => {
    const sets = { train: clips, val: data.val }
    return shareStage2(team, { name, recipe, graphs, unit, training, seed: trial.seed, ...sets, frozen: fixed })
  }
  const trained = taught > 0 ? await trial.train(name, task, training, parts, { share }) : silent(graphs.trained)

  const weights: Weights = new Map([...fixed, ...trained])
  if (graphs.hasLanguage && !aligned?.language.suffix) {
    const rows = await experiment.probabilities(recipe, graphs, data.test, weights, "classifier")
    trial.predict(`${name} without language`, graphs.trained, rows)
  }
  trial.predict(name, graphs.trained, await experiment.probabilities(recipe, graphs, data.test, weights))
  return weights
}

/** A matrix of so many columns with one more, of zeros. */
function withColumn(values: ArrayLike<number>, columns: number): Float32Array {
  const wider = new Float32Array((values.length / columns) * (columns + 1))
  for (let i = 0; i < values.length; i++) wider[Math.floor(i / columns) * (columns + 1) + (i % columns)] = values[i]
  return wider
}

/** Weights of a network that has learned nothing: all classes are alike to it. */
function silent(params: readonly Param[]): Weights {
  return new Map(params.map(({ name, tensor }) => [name, new Float32Array(tensor.size)]))
}

/** The language classifier of stage 1's processors, from the labels of `clips` and the classes' names. */
async function readLanguage(trial: Trial, aligned: Aligned, clips: FeatureSet<Taught>): Promise<Weights> {
  const { reporter } = trial.experiment.settings
  const { language, promptWeights, weights, means } = aligned
  const { names } = language.text
  const shares = [...promptWeights]
  const { classes, background } = trial.experiment.settings
  // what shows none of the classes has no words
  const examples = clips.examples.filter(({ label }) => label !== classes.length)
  const embeddings = await embedExamples(await trial.experiment.alignGraphs(), { ...clips, examples }, weights)
  const { labelled } = trial.data
  const places = new Map(examples.map(({ id }, i) => [id, i]))
  const known = labelled.examples.flatMap(({ id }) => places.get(id) ?? [])
  const ofKnown = new Map([...embeddings].map(([prompt, rows]) => [prompt, known.map((i) => rows[i])] as const))
  const evidence = languageEvidence(
    ofKnown,
    labelled.examples.map(({ label }) => label),
    names,
    promptWeights,
    means,
  )
  const heard = evidence.odds >= 1
  const counts = `right about ${evidence.right} of ${evidence.clips} labelled clips without their label`
  const judged = evidence.clips > 0 && shares.some(([, weight]) => weight > 0)
  const weighed = shares.map(([id, weight]) => `${id} ${weight.toFixed(2)}`).join(", ")
  reporter.say(
    `language${language.suffix}: prompt weights ${weighed}${judged ? `; ${counts}${heard ? "" : ": not heeded"}` : ""}`,
  )
  const counted = new Map(shares.map(([prompt, weight]) => [prompt, heard ? weight : 0] as const))
  const labels = examples.map(({ label }) => (typeof label === "number" ? label : label.slice(0, classes.length)))
  const fitted = fitLanguage(embeddings, labels, names, counted, means)
  return background ? new Map([...fitted].map(([name, own]) => [name, withColumn(own, classes.length)])) : fitted
}
