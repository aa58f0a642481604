/**
 * Stage 1 of a trial (paper Sec. 3.2): the feature processors are aligned with the text embeddings of the VLM's answers.
 *
 * ```
 * answers about training clips ─ e_i ─┐
 *                                     ├─ InfoNCE ─ AdamW ─► weights of the processors
 * s, t of the same clips ─ v_i ───────┘
 * ```
 * On the way it is scored by itself, by class prototypes: the figures "stage 1, prompt A" … and "stage 1 alone".
 */

import {
  alignmentTask,
  fitRidge,
  type Labelled,
  prototypeProbabilities,
  prototypesOf,
  prototypeWeights,
  type TextTargets,
} from "@fourtier/core/train"
import { FourtierError } from "@fourtier/tensor"
import type { Weights } from "@fourtier/tensor/nn"
import { trainingTargets } from "../text/targets.ts"
import { isDescribed } from "./examples.ts"
import type { Trial } from "./trial.ts"

/**
 * Aligns the processors.
 * @returns the weights that stage 2 keeps frozen: `standardize`'s, the processors' and the prototypes'
 *
 * @example
 * ```ts
 * import { alignProcessors, type Trial } from "fourtier/experiment"
 *
 * const stage1 = async (trial: Trial) => alignProcessors(trial, await trial.standardize())
 * ```
 */
export async function alignProcessors(trial: Trial, standardize: Weights): Promise<Weights> {
  const { text, align, prompts, classes, model, reporter } = trial.experiment.settings
  if (!text) throw new Error("internal error: stage 1 without texts")
  const graphs = await trial.experiment.alignGraphs()
  const { train, labelled, val, test } = trial.data
  const described = train.examples.filter(({ id }) => isDescribed(id, prompts, text.table))
  const targets: TextTargets = {
    width: text.width,
    embeddings: trainingTargets(text.table, new Set(described.map(({ id }) => id)), text),
  }
  const describedLabelled = labelled.examples.filter(({ id }) => isDescribed(id, prompts, text.table))
  const prototypes = prototypesOf(targets, describedLabelled, classes.length)
  if (!prototypes && model.prototypeWeight > 0) throw noPrototypes()
  if (!prototypes) reporter.warn("stage 1 alone is not evaluated: some class has no labelled clip with answers")

  const score = async (weights: Weights) => {
    if (val.examples.length === 0 || !prototypes) return null
    const rows = (await prototypeProbabilities(graphs, val, weights, prototypes)).get("all") ?? []
    return { score: shareRight(rows, val.examples) }
  }
  const sets = { train: { ...train, examples: described }, val }
  const task = alignmentTask(graphs, sets, targets, standardize, score)
  const parts = { align, text: text.id, batch: graphs.batch }
  const start =
    align.start === "ridge"
      ? async () => {
          const { weights, retrieval } = await fitRidge(sets.train, standardize, targets, graphs.spec)
          await trial.keepRetrieval(retrieval)
          return weights
        }
      : undefined
  const trained = await trial.train("stage 1", task, align, parts, start)

  const weights: Weights = new Map([...standardize, ...trained, ...(prototypes ? prototypeWeights(prototypes) : [])])
  if (!prototypes) return weights
  for (const [prompt, rows] of await prototypeProbabilities(graphs, test, weights, prototypes)) {
    trial.predict(prompt === "all" ? "stage 1 alone" : `stage 1, prompt ${prompt}`, graphs.trained, rows)
  }
  return weights
}

function noPrototypes(): FourtierError {
  return new FourtierError({
    where: "model.prototypeWeight",
    what: "no class prototypes: some class has no labelled training clip with answers",
    fix: "describe a labelled clip of each class, or set model.prototypeWeight=0",
  })
}

function shareRight(rows: readonly Float32Array[], examples: readonly Labelled[]): number {
  return rows.filter((row, i) => row.indexOf(Math.max(...row)) === examples[i].label).length / rows.length
}
