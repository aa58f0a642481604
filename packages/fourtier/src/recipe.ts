/**
 * The whole method, top to bottom.
 *
 * ```
 * clips ─ 1 manifest ─ 2 splits ─┬─ 3 strips ─ VLM ─ answers ─ 5 text embeddings e_i ─┐
 *                                │                                                    ├─ 6 stage 1, stage 2 ─ 7 report
 *                                └─ 4 frames ─ frozen encoder ─ features m, s, t ─────┘                     └─ 8 bundle
 * ```
 * A part whose inputs have not changed is not computed again.
 */

import { rm } from "node:fs/promises"
import { join } from "node:path"
import { csvLine } from "@fourtier/core"
import { type Method, methodNamed, titleOf } from "@fourtier/core/model"
import type { Unknown } from "@fourtier/core/schemas"
import type { Example, FeatureSet, Taught } from "@fourtier/core/train"
import { writeFileAtomic } from "@fourtier/tensor/node"
import { classesOf, classWords } from "./classes.ts"
import { collect, PSEUDO_LABELLED_BASELINE } from "./collect.ts"
import type { Bundle } from "./deploy/index.ts"
import type { BackgroundTrial } from "./evaluate/results.ts"
import { loadAlignment } from "./experiment/alignment.ts"
import { type BackgroundFigures, heldOutBackground, judgeBackground } from "./experiment/background.ts"
import { type CalibratedTrial, type Calibrations, calibrate } from "./experiment/calibrate.ts"
import { checkAnswers, checkStages } from "./experiment/check.ts"
import { Experiment } from "./experiment/experiment.ts"
import { type Inspection, inspectTrials } from "./experiment/inspection.ts"
import { languageOf } from "./experiment/language.ts"
import { addPseudoLabels } from "./experiment/pseudo-labelled.ts"
import { type Aligned, alignProcessors } from "./experiment/stage1.ts"
import { fineTune } from "./experiment/stage2.ts"
import type { Suggestion } from "./experiment/suggest.ts"
import { safeName, Trial, type TrialResult } from "./experiment/trial.ts"
import { experimentSettings } from "./experiment-settings.ts"
import { aboutRun } from "./report/about.ts"
import { writeCard } from "./report/card.ts"
import { type Report, writeReport } from "./report/report.ts"
import { writeAbout } from "./report/run-files.ts"
import { writeRunReport } from "./report/run-report.ts"
import * as needs from "./requirements.ts"
import { type Final, ship } from "./shipping.ts"
import type { StageContext } from "./stages/index.ts"
import * as stages from "./stages/index.ts"
import { ZERO_SHOT } from "./text/settings.ts"
import { StageClock } from "./util/stage-clock.ts"
import type { Clip, Manifest } from "./video/manifest.ts"
import type { Split } from "./video/splits.ts"

/** Where to stop: after stage 1, after all training, after the report, or after the shipped bundle. */
export type Until = "align" | "finetune" | "evaluate" | "export"

export interface RecipeResult {
  manifest: Manifest
  splits: Split[]
  /** Null where the recipe stopped before it, or no clip was held back for a test. */
  report: Report | null
  /** Path of `report.html`, which is there without test clips as well; null where the recipe stopped before it. */
  page: string | null
  bundle: Bundle | null
  /** Clips without a label whose label would teach most; also in `suggestions.csv`. */
  suggestions: Suggestion[]
}

/**
 * Runs everything.
 * @param data a folder of class folders, or a table of clips
 * @param out folder of the run: manifest, weights, journals, report, bundle
 * @param configText the resolved config as it is to be stored
 * @param until stops after this stage; what is done is taken over by a later run that goes further
 *
 * @example
 * ```ts
 * import { loadConfig, runRecipe, terminalReporter } from "fourtier"
 *
 * const { value: config, print } = await loadConfig({ file: "config.yaml" })
 * const { report } = await runRecipe("clips", "runs/mine", print(), { config, reporter: terminalReporter() })
 * console.log(report?.text)
 * ```
 */
export async function runRecipe(
  data: string,
  out: string,
  configText: string,
  given: StageContext,
  until: Until = "export",
): Promise<RecipeResult> {
  const { config, reporter, signal } = given
  const clock = new StageClock()
  checkStages(config)
  needs.checkAlignmentUsed(config)
  // before hours of work, whether what it needs is there
  if (config.alignment) await loadAlignment(config.alignment)
  const checkSources = () => stages.checkSources(data, given)

  // 1, 2: what there is, and which clips train, validate and test
  const manifest = await stages.measure(data, join(out, "manifest.jsonl"), given, true, checkSources)
  const context = stages.contextFor(manifest.clips, given)
  await writeFileAtomic(join(out, "config.yaml"), configText)
  const { splits: planned, tested } = await stages.plan(data, manifest, context)
  const classes = classesOf(manifest, config)
  const classSpace = await stages.embedClassTexts(classes, context)
  clock.lap("measure the clips")

  // 3: a training clip becomes a strip, the strip becomes the VLM's answers
  const prompts = needs.promptsOf(config)
  const ids = prompts.prompts.map(({ id }) => id)
  const answers = needs.needsAnswers(config, data)
    ? await stages.describeClips(data, manifest.clips, stages.trainingClips(planned), prompts, { ...context, clock })
    : null
  if (answers && !config.alignment) checkAnswers(answers, planned, classes, ids, config)
  clock.lap("answers")

  // 4: a clip becomes frames, the frames become features of the frozen encoder
  const all = needs.trainedMethods(config)
  needs.checkLabels(planned, all, config)
  const features = await stages.extract(all.length > 0 ? planned : [], context)
  const splits = stages.withoutFailed(planned, features)
  clock.lap("features")

  // 5: an answer becomes a vector
  const words = answers !== null || (config.alignment !== null && ids.length > 0)
  const text = words ? await stages.embedTexts(answers, ids, classes, features.encoder, context) : null

  // 6: both stages of the method and its baselines, split by split, seed by seed
  const shipped: Method | undefined = all.includes("full") ? "full" : all[0]
  const reference = shipped ? titleOf(shipped) : ZERO_SHOT
  const configHash = needs.hashOf(config)
  const about = aboutRun({
    data,
    configHash,
    reference,
    seeds: Array.from({ length: tested ? config.seeds : 1 }, (_, i) => config.seed + i),
    encoder: features.encoder,
    splits,
    classes: classes.map((name, c) => ({ name, words: classWords(classes, config)[c] })),
    prompts: text ? prompts.prompts : [],
    answers,
    model: clock.model,
    textEncoder: config.text.encoder,
    labelsPerClass: config.labelsPerClass,
  })
  await writeAbout(out, about)
  const settings = await experimentSettings(classes, splits, prompts.prompts, text, features, context)
  settings.zeroShot = classSpace && tested ? await stages.zeroShotScores(classSpace, splits, context) : null
  const experiment = new Experiment(settings)
  const methods = tested || !shipped ? all : [shipped]
  const trained: CalibratedTrial[] = []
  let calibrations: Calibrations | null = null
  const background: BackgroundTrial[] = []
  let unknown: Unknown | null = null
  let final: Final | null = null
  let inspection: Inspection | null = null
  clock.lap("texts")
  try {
    for (const split of splits) {
      const seeds = tested ? config.seeds : 1
      for (let run = 0; run < seeds; run++) {
        const seed = config.seed + run
        if (splits.length * seeds > 1) reporter.say(`${split.name}, seed ${seed}`)
        const trial = new Trial(experiment, split, seed, join(out, "trials", safeName(split.training), `seed${seed}`))
        trained.push({ split, seed, trial, result: await runTrial(trial, methods, until, clock) })
        signal?.throwIfAborted()
      }
    }
    if ((until === "evaluate" || until === "export") && shipped) {
      calibrations = await calibrate(trained, shipped, config.calibration)
      for (const one of trained) {
        const { split, seed, trial } = one
        const found = await judgeBackground(trial, split, shipped, {
          temperature: calibrations.tested.get(split.name)?.temperature ?? 1,
          rate: config.falseAlarmRate,
          heldOut: await heldOutBackground(trained, one, shipped, config.calibration?.folds),
        })
        if (found) background.push({ split: split.name, seed, ...found })
      }
    }
    clock.lap("calibration and unknown")
    if (shipped && (until === "evaluate" || until === "export")) {
      const trials = trained.flatMap(({ seed, trial }) => (seed === config.seed ? [trial] : []))
      inspection = await inspectTrials(trials, shipped, tested)
      clock.lap("a look at single clips")
    }
    if (until === "export" && shipped) {
      final = await finalModel(experiment, trained, shipped, out)
      unknown = unknownOf(
        await judgeBackground(final.trial, final.split, shipped, {
          temperature: calibrations?.shipped?.temperature ?? 1,
          rate: config.falseAlarmRate,
          heldOut: await heldOutBackground(trained, final, shipped, config.calibration?.folds),
        }),
      )
    } else if (until === "export")
      reporter.warn("nothing is trained, so there is no bundle: zero-shot is the only method")
  } finally {
    await experiment.release()
    await stages.closeFeatures(features)
  }

  const [{ result: first }] = trained
  const { suggestions, pseudoLabels } = first
  if (pseudoLabels.length > 0) await writeFileAtomic(join(out, SUGGESTIONS), suggestionTable(suggestions))
  else await rm(join(out, SUGGESTIONS), { force: true })
  if (until === "align" || until === "finetune") {
    return { manifest, splits, report: null, page: null, bundle: null, suggestions }
  }

  // 7: what it comes to
  const heads = { classes, prompts: text ? ids : [], textWidth: text?.width ?? 0 }
  const report = tested
    ? await writeReport(out, {
        title: `${data}: ${features.encoder.name}`,
        classes,
        runs: collect(trained, reporter),
        pseudoLabels: onceATraining(trained).flatMap(({ split, seed, result: { pseudoLabels } }) =>
          pseudoLabels.map((figures) => ({ split: split.training, seed, ...figures })),
        ),
        retrieval: onceATraining(trained).flatMap(({ split, seed, result: { retrieval } }) =>
          retrieval.map((figures) => ({ split: split.training, seed, ...figures })),
        ),
        journals: onceATraining(trained).flatMap(({ result }) => result.journals),
        reference,
        calibrations: calibrations?.tested,
        background,
        exclude: config.exclude,
        together: togetherIn(splits),
        views: await stages.testedViews(features.encoder, all, heads, config),
        configHash,
      })
    : null
  clock.lap("figures with intervals")
  const page = await writeRunReport(out, {
    about,
    inspection,
    clips: manifest.clips,
    answers,
    others: suggestions.map(({ clip }) => clip),
    frames: config.keyFrames.count,
    large: stages.stripOf(config),
    journals: onceATraining(trained).flatMap(({ result }) => result.journals),
    laps: clock.laps,
    reporter,
    workers: config.runtime.workers ?? undefined,
    signal,
  })

  if (!final) return { manifest, splits, report, page, bundle: null, suggestions }

  // 8: what is shipped
  const bundle = await ship(join(out, "bundle"), final, {
    context,
    features,
    classes,
    prompts: text ? prompts.prompts : [],
    calibration: calibrations?.shipped ?? null,
    unknown,
    results: report?.results ?? null,
  })
  await writeCard(join(out, "bundle"), {
    bundle,
    about,
    results: report?.results ?? null,
    encoder: config.encoder.kind,
  })
  return { manifest, splits, report, page, bundle, suggestions }
}

/** One split with one seed: both stages of the method, and every method that it is compared with. */
export async function runTrial(
  trial: Trial,
  methods: readonly Method[],
  until: Until,
  clock?: StageClock,
): Promise<TrialResult> {
  const { prompts, fewestClips, fewestDescribed, zeroShot, reporter } = trial.experiment.settings
  const { result, data } = trial
  // what the two towers of one model know of the classes without any training
  if (zeroShot && until !== "align") trial.predict(ZERO_SHOT, [], zeroShotRows(data.test.examples, zeroShot))

  const alignedMethods = methods.map(methodNamed).filter(({ aligned }) => aligned && prompts.length > 0)
  const taught = { clips: data.taught, fewest: fewestClips }

  // stage 1: processors meet the text embeddings of the answers, or for the control those of other clips' answers
  const stage1 = new Map<boolean, { aligned: Aligned; clips: FeatureSet<Taught> | null }>()
  for (const shuffled of new Set(alignedMethods.map((method) => method.shuffled ?? false))) {
    const language = languageOf(trial, shuffled)
    if (!language) continue
    const aligned = await alignProcessors(trial, language)
    stage1.set(shuffled, { aligned, clips: until === "align" ? null : await addPseudoLabels(trial, aligned) })
  }
  clock?.lap("stage 1")
  if (until === "align") return result

  // stage 2: integration and classifier meet the labels
  for (const method of methods) {
    const { aligned: aligns, shuffled } = methodNamed(method)
    const own = aligns ? stage1.get(shuffled ?? false) : undefined
    if (!own && data.labelled.examples.length === 0) {
      reporter.say(`${titleOf(method)}: left out, since it learns from labels alone and there are none`)
      continue
    }
    const clips = own?.clips ? { clips: own.clips, fewest: Math.max(fewestClips, fewestDescribed) } : taught
    result.weights.set(method, await fineTune(trial, method, { aligned: own?.aligned, ...clips }))
    clock?.lap(`stage 2: ${titleOf(method)}`)
  }

  // what the labels do, told from what the processors do: the baseline taught by the same pseudo-labels
  const pseudoLabelled = stage1.get(false)?.clips
  if (pseudoLabelled && methods.includes("baseline")) {
    const name = PSEUDO_LABELLED_BASELINE
    await fineTune(trial, "baseline", { name, clips: pseudoLabelled, fewest: Math.max(fewestClips, fewestDescribed) })
    clock?.lap(`stage 2: ${name}`)
  }
  return result
}

/** Name of the file of a run that holds what `fourtier suggest` shows. */
export const SUGGESTIONS = "suggestions.csv"

function suggestionTable(suggestions: readonly Suggestion[]): string {
  const rows = suggestions.map(({ clip, guess, probability }) => csvLine([clip, guess, probability.toFixed(4)]))
  return csvLine(["clip", "guess", "probability"]) + rows.join("")
}

/** The probabilities of the clips, in their order. */
function zeroShotRows(clips: readonly Example[], scores: ReadonlyMap<string, Float32Array>): Float32Array[] {
  return clips.map(({ id }) => {
    const found = scores.get(id)
    if (!found) throw new Error(`internal error: no zero-shot scores of clip ${id}`)
    return found
  })
}

/**
 * The model to ship: of the first seed where there is one split; trained once more on the training clips of all folds together
 * where there are folds, whose figures then speak for it.
 */
async function finalModel(
  experiment: Experiment,
  trained: readonly CalibratedTrial[],
  method: Method,
  out: string,
): Promise<Final> {
  const [first] = trained
  const { seed } = first
  const network = experiment.networkSpec(method)
  if (!first.split.fold) return { ...first, method, network }
  experiment.settings.reporter.say("the model to ship, trained on the clips of all folds")
  const union = (pick: (split: Split) => Clip[]) => [
    ...new Map(trained.flatMap(({ split }) => pick(split).map((clip) => [clip.id, clip] as const))).values(),
  ]
  const train = union(({ train }) => train)
  const test = union(({ test }) => test)
  const background = { held: union(({ background }) => background?.held ?? []), test: [] }
  const split: Split = { name: "all clips", training: "all clips", fold: false, train, val: [], test, background }
  const trial = new Trial(experiment, split, seed, join(out, "trials", "all-clips", `seed${seed}`))
  return { split, seed, trial, result: await runTrial(trial, [method], "export"), method, network }
}

/** What a bundle keeps of it. */
function unknownOf(found: BackgroundFigures | null): Unknown | null {
  if (!found) return null
  const { threshold, falseAlarmRate, clips, learned } = found
  return { threshold, falseAlarmRate, clips, learned }
}

/** Splits that differ in their test part alone share a training: each training once. */
function onceATraining(trained: readonly CalibratedTrial[]): CalibratedTrial[] {
  return [...new Map(trained.map((trial) => [`${trial.split.training} ${trial.seed}`, trial])).values()]
}

/** The splits of several trainings, which are no folds of one: the first of each. */
function togetherIn(splits: readonly Split[]): string[] {
  return splits.filter(({ fold, name, training }) => !fold && name === training).map(({ name }) => name)
}
