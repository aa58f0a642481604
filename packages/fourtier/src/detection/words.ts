/**
 * Stage 1 of detection (paper Sec. 3.2 and 4.2): processors learn what is said of the clips around key frames, or of the people in them.
 *
 * ```
 * about clips     answer about a clip ─── e ◄─ processors ─ s, t of the whole map
 * about people    answer about a person ─ e ◄─ processors ─ mean of the map over the person's region
 * ```
 * Processors for people share their weights over frames and places. They are linear, so what they say of the places of a region is on
 * average what they say of the region: RoIAlign of the fused map reads about each person what was learned about people.
 */

import { groupBy, type Reporter } from "@fourtier/core"
import { boxOnView } from "@fourtier/core/frames"
import type { MapSize } from "@fourtier/core/model"
import type { ContrastiveConfig, ModelConfig, ScheduleConfig, Step } from "@fourtier/core/schemas"
import {
  AlignGraphs,
  alignmentTask,
  type Example,
  type FeatureSet,
  type FeatureSource,
  fitRidge,
  MemoryFeatures,
  type Retrieval,
  regionMeans,
  train,
} from "@fourtier/core/train"
import { FourtierError, type SessionOptions } from "@fourtier/tensor"
import type { Weights } from "@fourtier/tensor/nn"
import { type EmbeddedTexts, shuffledTable, trainingTargets } from "../text/targets.ts"
import type { FramedClip } from "./clips.ts"
import type { PersonClip } from "./people.ts"

/** Whom an answer is about: everybody in a clip, or one person. */
export const SUBJECTS = ["clip", "person"] as const
export type Subject = (typeof SUBJECTS)[number]

/** The answers that stage 1 learns from. */
export interface DetectionWords {
  subject: Subject
  prompts: readonly string[]
  /** By the ids of clips, or of people's clips (`peopleClips`). */
  text: EmbeddedTexts
  /** The people of the training clips, for the subject `person`. */
  people: readonly PersonClip[]
}

/** What stage 1 needs besides. */
export interface StageOneSettings {
  features: FeatureSource
  size: MapSize
  /** From a clip's pictures to what the encoder sees. */
  steps: readonly Step[]
  model: ModelConfig
  align: ContrastiveConfig & ScheduleConfig
  runtime: SessionOptions
  reporter: Reporter
  signal?: AbortSignal
}

export interface StageOne {
  /** `standardize.*` and the processors'. */
  weights: Weights
  /** By prompt: how well described clips or people of videos that were held out find their own answers. */
  retrieval: ReadonlyMap<string, Retrieval>
  /** How many were learned from. */
  described: number
}

/** The network's settings where answers are about single people: processors share their weights over places. */
export function modelFor(subject: Subject, model: ModelConfig): ModelConfig {
  return subject === "person" ? { ...model, processorWeights: "shared" } : model
}

/**
 * Aligns the processors with the answers, or for a control with those about others.
 * @param clips training clips
 * @param standardize fitted on them
 * @param shuffled null: everybody's own answers; a seed: everybody has those of somebody else
 * @throws FourtierError where there are too few answers
 *
 * @example
 * ```ts
 * import { alignWords, type DetectionWords, type FramedClip, type StageOneSettings } from "fourtier/detection"
 * import type { Weights } from "@fourtier/tensor/nn"
 *
 * // Whether the answers to prompt B tell anything of clips that were not learned from.
 * async function tells(words: DetectionWords, clips: FramedClip[], fitted: Weights, settings: StageOneSettings) {
 *   const { retrieval } = await alignWords(words, clips, fitted, settings, null)
 *   return (retrieval.get("B")?.z ?? 0) > 3
 * }
 * ```
 */
export async function alignWords(
  words: DetectionWords,
  clips: readonly FramedClip[],
  standardize: Weights,
  settings: StageOneSettings,
  shuffled: number | null,
): Promise<StageOne> {
  const { subject, prompts, text } = words
  const { align, size, runtime, reporter, signal } = settings
  const model = modelFor(subject, settings.model)
  const { source, examples, groups } =
    subject === "person" ? await peopleRows(words.people, settings) : clipRows(clips, settings.features)
  const described = examples.filter(({ id }) => prompts.some((prompt) => text.table.get(prompt)?.has(id)))
  if (described.length === 0) {
    throw new FourtierError({
      where: "answers",
      what: `none is about a ${subject === "person" ? "person" : "clip"} of the part train`,
      expected: `answers that name ${subject === "person" ? "video@second#track" : "video@second"}, such as ${examples[0]?.id ?? "yard@3"}`,
      fix: "see docs/detection.md for how clips and people are described",
    })
  }
  const set = { source, examples: described }
  const ids = new Set(described.map(({ id }) => id))
  const table = shuffled === null ? text.table : shuffledTable(text.table, [...ids], shuffled).table
  const targets = { width: text.width, embeddings: trainingTargets(table, ids, text) }
  const partial = prompts.some((prompt) => (targets.embeddings.get(prompt)?.size ?? 0) < ids.size)
  const spec = {
    size: subject === "person" ? { T: 1, H: 1, W: 1, D: size.D } : size,
    prompts,
    textWidth: text.width,
    contrastive: align,
    width: model.width,
    processors: model,
    partial,
  }
  const ridge = align.start === "ridge" ? await fitRidge(set, standardize, targets, spec, { groups, signal }) : null
  const retrieval = ridge?.retrieval ?? new Map<string, Retrieval>()
  if (ridge && align.epochs === 0 && align.minUpdates === 0) {
    return { weights: new Map([...standardize, ...ridge.weights]), retrieval, described: described.length }
  }
  const batch = Math.min(align.batch, described.length)
  const chunk = Math.min(align.microBatch ?? batch, batch)
  const graphs = await AlignGraphs.compile(spec, batch - (batch % chunk), chunk, runtime)
  try {
    const data = { train: set, val: { source, examples: [] } }
    const task = alignmentTask(graphs, data, targets, standardize, async () => null)
    const options = { schedule: align, seed: shuffled ?? 0, start: ridge?.weights, reporter, runtime, signal }
    const { weights } = await train(task, options)
    return { weights: new Map([...standardize, ...weights]), retrieval, described: described.length }
  } finally {
    await graphs.release()
  }
}

/** What stage 1 reads, and what of it is held out together. */
interface Rows extends FeatureSet<Example> {
  /** The video of each, by id: key frames of one video lie close together. */
  groups: ReadonlyMap<string, string>
}

function clipRows(clips: readonly FramedClip[], source: FeatureSource): Rows {
  const examples = clips.map(({ clip: { id, hash } }) => ({ id, hash, views: [0] }))
  return { source, examples, groups: new Map(clips.map(({ clip, keyFrame }) => [clip.id, keyFrame.videoId])) }
}

/** The regions' means as records of one frame and one place. */
async function peopleRows(people: readonly PersonClip[], { features, size, steps }: StageOneSettings): Promise<Rows> {
  const byClip = [...groupBy(people, ({ framed }) => framed.clip.hash).values()]
  const clips = byClip.map((own) => {
    const [{ framed }] = own
    const boxes = own.map(({ person }) => boxOnView(person.box, framed.clip, steps))
    return { id: framed.clip.id, hash: framed.clip.hash, views: [0], boxes }
  })
  const means = await regionMeans({ source: features, examples: clips }, size)
  const source = new MemoryFeatures(`${features.id}, regions`, { T: 1, N: 1, D: size.D })
  const ordered = byClip.flatMap((own, i) => own.map(({ clip: { id } }, k) => ({ id, mean: means[i][k] })))
  for (const { id, mean } of ordered) source.add({ clip: id, view: 0 }, mean)
  return {
    source,
    examples: ordered.map(({ id }) => ({ id, hash: id, views: [0] })),
    groups: new Map(people.map(({ clip, framed }) => [clip.id, framed.keyFrame.videoId])),
  }
}
