/**
 * Stage 1 of a trial (paper Sec. 3.2): the feature processors are aligned with the text embeddings of the VLM's answers.
 *
 * ```
 * answers about training clips ─ e_i ─┐
 *                                     ├─ ridge regression, or InfoNCE and AdamW, or one after the other ─► processors
 * s, t of the same clips ─ v_i ───────┘
 * ```
 * It needs no label, so it is done once for all numbers of labels (`fit.ts`), and not at all with an alignment from elsewhere. On
 * the way it is scored by itself, by class prototypes: the figures "stage 1, prompt A" … and "stage 1 alone".
 */

import {
  type AlignGraphs,
  embedExamples,
  promptWeights,
  prototypeProbabilities,
  prototypeWeights,
  type Retrieval,
  relevance,
} from "@fourtier/core/train"
import { Rng } from "@fourtier/tensor"
import type { Weights } from "@fourtier/tensor/nn"
import { meanOf, meanRow, trainingTargets } from "../text/targets.ts"
import { noPrototypes } from "./check.ts"
import { fitAlignment, prototypesFrom } from "./fit.ts"
import type { Language } from "./language.ts"
import type { Trial } from "./trial.ts"

/** Clips whose answers are looked at to tell how relevant a prompt is, at most. */
const RELEVANCE_CLIPS = 10_000

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
  /** By prompt, then clip: these embeddings [Dt], not centred; null where processors are not of the text space. */
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
  if (!language.suffix) trial.result.means = means
  const predicted =
    embedded &&
    new Map(
      [...embedded].map(([prompt, rows]) => [
        prompt,
        new Map(data.train.examples.map(({ id }, i) => [id, rows[i]] as const)),
      ]),
    )
  const some = sampleOf(data.train.examples.map(({ id }) => id))
  const relevances = new Map(
    prompts.map((prompt) => {
      const mean = means.get(prompt) ?? new Float32Array(text.width)
      const answers = some.flatMap((id) => text.table.get(prompt)?.get(id) ?? [])
      const own = some.flatMap((id) => predicted?.get(prompt)?.get(id) ?? [])
      const known =
        answers.length > 0
          ? answers.map((vector) => meanRow(vector, text.width))
          : own.map((row) => row.map((x, d) => x - mean[d]))
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

/** Clips whose answers tell how relevant a prompt is: all, or some by chance where there are very many. */
function sampleOf(clips: readonly string[]): readonly string[] {
  return clips.length <= RELEVANCE_CLIPS ? clips : Rng.fork("relevance").shuffle(clips).slice(0, RELEVANCE_CLIPS)
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
