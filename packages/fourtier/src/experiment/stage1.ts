/**
 * Stage 1 of a trial (paper Sec. 3.2): the feature processors are aligned with the text embeddings of the VLM's answers.
 *
 * ```
 * answers about training clips ─ e_i ─┐
 *                                     ├─ ridge regression, or InfoNCE and AdamW, or one after the other ─► processors
 * s, t of the same clips ─ v_i ───────┘
 * ```
 * It needs no label, so it is done once for all numbers of labels, and not at all with an alignment from elsewhere. On the way it
 * is scored by itself, by class prototypes: the figures "stage 1, prompt A" … and "stage 1 alone".
 */

import { existsSync } from "node:fs"
import { join } from "node:path"
import { distinct } from "@fourtier/core"
import {
  type AlignGraphs,
  alignmentTask,
  type Example,
  embedExamples,
  type FeatureSet,
  fitRidge,
  type Labelled,
  promptWeights,
  prototypeProbabilities,
  prototypesOf,
  prototypeWeights,
  type Retrieval,
  relevance,
  retrievalBy,
  type TextTargets,
} from "@fourtier/core/train"
import { Rng } from "@fourtier/tensor"
import type { Param, Weights } from "@fourtier/tensor/nn"
import { hashJson } from "@fourtier/tensor/node"
import { meanOf, meanRow, trainingTargets } from "../text/targets.ts"
import { type Alignment, alignmentCard, loadAlignment, saveAlignment } from "./alignment.ts"
import { noPrototypes } from "./check.ts"
import { isDescribed } from "./examples.ts"
import type { Language } from "./language.ts"
import type { Trial } from "./trial.ts"

/** Counts up where the same inputs give another fit: fits of before are not taken over. */
const FIT_VERSION = 1

/** What stage 2 is handed. */
export interface Aligned {
  language: Language
  /** Names all that the weights come from. */
  id: string
  /** Weights that stage 2 keeps frozen: the standardisation's, the processors' and the prototypes'. */
  weights: Weights
  retrieval: ReadonlyMap<string, Retrieval>
  /** How much each prompt's answers tell of the classes' names. */
  relevances: ReadonlyMap<string, number>
  /** How much each prompt counts: by what its answers tell of the classes and, where measured, by how well unseen clips find them. */
  promptWeights: ReadonlyMap<string, number>
  /** By prompt: mean of the training clips' predicted unit text embeddings [Dt]. */
  means: ReadonlyMap<string, Float32Array>
  /** By prompt, then clip: these embeddings less their mean; null where processors are not of the text space. */
  predicted: ReadonlyMap<string, ReadonlyMap<string, Float32Array>> | null
}

/**
 * Aligns the processors, or takes over what is aligned already.
 *
 * @example
 * ```ts
 * import { alignProcessors, languageOf, type Trial } from "fourtier/experiment"
 *
 * async function stage1(trial: Trial) {
 *   const language = languageOf(trial, false)
 *   return language && alignProcessors(trial, language)
 * }
 * ```
 */
export async function alignProcessors(trial: Trial, language: Language): Promise<Aligned> {
  const { experiment, data } = trial
  const { prompts, model, alignment: elsewhere } = experiment.settings
  const { text } = language
  const graphs = await experiment.alignGraphs()
  const taken = elsewhere.refine ? null : elsewhere.given
  const { weights, card } = taken ?? (await fitAlignment(trial, language, graphs))
  const retrieval = new Map(Object.entries(card.retrieval))
  const embedded = model.processors === "text" ? await embedExamples(graphs, data.train, weights) : null
  const means = new Map([...(embedded ?? [])].map(([prompt, rows]) => [prompt, meanOf(rows)] as const))
  const predicted =
    embedded &&
    new Map(
      [...embedded].map(([prompt, rows]) => {
        const mean = means.get(prompt) ?? new Float32Array(text.width)
        const own = rows.map((row) => row.map((x, d) => x - mean[d]))
        return [prompt, new Map(data.train.examples.map(({ id }, i) => [id, own[i]]))] as const
      }),
    )
  const relevances = new Map(
    prompts.map((prompt) => {
      const answers = data.train.examples.flatMap(({ id }) => text.table.get(prompt)?.get(id) ?? [])
      const vectors = answers.map((vector) => meanRow(vector, text.width))
      const known = vectors.length > 0 ? vectors : [...(predicted?.get(prompt)?.values() ?? [])]
      return [prompt, relevance(known, text.names)] as const
    }),
  )
  const aligned = { language, id: card.id, weights, retrieval, means, predicted }
  const counted = { ...aligned, relevances, promptWeights: promptWeights(relevances, retrieval) }
  trial.result.retrieval.push({
    answers: language.suffix,
    prompts: Object.fromEntries(
      [...retrieval].map(([prompt, found]) => [prompt, { ...found, weight: counted.promptWeights.get(prompt) ?? 0 }]),
    ),
  })
  return { ...counted, weights: await withPrototypes(trial, graphs, counted) }
}

/**
 * Fits the processors on the trial's own training clips, or takes over what any trial of any run has fitted on them. An alignment
 * from elsewhere is what it is drawn to, and gives the statistics of the channels.
 *
 * @example
 * ```ts
 * import { fitAlignment, languageOf, type Trial } from "fourtier/experiment"
 *
 * async function fit(trial: Trial) {
 *   const language = languageOf(trial, false)
 *   return language && fitAlignment(trial, language, await trial.experiment.alignGraphs())
 * }
 * ```
 */
export async function fitAlignment(trial: Trial, { text, suffix }: Language, graphs: AlignGraphs): Promise<Alignment> {
  const { align, prompts, alignment, sets, signal } = trial.experiment.settings
  const { given } = alignment
  const standardize = given ? only(graphs.frozen, given.weights) : await trial.standardize()
  const { aligned: train, val } = trial.data
  const described = train.examples.filter(({ id }) => isDescribed(id, prompts, text.table))
  const heldOut = align.epochs > 0 ? drawHeldOut(described, align.holdOut, trial.seed) : new Set<Example>()
  const targets: TextTargets = {
    width: text.width,
    embeddings: trainingTargets(text.table, new Set(described.map(({ id }) => id)), text),
  }
  const set = { ...train, examples: described.filter((clip) => !heldOut.has(clip)) }
  const unseen = { ...train, examples: described.filter((clip) => heldOut.has(clip)) }
  const seed = align.start === "ridge" && align.epochs === 0 ? null : trial.seed
  const judges =
    align.epochs > 0 && val.examples.length > 0 ? [val.source.id, val.examples, trial.data.labelled.examples] : []
  const clips = [train.source.id, train.examples, described, judges, [...(sets ?? [])]]
  const id = hashJson({
    version: FIT_VERSION,
    align,
    text: text.id,
    batch: graphs.batch,
    seed,
    clips,
    space: alignment.space,
    prior: given?.card.id ?? null,
  })
  const folder = alignment.cache && join(alignment.cache, id.slice(0, 32))
  if (folder && existsSync(join(folder, "alignment.json"))) {
    trial.keepJournal(`stage 1${suffix}`)
    return loadAlignment(folder)
  }

  const prior = given?.weights
  const options = { sets, prior, signal }
  const fit = align.start === "ridge" ? await fitRidge(set, standardize, targets, graphs.spec, options) : null
  const judge = heldOut.size > 0 ? retrievalScore(graphs, unseen, targets, sets) : scoreBy(trial, graphs, targets)
  const task = alignmentTask(graphs, { train: set, val }, targets, standardize, judge)
  const start = fit ? async () => fit.weights : undefined
  const trained = await trial.train(`stage 1${suffix}`, task, align, { align, id }, start)
  const shapes = Object.fromEntries([...graphs.frozen, ...graphs.trained].map(({ name, shape }) => [name, [...shape]]))
  const weights: Weights = new Map([...standardize, ...trained])
  const retrieval =
    heldOut.size > 0
      ? await retrievalBy(graphs, unseen, targets, weights, sets)
      : (fit?.retrieval ?? new Map<string, Retrieval>())
  const nameOf = ({ id: clip }: Example) => sets?.get(clip) ?? trial.data.training
  const about = distinct(train.examples.map(nameOf)).map((name) => ({
    name,
    clips: train.examples.filter((clip) => nameOf(clip) === name).length,
    described: described.filter((clip) => nameOf(clip) === name).length,
    retrieval: Object.fromEntries((heldOut.size === 0 && fit?.bySet.size ? fit.bySet.get(name) : retrieval) ?? []),
  }))
  const card = alignmentCard(id, alignment.space, about, retrieval, shapes)
  const found: Alignment = { weights, card }
  if (folder) await saveAlignment(folder, found)
  return found
}

/** These parameters' weights alone. */
function only(params: readonly Param[], weights: Weights): Weights {
  return new Map(params.map(({ name }) => [name, weights.get(name) ?? new Float32Array()]))
}

/** Clips that stage 1 does not learn from, drawn by the seed; all others keep their order. */
function drawHeldOut(clips: readonly Example[], share: number, seed: number): Set<Example> {
  return new Set(
    Rng.fork(seed, "held out of stage 1")
      .shuffle(clips)
      .slice(0, Math.round(share * clips.length)),
  )
}

/** How well held-out clips find their own answers, the mean over the prompts. */
function retrievalScore(
  graphs: AlignGraphs,
  unseen: FeatureSet<Example>,
  targets: TextTargets,
  sets?: ReadonlyMap<string, string>,
) {
  return async (weights: Weights) => {
    const skills = [...(await retrievalBy(graphs, unseen, targets, weights, sets))].map(
      ([prompt, { skill }]) => [`retrieval.${prompt}`, skill] as const,
    )
    const score = skills.reduce((sum, [, skill]) => sum + skill / skills.length, 0)
    return { score, ...Object.fromEntries(skills) }
  }
}

/** Accuracy on validation clips by class prototypes; null without them. */
function scoreBy(trial: Trial, graphs: AlignGraphs, targets: TextTargets) {
  const { val } = trial.data
  const prototypes = prototypesFrom(trial, targets)
  return async (weights: Weights) => {
    if (val.examples.length === 0 || !prototypes) return null
    const rows = (await prototypeProbabilities(graphs, val, weights, prototypes)).get("all") ?? []
    return { score: shareRight(rows, val.examples) }
  }
}

function prototypesFrom(trial: Trial, targets: TextTargets) {
  const { prompts, classes } = trial.experiment.settings
  const described = trial.data.labelled.examples.filter(({ id }) => isDescribed(id, prompts, targets.embeddings))
  return prototypesOf(targets, described, classes.length)
}

/** The weights with those of the class prototypes, which are also scored by themselves. */
async function withPrototypes(trial: Trial, graphs: AlignGraphs, aligned: Aligned): Promise<Weights> {
  const { model } = trial.experiment.settings
  const { text, suffix } = aligned.language
  const clips = new Set(trial.data.train.examples.map(({ id }) => id))
  const targets = { width: text.width, embeddings: trainingTargets(text.table, clips, text) }
  const prototypes = prototypesFrom(trial, targets)
  if (!prototypes && model.prototypeWeight > 0) throw noPrototypes()
  if (!prototypes) return aligned.weights
  const weights: Weights = new Map([...aligned.weights, ...prototypeWeights(prototypes)])
  if (suffix) return weights
  for (const [prompt, rows] of await prototypeProbabilities(graphs, trial.data.test, weights, prototypes)) {
    trial.predict(prompt === "all" ? "stage 1 alone" : `stage 1, prompt ${prompt}`, graphs.trained, rows)
  }
  return weights
}

function shareRight(rows: readonly Float32Array[], examples: readonly Labelled[]): number {
  return rows.filter((row, i) => row.indexOf(Math.max(...row)) === examples[i].label).length / rows.length
}
