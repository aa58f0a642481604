/**
 * The stages of the recipe, each a function from files to files. They meet on disk alone, so each can be run, resumed and
 * looked at by itself; the command line has a verb for each.
 */

import { groupBy, plural, type Reporter } from "@fourtier/core"
import { type Corners, countViews, type ViewRecipe, withViewGrid } from "@fourtier/core/frames"
import { type Method, methodNamed, placesOf, titleOf } from "@fourtier/core/model"
import type { Step } from "@fourtier/core/schemas"
import { FourtierError } from "@fourtier/tensor"
import { hashJson } from "@fourtier/tensor/node"
import { classesOf, classSentences, classWords, namesOf } from "./classes.ts"
import type { Config } from "./config.ts"
import { countPending, describe } from "./describe/describe.ts"
import { folderStrips, personStrips, stripFile, stripFolder } from "./describe/folder-strips.ts"
import type { DescribeOptions } from "./describe/options.ts"
import type { PromptSet } from "./describe/prompts.ts"
import { openProvider } from "./describe/providers.ts"
import { takeOverAnswers } from "./describe/take-over.ts"
import { openVisualEncoder } from "./encoders/catalog.ts"
import { costOfView } from "./encoders/cost.ts"
import type { JointSpace, VisualEncoder } from "./encoders/encoder.ts"
import { checkExcluded } from "./evaluate/comparability.ts"
import { publishedCost } from "./evaluate/published.ts"
import type { TestedViews } from "./evaluate/results.ts"
import { examplesOf } from "./experiment/examples.ts"
import { sharedSpace, zeroShot } from "./experiment/zero-shot.ts"
import { type Extraction, extractFeatures } from "./features/extract.ts"
import { learnsFromWords, needsAnswers, sourceOfAnswers, trainedMethods } from "./requirements.ts"
import { CachedTextEncoder } from "./text/cache.ts"
import { classTexts, embedClasses } from "./text/class-texts.ts"
import type { TextEncoder } from "./text/embed.ts"
import { ZERO_SHOT } from "./text/settings.ts"
import { type Answers, type EmbeddedTexts, embedAnswers, openTextEncoder } from "./text/targets.ts"
import { cacheFolders, openCache } from "./util/cache-folders.ts"
import type { StageClock } from "./util/stage-clock.ts"
import { checkClasses, checkSource, checkSplits } from "./video/checks.ts"
import { doctor } from "./video/doctor.ts"
import { tell } from "./video/findings.ts"
import { type Clip, classesOf as labelsOf, type Manifest } from "./video/manifest.ts"
import { checkMirroring, viewsFor } from "./video/mirroring.ts"
import { planSplits } from "./video/planned.ts"
import type { Source } from "./video/source.ts"
import { apartBackground, type Split } from "./video/splits.ts"
import { readTested } from "./video/tested.ts"

export interface StageContext {
  config: Config
  reporter: Reporter
  signal?: AbortSignal
  /** Told what is asked for and paid. */
  clock?: StageClock
}

/**
 * Measures every file of a data folder or table and writes the manifest. Unchanged files are not opened again. What is wrong with
 * names, tables and columns is told before.
 * @param training whether classes are to be learned, so that there must be some
 * @param checkMore what else has to hold before clips are measured, once it is known that there are some
 */
export async function measure(
  data: string,
  manifestPath: string,
  { config, reporter, signal }: StageContext,
  training = true,
  checkMore?: () => Promise<void>,
): Promise<Manifest> {
  const check = async (source: Source) => {
    const classes = namesOf(labelsOf(source.clips), config)
    const about = [
      ...checkSource(source, config.split),
      ...checkMirroring(classes, viewsFor(config.views, source.clips)),
    ]
    tell(training ? [...about, ...checkClasses(classes)] : about, reporter)
    checkExcluded(classes, config.exclude)
    await checkMore?.()
  }
  const workers = config.runtime.workers ?? undefined
  const { measurements } = await openCache(config.cache, reporter)
  const report = await doctor(data, manifestPath, reporter, { workers, signal, check, measurements })
  const { manifest } = report
  for (const note of report.notes) reporter.warn(note)
  if (manifest.quarantine.length > 0) {
    reporter.warn(`${plural(manifest.quarantine.length, "file")} cannot be used, see ${manifestPath}`)
  }
  tell(report.findings, reporter)
  return manifest
}

/** The context for these clips: their views are not mirrored where a table says that a side makes the class. */
export function contextFor(clips: readonly Pick<Clip, "columns">[], context: StageContext): StageContext {
  const { config, reporter } = context
  const views = viewsFor(config.views, clips)
  if (views === config.views) return context
  reporter.say("clips are not mirrored: the column sides says that left and right make the class")
  return { ...context, config: { ...config, views } }
}

/** The splits of a data set; a test part that is drawn is kept for good. */
export function splitsOf(data: string, manifest: Manifest, { config, reporter }: StageContext): Promise<Split[]> {
  const { tests } = cacheFolders(config.cache)
  return planSplits(data, manifest, config.split, { folder: tests, write: true, reporter })
}

/**
 * Which clips train, validate and test. Where none is held back for a test, `tested` is false and the test part holds the labelled
 * training clips: to prove the bundle with, not to report on.
 */
export async function plan(
  data: string,
  manifest: Manifest,
  { config, reporter }: StageContext,
): Promise<{ splits: Split[]; tested: boolean }> {
  const classes = classesOf(manifest, config)
  checkExcluded(classes, config.exclude)
  const splits = (await splitsOf(data, manifest, { config, reporter })).map(apartBackground)
  tell(checkSplits(splits), reporter)
  for (const { name, train } of splits) {
    const missing = classes.filter((label) => !train.some((clip) => clip.label === label))
    if (missing.length === 0 || (config.classes && (learnsFromWords(config) || trainedMethods(config).length === 0)))
      continue
    throw new FourtierError({
      where: `split ${name}`,
      what: "a class has no labelled training clip",
      found: missing.join(", "),
      fix: "label a clip of this class, remove the class, choose another split (or edit the kept test part, docs/data.md), or list all classes in `classes` and have the clips described",
    })
  }
  const [{ train }] = splits
  const unlabelled = train.filter(({ label }) => label === null)
  if (unlabelled.length > 0) {
    const use = !learnsFromWords(config)
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
      ...(split.background
        ? { background: { held: [...split.background.held, ...split.background.test], test: [] } }
        : {}),
      test: split.train.some(({ label }) => label !== null)
        ? split.train.filter(({ label }) => label !== null)
        : split.train,
    })),
    tested: false,
  }
}

/** Ids of the clips that train in some split. */
export function trainingClips(splits: readonly Split[]): Set<string> {
  return new Set(splits.flatMap(({ train }) => train.map(({ id }) => id)))
}

/**
 * That there are both encoders and a source of answers, as far as the configuration needs them: before anything is measured.
 * @throws FourtierError as they would later
 */
export async function checkSources(data: string, { config }: StageContext): Promise<void> {
  const zeroShot = config.methods.includes(ZERO_SHOT)
  if (needsAnswers(config, data)) sourceOfAnswers(data, config)
  if (zeroShot || trainedMethods(config).length > 0) await visualEncoder(config)
  if (zeroShot || learnsFromWords(config)) await (await openTextEncoder(config.text)).release()
}

/** That answers and what embeds them are there, before anything is measured. @throws FourtierError as they would later */
export async function checkAnswerSources(data: string, { config }: StageContext): Promise<void> {
  sourceOfAnswers(data, config)
  await (await openTextEncoder(config.text)).release()
}

const visualEncoders = new WeakMap<Config["encoder"], Promise<VisualEncoder>>()

/** The frozen encoder of a configuration, opened once, also where other settings are adapted to the clips in between. */
function visualEncoder({ encoder }: Config): Promise<VisualEncoder> {
  const opened = visualEncoders.get(encoder) ?? openVisualEncoder(encoder)
  visualEncoders.set(encoder, opened)
  return opened
}

/**
 * Answers of the VLM about training clips, from the cache or asked for now. Test clips are never described.
 * @param regions what the strips show of each clip, by its id, where that is not the whole picture
 */
export async function describeClips(
  data: string,
  clips: readonly Clip[],
  training: ReadonlySet<string>,
  prompts: PromptSet,
  context: StageContext,
  regions?: ReadonlyMap<string, Corners>,
): Promise<Answers> {
  const { reporter, clock } = context
  const asked = async (options: DescribeOptions) => ({ ...(await describe(options)), model: options.provider.model })
  const found = await withDescribing(data, clips, training, prompts, context, asked, regions)
  const { answers, failed, flagged, ended, requests, spent, model } = found
  clock?.spend({ requests, dollars: spent, model })
  const without = [...failed, ...flagged]
  if (without.length > 0) {
    const each = [...groupBy(without, ({ prompt }) => prompt)].map(([prompt, own]) => `prompt ${prompt} ${own.length}`)
    const count = plural(without.length, "answer")
    reporter.warn(`${count} missing or set aside (${each.sort().join(", ")}): stage 1 learns from the others`)
  }
  if (ended) reporter.warn(`describing stopped early: ${ended} reached`)
  return answers
}

/** How many answers `describeClips` would ask for. Nothing is sent. */
export async function countMissingAnswers(
  data: string,
  clips: readonly Clip[],
  training: ReadonlySet<string>,
  prompts: PromptSet,
  context: StageContext,
): Promise<number> {
  return withDescribing(data, clips, training, prompts, context, async (options) => countPending(options))
}

/** What is described how, while its provider is open. */
async function withDescribing<T>(
  data: string,
  clips: readonly Clip[],
  training: ReadonlySet<string>,
  prompts: PromptSet,
  { config, reporter, signal }: StageContext,
  work: (options: DescribeOptions) => Promise<T>,
  regions?: ReadonlyMap<string, Corners>,
): Promise<T> {
  const provider = await openProvider(sourceOfAnswers(data, config))
  const { count: frames, height } = config.keyFrames
  const strip = { frames, height }
  const cache = cacheFolders(config.cache)
  const cachePath = cache.answers
  if (cache.older) await takeOverAnswers(cache.older.answers, cachePath, reporter)
  return work({
    clips,
    prompts,
    provider,
    strips: regions
      ? personStrips(stripFolder(cachePath), strip, regions)
      : folderStrips(stripFolder(cachePath), strip),
    cachePath,
    mayDescribe: ({ id }) => training.has(id),
    tested: await readTested(cache.tests),
    reporter,
    signal,
  }).finally(() => ("close" in provider ? provider.close?.() : undefined))
}

/** Where the strip that the model saw of a clip is kept. */
export function stripOf({ cache, keyFrames: { count: frames, height } }: Config): (clip: Clip) => string {
  const folder = stripFolder(cacheFolders(cache).answers)
  return (clip) => stripFile(folder, clip, { frames, height })
}

/** Text embeddings of all answers, and of the class names. */
export async function embedTexts(
  answers: Answers | null,
  prompts: readonly string[],
  classes: readonly string[],
  encoder: VisualEncoder,
  { config, reporter }: StageContext,
): Promise<EmbeddedTexts> {
  const rows = config.align.similarity === "tokens" ? encoder.size.T + placesOf(encoder.size) : null
  const textEncoder = await openTextEncoder(config.text)
  for (const note of textEncoder.notes ?? []) reporter.say(note)
  const texts = await cachedTexts(textEncoder, config)
  try {
    const own = answers ?? new Map()
    const table = await embedAnswers(texts, own, prompts, rows)
    if (answers) {
      reporter.say(
        `text: ${answers.size} clips × ${prompts.length} prompts (${config.text.encoder}): ${texts.computed} texts embedded, ${texts.reused} from the cache`,
      )
    }
    const { pooled: names } = await texts.embed(classWords(classes, config))
    const id = hashJson([texts.id, rows, config.text, [...own].sort(([a], [b]) => (a < b ? -1 : 1))])
    return { table, names, width: texts.width, center: config.text.center, encoder: texts.id, id }
  } finally {
    await texts.release()
  }
}

function cachedTexts(encoder: TextEncoder, { cache }: Config): Promise<CachedTextEncoder> {
  const { texts, older } = cacheFolders(cache)
  return CachedTextEncoder.open(encoder, texts, older ? [older.texts] : [])
}

export interface Features {
  encoder: VisualEncoder
  /** Views of training clips in stage 1: those of `train`, or of their own. */
  align: Extraction
  train: Extraction
  test: Extraction
}

/** Frees the files of all stores. */
export async function closeFeatures({ align, train, test }: Features): Promise<void> {
  for (const store of new Set([align, train, test].map(({ store }) => store))) await store.close()
}

/** What zero-shot classification needs before any clip is read. */
export interface ClassSpace {
  joint: JointSpace
  /** Embeddings of the classes' texts. */
  texts: Float32Array[]
}

/**
 * The classes in the space that both encoders share; null where nobody asks for zero-shot scores.
 * @throws FourtierError where they share none
 */
export async function embedClassTexts(
  classes: readonly string[],
  { config, reporter }: StageContext,
): Promise<ClassSpace | null> {
  if (!config.methods.includes(ZERO_SHOT)) return null
  const encoder = await visualEncoder(config)
  const texts = await cachedTexts(await openTextEncoder(config.text), config)
  try {
    const joint = sharedSpace(encoder, texts)
    const own = classTexts(classes, config.zeroShot, classSentences(config))
    reporter.say(`zero-shot: classes as "${own[0].join('", "')}", …`)
    return { joint, texts: await embedClasses(texts, own) }
  } finally {
    await texts.release()
  }
}

/** Probabilities of all test clips from class texts alone, by clip id. */
export async function zeroShotScores(
  { joint, texts }: ClassSpace,
  splits: readonly Split[],
  context: StageContext,
): Promise<ReadonlyMap<string, Float32Array>> {
  const clips = uniqueClips(splits, ({ test }) => test)
  const recipe = viewRecipes(context.config, joint.encoder).test
  const { store, views, failed } = await extractFeatures(clips, {
    ...extractOptions(context),
    encoder: joint.encoder,
    recipe,
  })
  try {
    if (failed.length > 0) throw failed[0].error
    return await zeroShot(joint, { source: store, examples: examplesOf(clips, views) }, texts)
  } finally {
    await store.close()
  }
}

/** How clips are seen. */
export interface ViewRecipes {
  /** In stage 1. */
  align: ViewRecipe
  /** In stage 2, and by the probes. */
  train: ViewRecipe
  /** In validation and test. */
  test: ViewRecipe
}

/** How clips are seen in training and in evaluation, fitted to the encoder: its frames, and steps that end at its resolution. */
export function viewRecipes({ views, seed }: Config, encoder: VisualEncoder): ViewRecipes {
  const sampling = { ...views.sampling, frames: encoder.frames }
  const drawn = ({ draws, steps }: Config["views"]["train"]): ViewRecipe => {
    return { sampling, steps: fitSteps(steps, encoder), draws: { count: draws, seed } }
  }
  const { clips, crops, steps } = views.test
  const test = { sampling: { ...sampling, clips }, steps: fitSteps(steps, encoder), draws: null }
  return {
    align: drawn(views.align ?? views.train),
    train: drawn(views.train),
    test: crops === null ? test : withViewGrid(test, { clips, crops }, "views.test.crops"),
  }
}

/** The steps with all their sizes scaled so that the last one gives the encoder's frames; where these are no squares, a letterbox does. */
function fitSteps(steps: readonly Step[], { resolution: [height, side] }: Pick<VisualEncoder, "resolution">): Step[] {
  const last = steps.findLast((step) => "size" in step)
  if (last?.step === "letterbox" && height !== side) {
    return steps.map((step) => (step === last ? { ...last, size: side, height } : step))
  }
  if (!last || !("size" in last) || last.size === side) return [...steps]
  const { size } = last
  return steps.map((step) => ("size" in step ? { ...step, size: Math.round((step.size * side) / size) } : step))
}

/** What is tested on how many views of a clip, and what that costs: of the encoder, and of the methods that the paper has. */
export async function testedViews(
  encoder: VisualEncoder,
  methods: readonly Method[],
  head: { classes: readonly string[]; prompts: readonly string[]; textWidth: number },
  config: Config,
): Promise<TestedViews> {
  const { clips, crops } = countViews(viewRecipes(config, encoder).test)
  const { name, frames, resolution } = encoder
  const about = { clips, crops, encoder: name, frames, resolution }
  const networkCost = (title: string, { weights, macs }: { weights: number; macs: number }, ftp: boolean | null) => {
    const published = ftp === null ? null : publishedCost({ ...about, ftp })
    return { name: title, weights, macs, tflops: (clips * crops * macs) / 1e12, published }
  }
  const networks = [networkCost("encoder", await (encoder.whole ?? encoder.flops)(), false)]
  for (const method of methods) {
    const { aligned, shuffled } = methodNamed(method)
    const own = { ...head, classes: head.classes.length, model: config.model }
    const cost = shuffled ? null : await costOfView(encoder, method, own)
    if (cost) networks.push(networkCost(titleOf(method), cost, aligned && head.prompts.length > 0 ? true : null))
  }
  return { ...about, networks }
}

/** Where features are kept, and what computes them. */
function extractOptions({ config, reporter, signal }: StageContext) {
  const { provider, threads, workers, batch } = config.runtime
  const { features, older } = cacheFolders(config.cache)
  return {
    pool: config.model.pool,
    root: features,
    others: older ? [older.features] : [],
    reporter,
    signal,
    runtime: { provider, threads: threads ?? undefined },
    workers: workers ?? undefined,
    batch,
  }
}

/** The clips that `pick` takes of the splits, each once. */
function uniqueClips(splits: readonly Split[], pick: (split: Split) => Clip[]): Clip[] {
  return [...new Map(splits.flatMap(pick).map((clip) => [clip.id, clip])).values()]
}

/** Clips of no class from which on networks learn what they show: as many as a rate of false alarms of 5 % can be kept with. */
const FEWEST_BACKGROUND = 19

/** Whether the networks get one more output, for clips of no class. */
export function learnsBackground(splits: readonly Split[], { background }: Pick<Config, "background">): boolean {
  return background === "learn" && splits.every((split) => (split.background?.held ?? []).length >= FEWEST_BACKGROUND)
}

/** Every clip through the frozen encoder: random views of training clips, fixed views of validation and test clips. */
export async function extract(splits: readonly Split[], context: StageContext): Promise<Features> {
  const { config, reporter } = context
  const encoder = await visualEncoder(config)
  for (const note of encoder.notes ?? []) reporter.say(note)
  const recipes = viewRecipes(config, encoder)
  const common = { ...extractOptions(context), encoder }
  const training = uniqueClips(splits, ({ train }) => train)
  const learned = learnsBackground(splits, config)
    ? uniqueClips(splits, ({ background }) => background?.held ?? [])
    : []
  const train = await extractFeatures([...training, ...learned], { ...common, recipe: recipes.train })
  const align =
    config.views.align && learnsFromWords(config)
      ? await extractFeatures(training, { ...common, recipe: recipes.align })
      : train
  const test = await extractFeatures(
    uniqueClips(splits, ({ val, test, background }) => [
      ...val,
      ...test,
      ...(background?.held ?? []),
      ...(background?.test ?? []),
    ]),
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
  for (const { clip, error } of failedOf({ align, train }))
    reporter.warn(`${clip.relative} left out of training: ${error.message}`)
  return { encoder, align, train, test }
}

/** Training clips that could not be decoded, each once. */
function failedOf({ align, train }: Pick<Features, "align" | "train">): Extraction["failed"] {
  return [...new Map([...train.failed, ...align.failed].map((failure) => [failure.clip.hash, failure])).values()]
}

/** The splits without clips that could not be decoded. */
export function withoutFailed(splits: readonly Split[], features: Features): Split[] {
  const failed = new Set(failedOf(features).map(({ clip }) => clip.hash))
  const usable = (clips: readonly Clip[]) => clips.filter(({ hash }) => !failed.has(hash))
  return splits.map((split) => ({
    ...split,
    train: usable(split.train),
    ...(split.background ? { background: { ...split.background, held: usable(split.background.held) } } : {}),
  }))
}
