/** From training clips to what the VLM says of them, and from that to vectors. */

import { groupBy, plural } from "@fourtier/core"
import type { Corners } from "@fourtier/core/frames"
import { placesOf } from "@fourtier/core/model"
import { hashJson } from "@fourtier/tensor/node"
import { classWords } from "../classes.ts"
import type { Config } from "../config.ts"
import { countPending, describe } from "../describe/describe.ts"
import { folderStrips, personStrips, stripFile, stripFolder } from "../describe/folder-strips.ts"
import type { DescribeOptions } from "../describe/options.ts"
import type { PromptSet } from "../describe/prompts.ts"
import { openProvider } from "../describe/providers.ts"
import { takeOverAnswers } from "../describe/take-over.ts"
import type { VisualEncoder } from "../encoders/encoder.ts"
import { sourceOfAnswers } from "../requirements.ts"
import { CachedTextEncoder } from "../text/cache.ts"
import type { TextEncoder } from "../text/embed.ts"
import { type Answers, type EmbeddedTexts, embedAnswers, openTextEncoder } from "../text/targets.ts"
import { cacheFolders } from "../util/cache-folders.ts"
import type { Clip } from "../video/manifest.ts"
import { readTested } from "../video/tested.ts"
import type { StageContext } from "./context.ts"

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

/** What is described how, while its provider is open: for those who ask for less, or for more, than `describeClips`. */
export async function withDescribing<T>(
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

export function cachedTexts(encoder: TextEncoder, { cache }: Config): Promise<CachedTextEncoder> {
  const { texts, older } = cacheFolders(cache)
  return CachedTextEncoder.open(encoder, texts, older ? [older.texts] : [])
}
