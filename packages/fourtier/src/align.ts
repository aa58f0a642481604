/**
 * Stage 1 over several data sets at once (paper Sec. 3.2: it "only needs to be performed once"): an alignment that any other set
 * may use, without answers of its own.
 */

import { basename, join, resolve } from "node:path"
import { FourtierError } from "@fourtier/tensor"
import { writeFileAtomic } from "@fourtier/tensor/node"
import { type Alignment, saveAlignment } from "./experiment/alignment.ts"
import { checkStages } from "./experiment/check.ts"
import { Experiment } from "./experiment/experiment.ts"
import { fitAlignment } from "./experiment/fit.ts"
import { languageOf } from "./experiment/language.ts"
import { Trial } from "./experiment/trial.ts"
import { experimentSettings } from "./experiment-settings.ts"
import { promptsOf } from "./requirements.ts"
import type { StageContext } from "./stages/index.ts"
import * as stages from "./stages/index.ts"
import type { Clip } from "./video/manifest.ts"
import type { Split } from "./video/splits.ts"

/**
 * Aligns the processors with the answers about the training clips of all sets; every set weighs the same. Labels are not used,
 * validation and test clips are neither described nor looked at.
 * @param data folders or tables of clips, each with a source of answers as `runRecipe` finds it
 * @param out folder of the alignment
 * @param configText the resolved config as it is to be stored
 *
 * @example
 * ```ts
 * import { alignSets, loadConfig, terminalReporter } from "fourtier"
 *
 * const { value: config, print } = await loadConfig()
 * const context = { config, reporter: terminalReporter() }
 * const { card } = await alignSets(["dances", "sports"], "runs/alignment", print(), context)
 * ```
 */
export async function alignSets(
  data: readonly string[],
  out: string,
  configText: string,
  given: StageContext,
): Promise<Alignment> {
  const { views } = given.config
  // there is no stage 2 to see other views
  const config = { ...given.config, views: { ...views, train: views.align ?? views.train, align: null } }
  const context = { ...given, config }
  checkStages(config)
  const prompts = promptsOf(config)
  const ids = prompts.prompts.map(({ id }) => id)
  if (ids.length === 0) {
    throw new FourtierError({
      where: "prompts",
      what: "an alignment needs prompts",
      found: "none",
      fix: "set prompts=paper",
    })
  }
  if (config.alignment) {
    throw new FourtierError({
      where: "alignment",
      what: "an alignment is made here, not taken from elsewhere",
      found: config.alignment,
      fix: "leave the setting out",
    })
  }
  const names = namesOf(data)
  const sets = new Map<string, string>()
  const clips: Clip[] = []
  const answers = new Map<string, Readonly<Record<string, string>>>()
  const classes = new Set<string>()
  for (const [i, folder] of data.entries()) {
    const manifest = await stages.measure(folder, join(out, "manifests", `${names[i]}.jsonl`), context, false)
    const train = trainingPart(folder, await stages.splitsOf(folder, manifest, context))
    const own = await stages.describeClips(folder, manifest.clips, new Set(train.map(({ id }) => id)), prompts, context)
    for (const clip of train) {
      const id = `${names[i]}/${clip.id}`
      sets.set(id, names[i])
      clips.push({ ...clip, id })
      const told = own.get(clip.id)
      if (told) answers.set(id, told)
    }
    for (const label of manifest.classes) classes.add(label)
  }
  await writeFileAtomic(join(out, "config.yaml"), configText)
  const planned: Split = { name: "all sets", training: "all sets", fold: false, train: clips, val: [], test: [] }
  const own = stages.contextFor(clips, context)
  const features = await stages.extract([planned], own)
  const splits = stages.withoutFailed([planned], features)
  const text = await stages.embedTexts(answers, ids, [...classes], features.encoder, context)
  const settings = await experimentSettings([...classes], splits, prompts.prompts, text, features, own)
  const experiment = new Experiment({ ...settings, sets })
  try {
    const trial = new Trial(experiment, splits[0], config.seed, join(out, "trial"))
    const language = languageOf(trial, false)
    if (!language) throw new Error("internal error: an alignment without texts")
    const alignment = await fitAlignment(trial, language, await experiment.alignGraphs())
    await saveAlignment(out, alignment)
    return alignment
  } finally {
    await experiment.release()
    await stages.closeFeatures(features)
  }
}

/** The folders' own names; those that occur twice are numbered. */
function namesOf(data: readonly string[]): string[] {
  const names = data.map((folder) => basename(resolve(folder)))
  const taken = new Set<string>()
  return names.map((name) => {
    let free = name
    for (let number = 2; taken.has(free); number++) free = `${name}-${number}`
    taken.add(free)
    return free
  })
}

/** The one training part of a set. */
function trainingPart(folder: string, splits: readonly Split[]): Clip[] {
  if (new Set(splits.map(({ training }) => training)).size === 1) return splits[0].train
  throw new FourtierError({
    where: folder,
    what: "the clips are in folds, so each of them is a test clip once",
    expected: "one training part, so that no test clip is learned from",
    fix: "name a column that says train or test (--split), or draw a test part (--set split.test=0.2)",
  })
}
