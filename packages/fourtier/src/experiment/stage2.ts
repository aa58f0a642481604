/**
 * Stage 2 of a trial (paper Sec. 3.2): the integration and the classifier are fine-tuned on labels. The probes and the network
 * without prompts are trained the same way: they differ in their network alone.
 *
 * ```
 * m of training clips ─ network of the method ─ logits ─ cross-entropy ─ AdamW ─► weights of integration and classifier
 * ```
 */

import { type Method, methodNamed } from "@fourtier/core/model"
import {
  classificationTask,
  clipProbabilities,
  embedExamples,
  type FeatureSet,
  fitLanguage,
  promptWeights,
  relevance,
  type Taught,
} from "@fourtier/core/train"
import type { Weights } from "@fourtier/tensor/nn"
import { meanRow } from "../text/targets.ts"
import { isDescribed } from "./examples.ts"
import type { Trial } from "./trial.ts"

export interface Stage2Options {
  /** What the figures are reported as; default: the method's name. */
  name?: string
  /** Weights that stay as they are: the standardisation's, and for an aligned method those of stage 1. */
  frozen: Weights
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
 * import { alignProcessors, fineTune, type Trial } from "fourtier/experiment"
 *
 * async function bothStages(trial: Trial) {
 *   const frozen = await alignProcessors(trial, await trial.standardize())
 *   const clips = trial.data.labelled
 *   return fineTune(trial, "full", { frozen, clips, fewest: clips.examples.length })
 * }
 * ```
 */
export async function fineTune(
  trial: Trial,
  method: Method,
  { name = method, frozen, clips, fewest }: Stage2Options,
): Promise<Weights> {
  const { experiment, data } = trial
  const { text, align, model } = experiment.settings
  const { aligned } = methodNamed(method)
  const language = aligned && text && model.languageWeight > 0 ? await readLanguage(trial, frozen, clips) : []
  const fixed: Weights = new Map([...frozen, ...language])

  const training = experiment.trainingOf(method)
  const graphs = await experiment.classifierGraphs(method, fewest)
  const task = classificationTask(name, graphs, training, { train: clips, val: data.val }, fixed)
  const stage1 = aligned && text ? { align, text: text.id, batch: (await experiment.alignGraphs()).batch } : null
  const parts = { method, stage: training, batch: graphs.batch, stage1, taught: clips.examples }
  const trained = await trial.train(name, task, training, parts)

  const weights: Weights = new Map([...fixed, ...trained])
  if (graphs.hasLanguage) {
    const rows = await clipProbabilities(graphs, data.test, weights, "classifier")
    trial.predict(`${name} without language`, graphs.trained, rows)
  }
  trial.predict(name, graphs.trained, await clipProbabilities(graphs, data.test, weights))
  return weights
}

/** The language classifier of stage 1's processors, from the labels of `clips`. */
async function readLanguage(trial: Trial, frozen: Weights, clips: FeatureSet<Taught>): Promise<Weights> {
  const { text, prompts, classes, reporter } = trial.experiment.settings
  if (!text) throw new Error("internal error: a language classifier without texts")
  const described = trial.data.train.examples.filter(({ id }) => isDescribed(id, prompts, text.table))
  const relevances = new Map(
    prompts.map((prompt) => {
      const answers = described.flatMap(({ id }) => text.table.get(prompt)?.get(id) ?? [])
      return [
        prompt,
        relevance(
          answers.map((vector) => meanRow(vector, text.width)),
          text.names,
        ),
      ] as const
    }),
  )
  const weights = promptWeights(relevances, await trial.retrieval())
  reporter.say(
    `language: prompt weights ${[...weights].map(([id, weight]) => `${id} ${weight.toFixed(2)}`).join(", ")}`,
  )
  const embeddings = await embedExamples(await trial.experiment.alignGraphs(), clips, frozen)
  return fitLanguage(
    embeddings,
    clips.examples.map(({ label }) => label),
    classes.length,
    weights,
  )
}
