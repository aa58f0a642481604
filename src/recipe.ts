/**
 * The whole method, top to bottom.
 *
 * ```
 * videos ─ 1 manifest ─ 2 splits ─┬─ 3 descriptions ─ text embeddings ─┐
 *                                 │                                    ├─ 5 trials: stage 1, stage 2, baselines ─ 6 report
 *                                 └─ 4 features of the frozen encoder ─┘                                   └─ 7 bundle
 * ```
 * A part whose inputs have not changed is not computed again.
 */

import { join } from "node:path"
import type { Config } from "./config.ts"
import type { Bundle } from "./deploy/bundle.ts"
import { countLabelled, isDescribed } from "./evaluate/examples.ts"
import { type Report, writeReport } from "./evaluate/report.ts"
import type { MethodPredictions } from "./evaluate/results.ts"
import { runTrial, safeName, TrialGraphs, type TrialResult, type TrialSettings } from "./evaluate/trial.ts"
import type { StageContext } from "./stages.ts"
import * as stages from "./stages.ts"
import type { EmbeddedTexts } from "./text/targets.ts"
import type { Method } from "./train/networks.ts"
import { FourtierError } from "./util/errors.ts"
import { hashJson, writeFileAtomic } from "./util/files.ts"
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

/** One split and seed, trained and tested. */
interface Trained {
  split: Split
  seed: number
  result: TrialResult
}

/**
 * Runs everything.
 * @param data a folder of class folders, or a table of clips
 * @param out folder of the run: manifest, weights, journals, report, bundle
 * @param configText the resolved config as it is to be stored
 * @param until stops after this stage; what is done is taken over by a later run that goes further
 */
export async function runRecipe(
  data: string,
  out: string,
  configText: string,
  context: StageContext,
  until: Until = "export",
): Promise<RecipeResult> {
  const { config, reporter, signal } = context

  // 1, 2: what there is, and which clips train, validate and test
  const manifest = await stages.measure(data, join(out, "manifest.jsonl"), context)
  await writeFileAtomic(join(out, "config.yaml"), configText)
  const { splits: planned, tested } = stages.plan(manifest, context)

  // 3: what the VLM says about training clips
  const prompts = stages.promptsOf(config)
  const ids = prompts.prompts.map(({ id }) => id)
  const wanted = config.methods.includes("full") && ids.length > 0
  const training = new Set(planned.flatMap(({ train }) => train.map(({ id }) => id)))
  const answers = wanted ? await stages.describeClips(data, manifest.clips, training, prompts, context) : null

  // 4: what the frozen encoder sees
  const features = await stages.extract(planned, context)
  const splits = stages.withoutFailed(planned, features)
  const text = answers ? await stages.embedTexts(answers, ids, manifest.classes, features.encoder, context) : null

  // 5: every method, split by split, seed by seed
  const reference = config.methods.includes("full") ? "full" : config.methods[0]
  const methods = tested ? config.methods : [reference]
  const settings = { ...trialSettings(config, manifest.classes, splits, ids, text, features, context), methods }
  const graphs = new TrialGraphs(settings)
  const trials: Trained[] = []
  let final: stages.Final | null = null
  try {
    for (const split of splits) {
      const seeds = tested ? config.seeds : 1
      for (let run = 0; run < seeds; run++) {
        const seed = config.seed + run
        if (splits.length * seeds > 1) reporter.say(`${split.name}, seed ${seed}`)
        const folder = join(out, "trials", safeName(split.training), `seed${seed}`)
        trials.push({ split, seed, result: await runTrial(settings, graphs, split, seed, folder, until === "align") })
        signal?.throwIfAborted()
      }
    }
    if (until === "export") final = await finalModel(settings, graphs, trials, reference, out)
  } finally {
    await graphs.release()
    await features.train.store.close()
    await features.test.store.close()
  }

  if (until === "align" || until === "finetune") return { manifest, splits, report: null, bundle: null }

  // 6: what it comes to
  const once = new Map(trials.map((trial) => [`${trial.split.training} ${trial.seed}`, trial]))
  const report = tested
    ? await writeReport(out, {
        title: `${data}: ${features.encoder.name}`,
        classes: manifest.classes,
        runs: collect(trials),
        pseudoLabels: [...once.values()].flatMap(({ split, seed, result: { pseudoLabels } }) =>
          pseudoLabels ? [{ split: split.training, seed, ...pseudoLabels }] : [],
        ),
        reference,
        exclude: config.exclude,
        configHash: hashJson(config),
      })
    : null

  if (!final) return { manifest, splits, report, bundle: null }

  // 7: what is shipped
  const bundle = await stages.ship(join(out, "bundle"), final, {
    context,
    features,
    classes: manifest.classes,
    prompts: text ? prompts.prompts : [],
    textWidth: text?.width ?? null,
    results: report?.results ?? null,
  })
  return { manifest, splits, report, bundle }
}

/**
 * The model to ship: of the first seed where there is one split; trained once more on the training clips of all folds together
 * where there are folds, whose figures then speak for it.
 */
async function finalModel(
  settings: TrialSettings,
  graphs: TrialGraphs,
  trials: readonly Trained[],
  method: Method,
  out: string,
): Promise<stages.Final> {
  const [first] = trials
  const union = (pick: (split: Split) => Clip[]) => [
    ...new Map(trials.flatMap(({ split }) => pick(split).map((clip) => [clip.id, clip] as const))).values(),
  ]
  if (!first.split.fold) return { ...first, method }
  settings.reporter.say("the model to ship, trained on the clips of all folds")
  const train = union(({ train }) => train)
  const test = union(({ test }) => test)
  const split: Split = { name: "all clips", training: "all clips", fold: false, train, val: [], test }
  const own = { ...settings, methods: [method] }
  const result = await runTrial(own, graphs, split, first.seed, join(out, "trials", "all-clips", `seed${first.seed}`))
  return { split, seed: first.seed, result, method }
}

function trialSettings(
  config: Config,
  classes: readonly string[],
  splits: readonly Split[],
  prompts: readonly string[],
  text: EmbeddedTexts | null,
  { encoder, train, test }: stages.Features,
  { reporter, signal }: StageContext,
): TrialSettings {
  return {
    methods: config.methods,
    classes,
    prompts: text ? prompts : [],
    size: encoder.size,
    model: config.model,
    align: config.align,
    stages: {
      "linear-probe": config.linearProbe,
      "row-probe": config.rowProbe,
      "attentive-probe": config.attentiveProbe,
      baseline: config.finetune,
      full: config.finetune,
    },
    text,
    features: { train: train.store, trainViews: train.views, test: test.store, testViews: test.views },
    labelsPerClass: config.labelsPerClass,
    pseudoLabels: config.pseudoLabels,
    fewestClips: Math.min(...splits.map((split) => countLabelled(split.train, config.labelsPerClass))),
    fewestDescribed: text ? fewestDescribed(splits, prompts, text.table) : 0,
    runtime: { provider: config.runtime.provider, threads: config.runtime.threads ?? undefined },
    reporter,
    signal,
  }
}

/** Training clips with an answer to every prompt, of the split that has the fewest. */
function fewestDescribed(splits: readonly Split[], prompts: readonly string[], table: EmbeddedTexts["table"]): number {
  const counts = splits.map(({ name, train }) => {
    const count = train.filter(({ id }) => isDescribed(id, prompts, table)).length
    if (count >= 2) return count
    throw new FourtierError({
      where: `split ${name}`,
      what: "too few training clips have an answer to every prompt",
      expected: "two clips at least, better all",
      found: `${count} of ${train.length} clips`,
      fix: "complete the answers, or leave the method out: --set methods=[baseline]",
    })
  })
  return Math.min(...counts)
}

/** Predictions of all trials by method; folds of one kind make one split of the report. */
function collect(trials: readonly Trained[]): MethodPredictions[] {
  const runs = new Map<string, MethodPredictions & { predictions: MethodPredictions["predictions"][number][] }>()
  for (const { split, result } of trials) {
    const name = split.fold ? "all folds" : split.name
    for (const [method, { trainedWeights, predictions }] of result.predictions) {
      const run = runs.get(`${name}/${method}`) ?? { split: name, method, trainedWeights, predictions: [] }
      run.predictions.push(...predictions)
      runs.set(`${name}/${method}`, run)
    }
  }
  return [...runs.values()]
}
