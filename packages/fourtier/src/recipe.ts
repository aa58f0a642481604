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

import { join } from "node:path"
import { type Method, methodNamed } from "@fourtier/core/model"
import type { Example } from "@fourtier/core/train"
import { hashJson, writeFileAtomic } from "@fourtier/tensor/node"
import type { Bundle } from "./deploy/index.ts"
import type { MethodPredictions } from "./evaluate/results.ts"
import { checkStages } from "./experiment/check.ts"
import { Experiment } from "./experiment/experiment.ts"
import { addPseudoLabels } from "./experiment/pseudo-labelled.ts"
import { alignProcessors } from "./experiment/stage1.ts"
import { fineTune } from "./experiment/stage2.ts"
import { safeName, Trial, type TrialResult } from "./experiment/trial.ts"
import { type Report, writeReport } from "./report/report.ts"
import type { StageContext } from "./stages.ts"
import * as stages from "./stages.ts"
import { ZERO_SHOT } from "./text/settings.ts"
import type { Clip, Manifest } from "./video/manifest.ts"
import type { Split } from "./video/splits.ts"

/** Where to stop: after stage 1, after all training, after the report, or after the shipped bundle. */
export type Until = "align" | "finetune" | "evaluate" | "export"

export interface RecipeResult {
  manifest: Manifest
  splits: Split[]
  /** Null where the recipe stopped before it, or no clip was held back for a test. */
  report: Report | null
  bundle: Bundle | null
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
  context: StageContext,
  until: Until = "export",
): Promise<RecipeResult> {
  const { config, reporter, signal } = context
  checkStages(config)

  // 1, 2: what there is, and which clips train, validate and test
  const manifest = await stages.measure(data, join(out, "manifest.jsonl"), context)
  await writeFileAtomic(join(out, "config.yaml"), configText)
  const { splits: planned, tested } = stages.plan(manifest, context)
  const classSpace = await stages.embedClassTexts(manifest.classes, context)

  // 3: a training clip becomes a strip, the strip becomes the VLM's answers
  const prompts = stages.promptsOf(config)
  const ids = prompts.prompts.map(({ id }) => id)
  const answers = stages.needsAnswers(config)
    ? await stages.describeClips(data, manifest.clips, stages.trainingClips(planned), prompts, context)
    : null

  // 4: a clip becomes frames, the frames become features of the frozen encoder
  const all = stages.trainedMethods(config)
  const features = await stages.extract(all.length > 0 ? planned : [], context)
  const splits = stages.withoutFailed(planned, features)

  // 5: an answer becomes a vector
  const text = answers ? await stages.embedTexts(answers, ids, manifest.classes, features.encoder, context) : null

  // 6: both stages of the method and its baselines, split by split, seed by seed
  const shipped: Method | undefined = all.includes("full") ? "full" : all[0]
  const reference = shipped ?? ZERO_SHOT
  const settings = stages.experimentSettings(manifest.classes, splits, ids, text, features, context)
  settings.zeroShot = classSpace && tested ? await stages.zeroShotScores(classSpace, splits, context) : null
  const experiment = new Experiment(settings)
  const methods = tested || !shipped ? all : [shipped]
  const trained: TrainedTrial[] = []
  let final: stages.Final | null = null
  try {
    for (const split of splits) {
      const seeds = tested ? config.seeds : 1
      for (let run = 0; run < seeds; run++) {
        const seed = config.seed + run
        if (splits.length * seeds > 1) reporter.say(`${split.name}, seed ${seed}`)
        const trial = new Trial(experiment, split, seed, join(out, "trials", safeName(split.training), `seed${seed}`))
        trained.push({ split, seed, result: await runTrial(trial, methods, until) })
        signal?.throwIfAborted()
      }
    }
    if (until === "export" && shipped) final = await finalModel(experiment, trained, shipped, out)
    else if (until === "export")
      reporter.warn("nothing is trained, so there is no bundle: zero-shot is the only method")
  } finally {
    await experiment.release()
    await features.train.store.close()
    await features.test.store.close()
  }

  if (until === "align" || until === "finetune") return { manifest, splits, report: null, bundle: null }

  // 7: what it comes to
  const report = tested
    ? await writeReport(out, {
        title: `${data}: ${features.encoder.name}`,
        classes: manifest.classes,
        runs: collect(trained),
        pseudoLabels: onceATraining(trained).flatMap(({ split, seed, result: { pseudoLabels } }) =>
          pseudoLabels ? [{ split: split.training, seed, ...pseudoLabels }] : [],
        ),
        journals: onceATraining(trained).flatMap(({ result }) => result.journals),
        reference,
        exclude: config.exclude,
        configHash: hashJson(config),
      })
    : null

  if (!final) return { manifest, splits, report, bundle: null }

  // 8: what is shipped
  const bundle = await stages.ship(join(out, "bundle"), final, {
    context,
    features,
    classes: manifest.classes,
    prompts: text ? prompts.prompts : [],
    results: report?.results ?? null,
  })
  return { manifest, splits, report, bundle }
}

/** One split with one seed: both stages of the method, and every method that it is compared with. */
export async function runTrial(trial: Trial, methods: readonly Method[], until: Until): Promise<TrialResult> {
  const { prompts, fewestClips, fewestDescribed, zeroShot } = trial.experiment.settings
  const { result, data } = trial
  // what the two towers of one model know of the classes without any training
  if (zeroShot && until !== "align") trial.predict(ZERO_SHOT, [], zeroShotRows(data.test.examples, zeroShot))
  if (methods.length === 0) return result

  const standardize = await trial.standardize()
  if (until === "align") {
    if (prompts.length > 0) await alignProcessors(trial, standardize)
    return result
  }

  const aligns = methods.some((method) => methodNamed(method).aligned)
  const pseudoLabelled = aligns ? await addPseudoLabels(trial) : null
  const clipsOf = (withPseudoLabels: boolean) =>
    withPseudoLabels && pseudoLabelled
      ? { clips: pseudoLabelled, fewest: Math.max(fewestClips, fewestDescribed) }
      : { clips: data.labelled, fewest: fewestClips }

  for (const method of methods) {
    const aligned = methodNamed(method).aligned && prompts.length > 0
    // stage 1: processors meet the text embeddings of the answers
    const frozen = aligned ? await alignProcessors(trial, standardize) : standardize
    // stage 2: integration and classifier meet the labels
    result.weights.set(method, await fineTune(trial, method, { frozen, ...clipsOf(aligned) }))
  }

  // what the labels do, told from what the processors do: the baseline taught by the same pseudo-labels
  if (pseudoLabelled && methods.includes("baseline")) {
    const name = "baseline, pseudo-labels"
    await fineTune(trial, "baseline", { name, frozen: standardize, ...clipsOf(true) })
  }
  return result
}

/** The probabilities of the clips, in their order. */
function zeroShotRows(clips: readonly Example[], scores: ReadonlyMap<string, Float32Array>): Float32Array[] {
  return clips.map(({ id }) => {
    const found = scores.get(id)
    if (!found) throw new Error(`internal error: no zero-shot scores of clip ${id}`)
    return found
  })
}

interface TrainedTrial {
  split: Split
  seed: number
  result: TrialResult
}

/**
 * The model to ship: of the first seed where there is one split; trained once more on the training clips of all folds together
 * where there are folds, whose figures then speak for it.
 */
async function finalModel(
  experiment: Experiment,
  trained: readonly TrainedTrial[],
  method: Method,
  out: string,
): Promise<stages.Final> {
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
  const split: Split = { name: "all clips", training: "all clips", fold: false, train, val: [], test }
  const trial = new Trial(experiment, split, seed, join(out, "trials", "all-clips", `seed${seed}`))
  return { split, seed, result: await runTrial(trial, [method], "export"), method, network }
}

/** Splits that differ in their test part alone share a training: each training once. */
function onceATraining(trained: readonly TrainedTrial[]): TrainedTrial[] {
  return [...new Map(trained.map((trial) => [`${trial.split.training} ${trial.seed}`, trial])).values()]
}

/** Predictions of all trials by method; folds of one kind make one split of the report. */
function collect(trained: readonly TrainedTrial[]): MethodPredictions[] {
  const runs = new Map<string, MethodPredictions & { predictions: MethodPredictions["predictions"][number][] }>()
  for (const { split, result } of trained) {
    const name = split.fold ? "all folds" : split.name
    for (const [method, { trainedWeights, predictions }] of result.predictions) {
      const run = runs.get(`${name}/${method}`) ?? { split: name, method, trainedWeights, predictions: [] }
      run.predictions.push(...predictions)
      runs.set(`${name}/${method}`, run)
    }
  }
  return [...runs.values()]
}
