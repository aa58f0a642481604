/** Every clip through the frozen encoder. */

import type { ViewRecipe } from "@fourtier/core/frames"
import { FourtierError } from "@fourtier/tensor"
import type { Config } from "../config.ts"
import { openVisualEncoder } from "../encoders/catalog.ts"
import type { VisualEncoder } from "../encoders/encoder.ts"
import { type Extraction, extractFeatures } from "../features/extract.ts"
import { learnsFromWords } from "../requirements.ts"
import type { Division } from "../shards/job.ts"
import { cacheFolders } from "../util/cache-folders.ts"
import type { Clip } from "../video/manifest.ts"
import type { Split } from "../video/splits.ts"
import type { StageContext } from "./context.ts"
import { type ViewRecipes, viewRecipes } from "./views.ts"

const visualEncoders = new WeakMap<Config["encoder"], Promise<VisualEncoder>>()

/** The frozen encoder of a configuration, opened once, also where other settings are adapted to the clips in between. */
export function visualEncoder({ encoder }: Config): Promise<VisualEncoder> {
  const opened = visualEncoders.get(encoder) ?? openVisualEncoder(encoder)
  visualEncoders.set(encoder, opened)
  return opened
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

/** Where features are kept, and what computes them. */
export function extractOptions({ config, reporter, signal }: StageContext) {
  const { provider, threads, workers, batch } = config.runtime
  const { features, older } = cacheFolders(config.cache)
  return {
    pool: config.model.pool,
    root: features,
    others: [...(older ? [older.features] : []), ...config.featuresFrom],
    reporter,
    signal,
    runtime: { provider, threads: threads ?? undefined },
    workers: workers ?? undefined,
    batch,
  }
}

/** The clips that `pick` takes of the splits, each once. */
export function uniqueClips(splits: readonly Split[], pick: (split: Split) => Clip[]): Clip[] {
  return [...new Map(splits.flatMap(pick).map((clip) => [clip.id, clip])).values()]
}

/** Clips of no class from which on networks learn what they show: as many as a rate of false alarms of 5 % can be kept with. */
const FEWEST_BACKGROUND = 19

/** Whether the networks get one more output, for clips of no class. */
export function learnsBackground(splits: readonly Split[], { background }: Pick<Config, "background">): boolean {
  return background === "learn" && splits.every((split) => (split.background?.held ?? []).length >= FEWEST_BACKGROUND)
}

/** Clips with how they are seen. */
interface Part {
  clips: Clip[]
  recipe: ViewRecipe
}

/** Which clips are seen how: random views of training clips, fixed views of the others; apart for stage 1 where that is configured. */
function partsOf(splits: readonly Split[], config: Config, encoder: VisualEncoder): Record<keyof ViewRecipes, Part> {
  const recipes = viewRecipes(config, encoder)
  const training = uniqueClips(splits, ({ train }) => train)
  const learned = learnsBackground(splits, config)
    ? uniqueClips(splits, ({ background }) => background?.held ?? [])
    : []
  const tested = uniqueClips(splits, ({ val, test, background }) => [
    ...val,
    ...test,
    ...(background?.held ?? []),
    ...(background?.test ?? []),
  ])
  return {
    train: { clips: [...training, ...learned], recipe: recipes.train },
    align: { clips: training, recipe: recipes.align },
    test: { clips: tested, recipe: recipes.test },
  }
}

/** Whether stage 1 has views of its own. */
const alignsApart = (config: Config) => config.views.align !== null && learnsFromWords(config)

/** This process's part of what `extract` computes, part by part: clips that cannot be decoded are among what is returned. */
export async function extractDivided(
  splits: readonly Split[],
  context: StageContext,
  division: Division | undefined,
): Promise<Map<string, Extraction>> {
  const { config, reporter } = context
  const encoder = await visualEncoder(config)
  for (const note of encoder.notes ?? []) reporter.say(note)
  const { train, align, test } = partsOf(splits, config, encoder)
  const parts = { train, ...(alignsApart(config) ? { align } : {}), test }
  const common = { ...extractOptions(context), encoder, ...(division ? { division } : {}) }
  const done = new Map<string, Extraction>()
  for (const [name, { clips, recipe }] of Object.entries(parts)) {
    done.set(name, await extractFeatures(clips, { ...common, recipe }))
  }
  return done
}

/** Every clip through the frozen encoder: random views of training clips, fixed views of validation and test clips. */
export async function extract(splits: readonly Split[], context: StageContext): Promise<Features> {
  const { config, reporter } = context
  const encoder = await visualEncoder(config)
  for (const note of encoder.notes ?? []) reporter.say(note)
  const parts = partsOf(splits, config, encoder)
  const common = { ...extractOptions(context), encoder }
  const extracted = ({ clips, recipe }: Part) => extractFeatures(clips, { ...common, recipe })
  const train = await extracted(parts.train)
  const align = alignsApart(config) ? await extracted(parts.align) : train
  const test = await extracted(parts.test)
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
