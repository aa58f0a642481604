/** Shows, edits and imports answers of the cache. The file only grows: an answer that is replaced stays in it. */

import { FourtierError, nearest } from "@fourtier/tensor"
import { type ClipAnswers, cleanPath, readRecords } from "./answer-formats.ts"
import { clipsByName, type Imported } from "./beside.ts"
import { type Answer, answerKey, DescriptionCache, promptSpec, type Spec } from "./cache.ts"
import { Contradictions } from "./contradictions.ts"
import { type Prompt, type PromptSet, promptNamed } from "./prompts.ts"
import type { DescribedClip } from "./provider.ts"

/**
 * Opens the cache, and closes it after `work`.
 *
 * @example
 * ```ts
 * import { describeStats, withCache } from "fourtier/describe"
 * import { readManifest } from "fourtier/video"
 *
 * const { manifest } = await readManifest("runs/mine/manifest.jsonl")
 * const stats = await withCache("cache/descriptions.jsonl", (cache) => describeStats(cache, manifest.clips))
 * ```
 */
export async function withCache<T>(path: string, work: (cache: DescriptionCache) => T | Promise<T>): Promise<T> {
  const cache = new DescriptionCache(path)
  try {
    return await work(cache)
  } finally {
    cache.close()
  }
}

/** What answers from a file are given by, see `Answer`. */
const RECORDED = "replay"

/** What it takes to find the answers about a clip. */
export type KnownClip = Pick<DescribedClip, "id" | "relative" | "hash" | "label">

/**
 * The valid answers about clips, flagged ones included: those that were given about their content, whatever its name was then. Each
 * bears the name that the clip has now.
 *
 * @example
 * ```ts
 * import { answersAbout, withCache } from "fourtier/describe"
 * import { readManifest } from "fourtier/video"
 *
 * const { manifest } = await readManifest("runs/mine/manifest.jsonl")
 * await withCache("cache/descriptions.jsonl", (cache) => {
 *   for (const { clip, prompt, answer } of answersAbout(cache, manifest.clips)) console.log(clip, prompt, answer)
 * })
 * ```
 */
export function* answersAbout(cache: DescriptionCache, clips: readonly KnownClip[]): Generator<Answer> {
  const specs = cache.specIds()
  for (const { id, relative, hash } of clips) {
    const found: Answer[] = []
    for (const spec of specs) {
      const key = answerKey(hash, spec)
      const answer = cache.state(key) === undefined ? undefined : cache.read(key)
      if (answer) found.push({ ...answer, clip: id, path: relative })
    }
    yield* withoutSuperseded(found)
  }
}

/** Without answers that were read from a file of recorded answers before it changed, where it has been read again since. */
function withoutSuperseded(answers: readonly Answer[]): Answer[] {
  const recorded = (answer: Answer) => answer.by === RECORDED
  const name = ({ prompt, model }: Answer) => `${model}\u0000${prompt}`
  const latest = new Map<string, string>()
  for (const answer of answers.filter(recorded)) {
    if (answer.time >= (latest.get(name(answer)) ?? "")) latest.set(name(answer), answer.time)
  }
  return answers.filter((answer) => !recorded(answer) || answer.time === latest.get(name(answer)))
}

/**
 * The clip of that name.
 * @param name its id or its path relative to the data folder
 * @throws FourtierError where there is none
 */
export function clipNamed<C extends KnownClip>(clips: readonly C[], name: string): C {
  const path = cleanPath(name)
  const found = clips.find(({ id, relative }) => id === name || cleanPath(relative) === path)
  if (found) return found
  const near = nearest(name, new Set(clips.map(({ id }) => id)))
  throw new FourtierError({
    where: name,
    what: "there is no such clip",
    expected: "a clip's id, or its path relative to the data folder",
    ...(near ? { fix: `did you mean "${near}"?` } : {}),
  })
}

/**
 * The valid answers about a clip, flagged ones included.
 * @throws FourtierError when there are none
 *
 * @example
 * ```ts
 * import { answersOf, withCache } from "fourtier/describe"
 * import { readManifest } from "fourtier/video"
 *
 * const { manifest } = await readManifest("runs/mine/manifest.jsonl")
 * const answers = await withCache("cache/descriptions.jsonl", (cache) => answersOf(cache, manifest.clips[0]))
 * answers.map(({ prompt, answer }) => `${prompt}: ${answer}`)
 * ```
 */
export function answersOf(cache: DescriptionCache, clip: KnownClip): Answer[] {
  const found = [...answersAbout(cache, [clip])]
  if (found.length > 0) return found
  throw new FourtierError({ where: cache.path, what: `no answers about "${clip.id}"`, fix: "run `fourtier describe`" })
}

/**
 * Replaces the answer to a prompt; later runs use it as if the model had given it.
 * @param model needed when several models have answered
 * @returns the answer that was replaced
 * @throws FourtierError when it is not clear which answer is meant
 *
 * @example
 * ```ts
 * import { editAnswer, withCache } from "fourtier/describe"
 * import { readManifest } from "fourtier/video"
 *
 * const { manifest } = await readManifest("runs/mine/manifest.jsonl")
 * await withCache("cache/descriptions.jsonl", (cache) => editAnswer(cache, manifest.clips[0], "A", "hugging"))
 * ```
 */
export function editAnswer(
  cache: DescriptionCache,
  clip: KnownClip,
  prompt: string,
  text: string,
  model?: string,
): Answer {
  const all = answersOf(cache, clip)
  const fits = all.filter((answer) => answer.prompt === prompt && (model === undefined || answer.model === model))
  const models = [...new Set(fits.map((answer) => answer.model))]
  if (models.length !== 1) {
    throw new FourtierError({
      where: clip.id,
      what: models.length === 0 ? `no answer to prompt ${prompt}` : "several models have answered this prompt",
      found: all.map((answer) => `${answer.prompt} by ${answer.model}`).join(", "),
      ...(models.length > 1 ? { fix: "name one with --model" } : {}),
    })
  }
  const old = fits[fits.length - 1]
  const { flags: _, cost: __, inputTokens: ___, outputTokens: ____, ...kept } = old
  cache.append({ ...kept, ok: 1, answer: text.trim(), by: "edit", time: new Date().toISOString() })
  return old
}

/**
 * Imports answers from a JSONL or CSV file as if the model of `common` had given them: a later run with the same prompts,
 * model, settings and strips does not ask for them.
 * @returns see `Imported`
 *
 * @example
 * ```ts
 * import { importAnswers, resolvePrompts, withCache } from "fourtier/describe"
 * import { readManifest } from "fourtier/video"
 *
 * const { manifest } = await readManifest("runs/mine/manifest.jsonl")
 * const by = { model: "people", settings: {}, strip: { frames: 5, height: 256 } }
 * const { imported, unknown } = await withCache("cache/descriptions.jsonl", (cache) =>
 *   importAnswers(cache, "task/tasks.csv", manifest.clips, resolvePrompts("paper"), by),
 * )
 * ```
 */
export async function importAnswers(
  cache: DescriptionCache,
  file: string,
  clips: readonly DescribedClip[],
  prompts: PromptSet,
  common: Omit<Spec, "prompt" | "system" | "strip"> & {
    strip: Spec["strip"] | ((clip: DescribedClip) => Spec["strip"])
  },
): Promise<Imported> {
  const byName = clipsByName(clips)
  const unknown: string[] = []
  const twice = new Contradictions()
  let imported = 0
  for await (const record of readRecords(file)) {
    const clip = byName.get(record.clip)
    const prompt = promptNamed(prompts.prompts, record.prompt)
    if (!clip || !prompt) {
      unknown.push(`${record.clip} ${record.prompt}`)
      continue
    }
    const strip = typeof common.strip === "function" ? common.strip(clip) : common.strip
    const own = { ...common, strip, system: prompts.system }
    twice.note(clip.id, prompt.id, record.answer.trim())
    putAnswer(cache, clip, prompt, record.answer, { ...own, by: "import", answeredBy: record.model })
    imported++
  }
  return { imported, unknown, twice: twice.said }
}

/** As what, and by whom, an answer is kept. */
export interface PutOptions extends Omit<Spec, "prompt"> {
  by: "import" | "edit"
  /** The model that is named as its author; default: that of the spec. */
  answeredBy?: string
}

/** Keeps an answer as if a model had given it; one that is there already is left as it is. */
export function putAnswer(
  cache: DescriptionCache,
  clip: DescribedClip,
  prompt: Prompt,
  text: string,
  { by, answeredBy, ...common }: PutOptions,
): void {
  const spec = cache.register(promptSpec(prompt, common))
  const key = answerKey(clip.hash, spec)
  const answer = text.trim()
  // who writes what was flagged vouches for it
  if (cache.read(key)?.answer === answer && (by === "import" || cache.state(key) === "good")) return
  const model = answeredBy ?? common.model
  const time = new Date().toISOString()
  const about = { clip: clip.id, path: clip.relative, prompt: prompt.id }
  cache.append({ key, ok: 1, ...about, answer, model, spec, by, time })
}

/**
 * Sets a model's sound answers about clips aside, so that they are asked anew.
 * @returns what puts those back that nothing has replaced
 */
export function setAside(cache: DescriptionCache, clips: readonly KnownClip[], model: string): () => number {
  const old = [...answersAbout(cache, clips)].filter((answer) => answer.ok === 1 && answer.model === model)
  for (const answer of old) cache.append({ ...answer, ok: 0, flags: [ASKED_ANEW] })
  return () => {
    cache.refresh()
    const left = old.filter(({ key }) => cache.read(key)?.flags?.includes(ASKED_ANEW))
    for (const answer of left) cache.append(answer)
    return left.length
  }
}

const ASKED_ANEW = "asked anew"

/**
 * The sound answers by clip and model, in the order of the clips.
 *
 * @example
 * ```ts
 * import { answersByClip, withCache } from "fourtier/describe"
 * import { readManifest } from "fourtier/video"
 *
 * const { manifest } = await readManifest("runs/mine/manifest.jsonl")
 * const [row] = await withCache("cache/descriptions.jsonl", (cache) => answersByClip(cache, manifest.clips))
 * row.answers // { A: "...", B: "...", C: "...", D: "..." }
 * ```
 */
export function answersByClip(cache: DescriptionCache, clips: readonly KnownClip[]): ClipAnswers[] {
  const labels = new Map(clips.map(({ id, label }) => [id, label]))
  const rows = new Map<string, ClipAnswers>()
  for (const { ok, clip, path, model, prompt, answer } of answersAbout(cache, clips)) {
    if (ok === 0) continue
    const name = `${clip}\u0000${model}`
    const row = rows.get(name) ?? { clip, path, label: labels.get(clip) ?? null, model, answers: {} }
    row.answers[prompt] = answer
    rows.set(name, row)
  }
  return [...rows.values()]
}
