/**
 * The stages of the recipe, each a function from files to files. They meet on disk alone, so each can be run, resumed and
 * looked at by itself; the command line has a verb for each.
 */

import { existsSync, statSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { plural, type Reporter } from "@fourtier/core"
import type { Bundle } from "@fourtier/core/bundle"
import type { ViewRecipe } from "@fourtier/core/frames"
import { type Method, methodNamed, type NetworkSpec, placesOf } from "@fourtier/core/model"
import type { Step } from "@fourtier/core/schemas"
import { FourtierError } from "@fourtier/tensor"
import { hashJson } from "@fourtier/tensor/node"
import type { Config } from "./config.ts"
import { exportBundle } from "./deploy/export.ts"
import { describe } from "./describe/describe.ts"
import { folderStrips, stripFolder } from "./describe/folder-strips.ts"
import { type PromptSet, resolvePrompts } from "./describe/prompts.ts"
import { openProvider, type ProviderConfig } from "./describe/providers.ts"
import { openVisualEncoder } from "./encoders/catalog.ts"
import type { VisualEncoder } from "./encoders/encoder.ts"
import { checkExcluded } from "./evaluate/comparability.ts"
import type { EvaluationResults } from "./evaluate/results.ts"
import { countLabelled, isDescribed } from "./experiment/examples.ts"
import type { ExperimentSettings } from "./experiment/experiment.ts"
import type { TrialResult } from "./experiment/trial.ts"
import { type Extraction, extractFeatures } from "./features/extract.ts"
import { CachedTextEncoder } from "./text/cache.ts"
import { type Answers, type EmbeddedTexts, embedAnswers, openTextEncoder, readableName } from "./text/targets.ts"
import { version } from "./util/version.ts"
import { checkClasses, checkMirroring, checkSource, checkSplits } from "./video/checks.ts"
import { doctor } from "./video/doctor.ts"
import { tell } from "./video/findings.ts"
import { type Clip, classesOf, type Manifest } from "./video/manifest.ts"
import type { Source } from "./video/source.ts"
import { resolveSplits, type Split } from "./video/splits.ts"

export interface StageContext {
  config: Config
  reporter: Reporter
  signal?: AbortSignal
}

/**
 * Measures every file of a data folder or table and writes the manifest. Unchanged files are not opened again. What is wrong with
 * names, tables and columns is told before.
 * @param training whether classes are to be learned, so that there must be some
 */
export async function measure(
  data: string,
  manifestPath: string,
  { config, reporter, signal }: StageContext,
  training = true,
): Promise<Manifest> {
  const check = (source: Source) => {
    const classes = classesOf(source.clips)
    const about = [...checkSource(source, config.split), ...checkMirroring(classes, config.views)]
    tell(training ? [...about, ...checkClasses(classes)] : about, reporter)
    checkExcluded(classes, config.exclude)
  }
  const workers = config.runtime.workers ?? undefined
  const report = await doctor(data, manifestPath, reporter, { workers, signal, check })
  const { manifest } = report
  for (const note of report.notes) reporter.warn(note)
  if (manifest.quarantine.length > 0) {
    reporter.warn(`${plural(manifest.quarantine.length, "file")} cannot be used, see ${manifestPath}`)
  }
  tell(report.findings, reporter)
  return manifest
}

/**
 * Which clips train, validate and test. Where none is held back for a test, `tested` is false and the test part holds the labelled
 * training clips: to prove the bundle with, not to report on.
 */
export function plan(manifest: Manifest, { config, reporter }: StageContext): { splits: Split[]; tested: boolean } {
  const { classes } = manifest
  tell(checkClasses(classes), reporter)
  checkExcluded(classes, config.exclude)
  const splits = resolveSplits(manifest, config.split)
  tell(checkSplits(splits), reporter)
  for (const { name, train } of splits) {
    const missing = classes.filter((label) => !train.some((clip) => clip.label === label))
    if (missing.length === 0) continue
    throw new FourtierError({
      where: `split ${name}`,
      what: "a class has no labelled training clip",
      found: missing.join(", "),
      fix: "label a clip of this class, remove the class, or choose another split",
    })
  }
  const [{ train }] = splits
  const unlabelled = train.filter(({ label }) => label === null)
  if (unlabelled.length > 0) {
    const use = !needsAnswers(config)
      ? "none of the methods uses them"
      : config.pseudoLabels
        ? "they are pseudo-labelled from the answers about them"
        : "only stage 1 learns from them"
    reporter.say(
      `${plural(unlabelled.length, "training clip")} without a label (such as ${unlabelled[0].relative}): ${use}`,
    )
  }
  if (splits.some(({ test }) => test.length > 0)) return { splits, tested: true }
  reporter.warn(
    "no test clips: accuracy will not be measured. Too few clips are labelled, or the configuration asks for no test; all clips are used for training",
  )
  const name = "all clips"
  return {
    splits: splits.map((split) => ({
      ...split,
      name,
      training: name,
      test: split.train.filter(({ label }) => label !== null),
    })),
    tested: false,
  }
}

/** Whether any method here learns from answers. */
export function needsAnswers(config: Config): boolean {
  return config.methods.some((name) => methodNamed(name).aligned) && promptsOf(config).prompts.length > 0
}

/** Ids of the clips that train in some split. */
export function trainingClips(splits: readonly Split[]): Set<string> {
  return new Set(splits.flatMap(({ train }) => train.map(({ id }) => id)))
}

/** The provider of the config, or the answers that lie beside the data as `descriptions.jsonl`. */
function providerOf(config: Config, data: string): ProviderConfig | null {
  if (config.describe) return config.describe
  const beside = join(statSync(data).isDirectory() ? data : dirname(data), "descriptions.jsonl")
  return existsSync(beside) ? { kind: "replay", file: resolve(beside) } : null
}

/** Answers of the VLM about training clips, from the cache or asked for now. Test clips are never described. */
export async function describeClips(
  data: string,
  clips: readonly Clip[],
  training: ReadonlySet<string>,
  prompts: PromptSet,
  { config, reporter, signal }: StageContext,
): Promise<Answers> {
  const provider = providerOf(config, data)
  if (!provider) {
    throw new FourtierError({
      where: "describe",
      what: "no source of answers to the prompts",
      expected: "a provider in the configuration, or recorded answers in descriptions.jsonl beside the data",
      fix: "name a provider as docs/describe.md shows; or train without prompts: --set 'prompts=[]' 'methods=[baseline]'",
    })
  }
  const open = await openProvider(provider)
  const { count: frames, height } = config.keyFrames
  const cachePath = join(config.cache, "descriptions.jsonl")
  const { answers, failed, flagged, ended } = await describe({
    clips,
    prompts,
    provider: open,
    strips: folderStrips(stripFolder(cachePath), { frames, height }),
    cachePath,
    mayDescribe: ({ id }) => training.has(id),
    reporter,
    signal,
  }).finally(() => ("close" in open ? open.close?.() : undefined))
  const without = failed.length + flagged.length
  if (without > 0) reporter.warn(`${plural(without, "answer")} missing or set aside: stage 1 leaves their clips out`)
  if (ended) reporter.warn(`describing stopped early: ${ended} reached`)
  return answers
}

/** Text embeddings of all answers, and of the class names. */
export async function embedTexts(
  answers: Answers,
  prompts: readonly string[],
  classes: readonly string[],
  encoder: VisualEncoder,
  { config, reporter }: StageContext,
): Promise<EmbeddedTexts> {
  const rows = config.align.similarity === "tokens" ? encoder.size.T + placesOf(encoder.size) : null
  const texts = await CachedTextEncoder.open(await openTextEncoder(config.text), join(config.cache, "texts"))
  try {
    const table = await embedAnswers(texts, answers, prompts, rows)
    reporter.say(
      `text: ${answers.size} clips × ${prompts.length} prompts (${config.text.encoder}): ${texts.computed} texts embedded, ${texts.reused} from the cache`,
    )
    const { pooled: names } = await texts.embed(classes.map(readableName))
    const id = hashJson([texts.id, rows, config.text, [...answers].sort(([a], [b]) => (a < b ? -1 : 1))])
    return { table, names, width: texts.width, center: config.text.center, id }
  } finally {
    await texts.release()
  }
}

export interface Features {
  encoder: VisualEncoder
  train: Extraction
  test: Extraction
}

/** How clips are seen in training and in evaluation, fitted to the encoder: its frames, and steps that end at its resolution. */
export function viewRecipes({ views, seed }: Config, encoder: VisualEncoder): { train: ViewRecipe; test: ViewRecipe } {
  const sampling = { ...views.sampling, frames: encoder.frames }
  const [side] = encoder.resolution
  return {
    train: { sampling, steps: fitSteps(views.train.steps, side), draws: { count: views.train.draws, seed } },
    test: { sampling: { ...sampling, clips: views.test.clips }, steps: fitSteps(views.test.steps, side), draws: null },
  }
}

/** The steps with all their sizes scaled so that the last one is `side` pixels. */
function fitSteps(steps: readonly Step[], side: number): Step[] {
  const last = steps.findLast((step) => "size" in step)
  if (!last || !("size" in last) || last.size === side) return [...steps]
  const { size } = last
  return steps.map((step) => ("size" in step ? { ...step, size: Math.round((step.size * side) / size) } : step))
}

/** Every clip through the frozen encoder: random views of training clips, fixed views of validation and test clips. */
export async function extract(splits: readonly Split[], { config, reporter, signal }: StageContext): Promise<Features> {
  const encoder = await openVisualEncoder(config.encoder)
  const recipes = viewRecipes(config, encoder)
  const { provider, threads, workers, batch } = config.runtime
  const common = {
    encoder,
    pool: config.model.pool,
    root: join(config.cache, "features"),
    reporter,
    signal,
    runtime: { provider, threads: threads ?? undefined },
    workers: workers ?? undefined,
    batch,
  }
  const unique = (pick: (split: Split) => Clip[]) => [...new Map(splits.flatMap(pick).map((c) => [c.id, c])).values()]
  const train = await extractFeatures(
    unique(({ train }) => train),
    { ...common, recipe: recipes.train },
  )
  const test = await extractFeatures(
    unique(({ val, test }) => [...val, ...test]),
    { ...common, recipe: recipes.test },
  )
  const lost = test.failed[0]
  if (lost) {
    throw new FourtierError({
      where: lost.clip.path,
      what: "a validation or test clip cannot be decoded",
      found: lost.error.message,
      fix: "repair the file, or remove it from the split",
    })
  }
  for (const { clip, error } of train.failed) reporter.warn(`${clip.relative} left out of training: ${error.message}`)
  return { encoder, train, test }
}

/** The splits without clips that could not be decoded. */
export function withoutFailed(splits: readonly Split[], { train }: Features): Split[] {
  const failed = new Set(train.failed.map(({ clip }) => clip.hash))
  return splits.map((split) => ({ ...split, train: split.train.filter(({ hash }) => !failed.has(hash)) }))
}

/** Prompt ids and texts of the config. */
export function promptsOf({ prompts }: Config): PromptSet {
  return resolvePrompts(prompts)
}

/** What all trials share: see `experiment/experiment.ts`. */
export function experimentSettings(
  classes: readonly string[],
  splits: readonly Split[],
  prompts: readonly string[],
  text: EmbeddedTexts | null,
  { encoder, train, test }: Features,
  { config, reporter, signal }: StageContext,
): ExperimentSettings {
  const { model, align, finetune, linearProbe, rowProbe, attentiveProbe, labelsPerClass, pseudoLabels } = config
  return {
    classes,
    prompts: text ? prompts : [],
    size: encoder.size,
    model,
    align,
    training: { finetune, linearProbe, rowProbe, attentiveProbe },
    text,
    features: { train: train.store, trainViews: train.views, test: test.store, testViews: test.views },
    labelsPerClass,
    pseudoLabels,
    fewestClips: Math.min(...splits.map((split) => countLabelled(split.train, labelsPerClass))),
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
      expected: "at least two clips, preferably all",
      found: `${count} of ${train.length} clips`,
      fix: "complete the answers, or train without prompts: --set 'prompts=[]' 'methods=[baseline]'",
    })
  })
  return Math.min(...counts)
}

/** A trained model that may be shipped. */
export interface Final {
  split: Split
  seed: number
  method: Method
  network: NetworkSpec
  result: TrialResult
}

/** Exports a model as a bundle and proves it on the clips it was not trained on, or on all where it has seen all. */
export async function ship(
  folder: string,
  { split, seed, method, network, result }: Final,
  about: {
    context: StageContext
    features: Features
    classes: readonly string[]
    prompts: PromptSet["prompts"]
    /** Null where nothing was tested. */
    results: EvaluationResults | null
  },
): Promise<Bundle> {
  const { features, classes, prompts, results } = about
  const { config, reporter } = about.context
  const { aligned } = methodNamed(method)
  const weights = result.weights.get(method)
  const predictions = result.predictions.get(method)?.predictions ?? []
  if (!weights) throw new Error(`internal error: ${method} was not trained`)
  const byId = new Map(split.test.map((clip) => [clip.id, clip]))
  const expected = predictions.flatMap(({ clipId, probabilities }) => {
    const clip = byId.get(clipId)
    return clip ? [{ clip, probabilities }] : []
  })
  const bundle = await exportBundle({
    folder,
    encoder: features.encoder,
    recipe: viewRecipes(config, features.encoder).test,
    labels: classes,
    network,
    weights,
    provenance: {
      fourtier: version,
      created: new Date().toISOString(),
      method,
      encoder: { name: features.encoder.name, id: features.encoder.id },
      prompts: aligned ? prompts.map(({ id, text }) => ({ id, text })) : [],
      config: hashJson(config),
      split: split.name,
      seed,
      trainingClips: split.train.length,
      pseudoLabelled: aligned && result.pseudoLabels?.used ? result.pseudoLabels.clips : 0,
    },
    accuracy: accuracyOf(results, method),
    expected,
    reporter,
    runtime: { provider: config.runtime.provider, threads: config.runtime.threads ?? undefined },
    workers: config.runtime.workers ?? undefined,
  })
  reporter.say(`bundle: ${folder}, matches the trainer within ${bundle.parity.largestDifference.toExponential(1)}`)
  return bundle
}

function accuracyOf(results: EvaluationResults | null, method: Method): Bundle["accuracy"] {
  if (!results) return null
  const { splits, seeds } = results
  const [whole] = splits
  const top1 = whole?.methods.find((one) => one.method === method)?.figures.top1
  if (!top1) return null
  const on = `${whole.split}: ${whole.clips} clips, ${seeds.length} ${seeds.length === 1 ? "seed" : "seeds"}`
  return { on, top1: top1.value, low: top1.low, high: top1.high }
}
