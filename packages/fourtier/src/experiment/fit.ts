/**
 * The fit of stage 1: processors from clips and answers, kept for every trial of every run.
 *
 * ```
 * closed form    ridge regression, each prompt by itself       <cache>/alignments/<one prompt>  ─┐
 *                                                              <cache>/alignments/<another>     ─┴─ joined ─► processors
 * trained        InfoNCE and AdamW, all prompts at once        <cache>/alignments/<all prompts> ────────────► processors
 * ```
 * A closed-form processor depends on its own prompt alone, so any choice of prompts is put together from what is there. Trained
 * ones share batches, validation and the norm of their gradients, so they are kept together.
 */

import { createHash } from "node:crypto"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { distinct } from "@fourtier/core"
import {
  type AlignGraphs,
  alignmentTask,
  type Example,
  type FeatureSet,
  fitRidge,
  type Labelled,
  type Prototypes,
  prototypeProbabilities,
  prototypesOf,
  type Retrieval,
  retrievalBy,
  type TextTargets,
} from "@fourtier/core/train"
import { Rng } from "@fourtier/tensor"
import { initialize, type Weights } from "@fourtier/tensor/nn"
import { bytesOf, hashJson } from "@fourtier/tensor/node"
import { trainingTargets } from "../text/targets.ts"
import { markUsed } from "../util/cache-folders.ts"
import { type Alignment, alignmentCard, loadAlignment, saveAlignment } from "./alignment.ts"
import { isDescribed } from "./examples.ts"
import type { ExperimentSettings } from "./experiment.ts"
import type { Language } from "./language.ts"
import { shareStage1, type Team } from "./together.ts"
import type { Trial } from "./trial.ts"

/** Counts up where the same inputs give another fit: fits of before are not taken over. */
const FIT_VERSION = 3

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
export async function fitAlignment(trial: Trial, language: Language, graphs: AlignGraphs): Promise<Alignment> {
  const { start, epochs, minUpdates } = trial.experiment.settings.align
  const closed = start === "ridge" && epochs === 0 && minUpdates === 0
  return closed ? solveAlignment(trial, language, graphs) : trainAlignment(trial, language, graphs)
}

/** Solves the prompts that are not kept yet, all of them at once, and joins them with those that are. */
async function solveAlignment(trial: Trial, language: Language, graphs: AlignGraphs): Promise<Alignment> {
  const { align, prompts, alignment, sets, signal } = trial.experiment.settings
  const { space, cache, given } = alignment
  const prior = given?.card.id ?? null
  const { aligned, train } = trial.data
  const set = { ...aligned, examples: describedOf(trial, language) }
  const targets = targetsOf(language, set.examples)
  const found = new Map<string, Alignment>()
  const ids = new Map(
    prompts.map((prompt) => {
      const own = { ...space, prompts: space.prompts.filter(({ id }) => id === prompt) }
      // the channels' statistics come from the views of stage 2
      const clips = [aligned.source.id, aligned.examples, train.source.id, train.examples, [...(sets ?? [])]]
      const parts = [align.ridge, hashTexts(targets, prompt), clips, own, prior]
      return [prompt, hashJson([FIT_VERSION, ...parts])] as const
    }),
  )
  for (const [prompt, id] of ids) {
    const known = await keptAlignment(cache, id)
    if (known) found.set(prompt, known)
  }
  const missing = prompts.filter((prompt) => !found.has(prompt))
  if (missing.length > 0) {
    const standardize = await statisticsFor(trial, graphs)
    const spec = { ...graphs.spec, prompts: missing }
    const fit = await fitRidge(set, standardize, targets, spec, {
      sets,
      prior: given?.weights,
      signal,
    })
    for (const prompt of missing) {
      // processor.<prompt>.weight and the like; the temperature stays as it is
      const params = graphs.trained.filter(({ name }) => name.split(".")[1] === prompt)
      const start = initialize(params, (name) => Rng.fork("stage 1", name))
      const solved = params.map(
        ({ name }) => [name, fit.weights.get(name) ?? start.get(name) ?? new Float32Array()] as const,
      )
      const weights: Weights = new Map([...standardize, ...solved])
      const shapes = shapesOf([...graphs.frozen, ...params])
      const retrieval = only(fit.retrieval, prompt)
      const bySet = new Map([...fit.bySet].map(([name, byPrompt]) => [name, only(byPrompt, prompt)] as const))
      const about = aboutSets(trial, set.examples, retrieval, bySet)
      const own = { ...space, prompts: space.prompts.filter(({ id }) => id === prompt) }
      const alone = { weights, card: alignmentCard(ids.get(prompt) ?? "", own, about, retrieval, shapes) }
      if (cache) await saveAlignment(folderOf(cache.folder, alone.card.id), alone)
      found.set(prompt, alone)
    }
  }
  return joined(
    trial,
    set.examples,
    prompts.flatMap((prompt) => found.get(prompt) ?? []),
  )
}

/** One alignment of prompts that were solved one by one. */
function joined(trial: Trial, described: readonly Example[], parts: readonly Alignment[]): Alignment {
  const { space } = trial.experiment.settings.alignment
  const retrieval = new Map(parts.flatMap(({ card }) => Object.entries(card.retrieval)))
  const bySet = new Map(
    distinct(parts.flatMap(({ card }) => card.sets.map(({ name }) => name))).map((name) => {
      const own = parts.flatMap(({ card }) => card.sets.filter((one) => one.name === name))
      return [name, new Map(own.flatMap((one) => Object.entries(one.retrieval)))] as const
    }),
  )
  const shapes = Object.assign({}, ...parts.map(({ card }) => card.shapes))
  const id = hashJson(parts.map(({ card }) => card.id))
  return {
    weights: new Map(parts.flatMap(({ weights }) => [...weights])),
    card: alignmentCard(id, space, aboutSets(trial, described, retrieval, bySet), retrieval, shapes),
  }
}

/** Trains the processors of all prompts together; those of a wider choice of prompts serve as well where it is kept. */
async function trainAlignment(trial: Trial, language: Language, graphs: AlignGraphs): Promise<Alignment> {
  const { text, suffix } = language
  const { align, alignment, sets, signal } = trial.experiment.settings
  const { given } = alignment
  const { aligned: train, val } = trial.data
  const described = describedOf(trial, language)
  const judges =
    align.epochs > 0 && val.examples.length > 0 ? [val.source.id, val.examples, trial.data.labelled.examples] : []
  const clips = [train.source.id, train.examples, described, judges, [...(sets ?? [])]]
  const prior = given?.card.id ?? null
  const common = { version: FIT_VERSION, align, text: text.id, batch: graphs.batch, seed: trial.seed, clips, prior }
  for (const space of [alignment.space, ...(alignment.wider ? [alignment.wider] : [])]) {
    const known = await keptAlignment(alignment.cache, hashJson({ ...common, space }))
    if (!known) continue
    trial.keepJournal(`stage 1${suffix}`)
    return known
  }
  const id = hashJson({ ...common, space: alignment.space })
  const standardize = await statisticsFor(trial, graphs)
  const heldOut = align.epochs > 0 ? drawHeldOut(described, align.holdOut, trial.seed) : new Set<Example>()
  const set = { ...train, examples: described.filter((clip) => !heldOut.has(clip)) }
  const unseen = { ...train, examples: described.filter((clip) => heldOut.has(clip)) }
  const targets = targetsOf(language, described)
  const options = { sets, prior: given?.weights, signal }
  const fit = align.start === "ridge" ? await fitRidge(set, standardize, targets, graphs.spec, options) : null
  const judge = heldOut.size > 0 ? retrievalScore(graphs, unseen, targets, sets) : scoreBy(trial, graphs, targets)
  const task = alignmentTask(graphs, { train: set, val }, targets, standardize, judge)
  const start = fit ? async () => fit.weights : undefined
  const share = (team: Team) =>
    shareStage1(team, { graphs, schedule: align, seed: trial.seed, train: set, texts: targets, frozen: standardize })
  const trained = await trial.train(`stage 1${suffix}`, task, align, { align, id }, { start, share })
  const weights: Weights = new Map([...standardize, ...trained])
  const retrieval =
    heldOut.size > 0
      ? await retrievalBy(graphs, unseen, targets, weights, sets)
      : (fit?.retrieval ?? new Map<string, Retrieval>())
  const bySet = heldOut.size === 0 ? (fit?.bySet ?? new Map()) : new Map()
  const about = aboutSets(trial, described, retrieval, bySet)
  const shapes = shapesOf([...graphs.frozen, ...graphs.trained])
  const found = { weights, card: alignmentCard(id, alignment.space, about, retrieval, shapes) }
  if (alignment.cache) await saveAlignment(folderOf(alignment.cache.folder, id), found)
  return found
}

/** Statistics of the channels: of an alignment from elsewhere, or of the trial's training clips. */
async function statisticsFor(trial: Trial, graphs: AlignGraphs): Promise<Weights> {
  const { given } = trial.experiment.settings.alignment
  if (!given) return trial.standardize()
  return new Map(graphs.frozen.map(({ name }) => [name, given.weights.get(name) ?? new Float32Array()]))
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

/** Training clips with an answer to any prompt: the others sit out stage 1. */
function describedOf({ data, experiment }: Trial, { text }: Language): Example[] {
  return data.aligned.examples.filter(({ id }) => isDescribed(id, experiment.settings.prompts, text.table))
}

function targetsOf({ text }: Language, described: readonly Example[]): TextTargets {
  const embeddings = trainingTargets(text.table, new Set(described.map(({ id }) => id)), text)
  return { width: text.width, embeddings }
}

/** Names the texts that a prompt's processor meets, and their clips. */
function hashTexts({ embeddings }: TextTargets, prompt: string): string {
  const hash = createHash("sha256")
  for (const [clip, vector] of embeddings.get(prompt) ?? []) hash.update(`${clip}\u0000`).update(bytesOf(vector))
  return hash.digest("hex")
}

const folderOf = (cache: string, id: string) => join(cache, id.slice(0, 32))

async function keptAlignment(cache: ExperimentSettings["alignment"]["cache"], id: string): Promise<Alignment | null> {
  const folders = cache ? [cache.folder, ...cache.others].map((root) => folderOf(root, id)) : []
  const known = folders.find((folder) => existsSync(join(folder, "alignment.json")))
  if (known === undefined) return null
  await markUsed(join(known, "alignment.json"))
  return loadAlignment(known)
}

const only = <T>(byPrompt: ReadonlyMap<string, T>, prompt: string) =>
  new Map([...byPrompt].filter(([id]) => id === prompt))

const shapesOf = (params: AlignGraphs["trained"]) =>
  Object.fromEntries(params.map(({ name, shape }) => [name, [...shape]]))

/** The data sets of an alignment with what was measured on each: on all together where there is one. */
function aboutSets(
  { data, experiment }: Trial,
  described: readonly Example[],
  retrieval: ReadonlyMap<string, Retrieval>,
  bySet: ReadonlyMap<string, ReadonlyMap<string, Retrieval>>,
) {
  const { sets } = experiment.settings
  const nameOf = ({ id }: Example) => sets?.get(id) ?? data.training
  return distinct(data.train.examples.map(nameOf)).map((name) => ({
    name,
    clips: data.train.examples.filter((clip) => nameOf(clip) === name).length,
    described: described.filter((clip) => nameOf(clip) === name).length,
    retrieval: Object.fromEntries((bySet.size > 0 ? bySet.get(name) : retrieval) ?? []),
  }))
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

/**
 * Class prototypes of the labelled clips' texts; null where some class has no labelled clip with a text.
 *
 * @example
 * ```ts
 * import type { TextTargets } from "@fourtier/core/train"
 * import { prototypesFrom, type Trial } from "fourtier/experiment"
 *
 * const hasPrototypes = (trial: Trial, targets: TextTargets) => prototypesFrom(trial, targets) !== null
 * ```
 */
export function prototypesFrom(trial: Trial, targets: TextTargets): Prototypes | null {
  const { prompts, classes } = trial.experiment.settings
  const described = trial.data.labelled.examples.filter(({ id }) => isDescribed(id, prompts, targets.embeddings))
  return prototypesOf(targets, described, classes.length)
}

function shareRight(rows: readonly Float32Array[], examples: readonly Labelled[]): number {
  return rows.filter((row, i) => row.indexOf(Math.max(...row)) === examples[i].label).length / rows.length
}
