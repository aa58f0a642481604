/** From the stages before training to what all trials share. */

import { plural } from "@fourtier/core"
import type { Prompt } from "./describe/prompts.ts"
import { checkAlignment, loadAlignment } from "./experiment/alignment.ts"
import { tooFewAnswers } from "./experiment/check.ts"
import { countLabelled, isDescribed } from "./experiment/examples.ts"
import type { ExperimentSettings } from "./experiment/experiment.ts"
import { rankThreads } from "./experiment/together.ts"
import { type Features, learnsBackground, type StageContext, viewRecipes } from "./stages/index.ts"
import type { EmbeddedTexts } from "./text/targets.ts"
import { cacheFolders } from "./util/cache-folders.ts"
import type { Split } from "./video/splits.ts"

/** What all trials share: see `experiment/experiment.ts`. */
export async function experimentSettings(
  classes: readonly string[],
  splits: readonly Split[],
  prompts: readonly Prompt[],
  text: EmbeddedTexts | null,
  features: Features,
  context: StageContext,
): Promise<ExperimentSettings> {
  const { config, reporter, signal, ranks } = context
  const { encoder, align: aligning, train, test } = features
  const ids = text ? prompts.map(({ id }) => id) : []
  const alignment = await alignmentSettings(prompts, text, features, context)
  const fitted = text !== null && (!alignment.given || alignment.refine)
  const { model, align, finetune, linearProbe, rowProbe, attentiveProbe, vjepaProbe, labelsPerClass, pseudoLabels } =
    config
  const { provider, threads } = config.runtime
  const own = threads ?? (ranks ? rankThreads(ranks) : undefined)
  if (ranks)
    reporter.say(`${ranks.size} processes train together (${ranks.version}), ${plural(own ?? 1, "thread")} each`)
  return {
    classes,
    background: learnsBackground(splits, config),
    prompts: ids,
    size: encoder.size,
    model,
    align,
    training: { finetune, linearProbe, rowProbe, attentiveProbe, vjepaProbe },
    text,
    alignment,
    features: {
      ...(aligning === train ? {} : { align: { source: aligning.store, views: aligning.views } }),
      train: train.store,
      trainViews: train.views,
      test: test.store,
      testViews: test.views,
    },
    labelsPerClass,
    pseudoLabels,
    fewestClips: Math.min(...splits.map((split) => countLabelled(split.train, labelsPerClass))),
    fewestDescribed: fitted ? fewestDescribed(splits, ids, text.table, config.align.start === "ridge" ? 3 : 2) : 0,
    runtime: { provider, threads: own },
    ...(ranks ? { team: { ranks, provider, threads: threads ?? undefined } } : {}),
    reporter,
    signal,
  }
}

/** What an alignment of these clips and texts reads and meets, and the one that the configuration names. */
async function alignmentSettings(
  prompts: readonly Prompt[],
  text: EmbeddedTexts | null,
  { encoder }: Features,
  { config, reporter }: StageContext,
): Promise<ExperimentSettings["alignment"]> {
  const { sampling, steps } = viewRecipes(config, encoder).align
  const { pool, width, processors, processorWeights, processorHidden } = config.model
  const { similarity } = config.align
  const space = {
    encoder: encoder.id,
    sampling,
    steps,
    pool,
    width,
    processors,
    processorWeights,
    processorHidden,
    similarity,
    textEncoder: text?.encoder ?? "",
    textWidth: text?.width ?? 0,
    prompts: prompts.map(({ id, text: words }) => ({ id, text: words })),
  }
  const { alignments, older } = cacheFolders(config.cache)
  const cache = { folder: alignments, others: older ? [older.alignments] : [] }
  if (!config.alignment || !text) return { space, cache, given: null, refine: false }
  const given = await loadAlignment(config.alignment)
  checkAlignment(config.alignment, given.card, space)
  const refine = config.align.refine && [...text.table.values()].some(({ size }) => size > 0)
  if (config.align.refine && !refine) reporter.warn("align.refine: no answers about these clips, so nothing is refined")
  const sets = given.card.sets.map(({ name }) => name).join(", ")
  reporter.say(`stage 1: the alignment ${config.alignment} (${sets})${refine ? ", refined by these answers" : ""}`)
  return { space, cache, given, refine }
}

/** Training clips with an answer to any prompt, of the split that has the fewest. */
function fewestDescribed(
  splits: readonly Split[],
  prompts: readonly string[],
  table: EmbeddedTexts["table"],
  least: number,
): number {
  for (const { name, train } of splits) {
    for (const prompt of prompts) {
      const count = train.filter(({ id }) => table.get(prompt)?.has(id)).length
      if (count >= least) continue
      throw tooFewAnswers(name, prompt, least, count, train.length)
    }
  }
  return Math.min(...splits.map(({ train }) => train.filter(({ id }) => isDescribed(id, prompts, table)).length))
}
