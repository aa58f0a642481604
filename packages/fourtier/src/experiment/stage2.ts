/**
 * Stage 2 of a trial (paper Sec. 3.2): the integration and the classifier are fine-tuned on labels. The probes and the network
 * without prompts are trained the same way: they differ in their network alone.
 *
 * ```
 * m of training clips ─ network of the method ─ logits ─ cross-entropy ─ AdamW ─► weights of integration and classifier
 * ```
 */

import { type Method, methodNamed } from "@fourtier/core/model"
import { classificationTask, clipProbabilities, type FeatureSet, type Taught } from "@fourtier/core/train"
import type { Weights } from "@fourtier/tensor/nn"
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
  const { text, align } = experiment.settings
  const training = experiment.trainingOf(method)
  const graphs = await experiment.classifierGraphs(method, fewest)
  const task = classificationTask(name, graphs, training, { train: clips, val: data.val }, frozen)
  const { aligned } = methodNamed(method)
  const stage1 = aligned && text ? { align, text: text.id, batch: (await experiment.alignGraphs()).batch } : null
  const parts = { method, stage: training, batch: graphs.batch, stage1, taught: clips.examples }
  const trained = await trial.train(name, task, training, parts)

  const weights: Weights = new Map([...frozen, ...trained])
  if (graphs.hasPrototypes) {
    const rows = await clipProbabilities(graphs, data.test, weights, "classifier")
    trial.predict(`${name} without prototypes`, graphs.trained, rows)
  }
  trial.predict(name, graphs.trained, await clipProbabilities(graphs, data.test, weights))
  return weights
}
