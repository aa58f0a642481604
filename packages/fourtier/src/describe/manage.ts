/** Looking at answers that are in the cache, and mending them. The cache only grows: what is replaced stays in the file. */

import { FourtierError, nearest } from "@fourtier/tensor"
import { type ClipAnswers, cleanPath, readRecords } from "./answer-formats.ts"
import { type Answer, answerKey, DescriptionCache, promptSpec, type Spec } from "./cache.ts"
import type { PromptSet } from "./prompts.ts"
import type { DescribedClip } from "./provider.ts"

/** Opens the cache for the time of `work`. */
export async function withCache<T>(path: string, work: (cache: DescriptionCache) => T | Promise<T>): Promise<T> {
  const cache = new DescriptionCache(path)
  try {
    return await work(cache)
  } finally {
    cache.close()
  }
}

/** The answers that hold for a clip, named by its id or its path, flagged ones too. @throws FourtierError when none do */
export function answersOf(cache: DescriptionCache, name: string): Answer[] {
  const path = cleanPath(name)
  const found: Answer[] = []
  const known = new Set<string>()
  for (const answer of cache.answers()) {
    if (answer.clip === name || answer.path === path) found.push(answer)
    known.add(answer.clip)
  }
  if (found.length > 0) return found
  const near = nearest(name, known)
  throw new FourtierError({
    where: cache.path,
    what: `no answers about "${name}"`,
    ...(near ? { fix: `did you mean "${near}"?` } : {}),
  })
}

/**
 * Replaces the answer to one prompt; later runs take it as the model's.
 * @param model needed where several models have answered
 * @returns the replaced answer
 */
export function editAnswer(
  cache: DescriptionCache,
  clip: string,
  prompt: string,
  text: string,
  model?: string,
): Answer {
  const all = answersOf(cache, clip)
  const fits = all.filter((answer) => answer.prompt === prompt && (model === undefined || answer.model === model))
  const models = [...new Set(fits.map((answer) => answer.model))]
  if (models.length !== 1) {
    throw new FourtierError({
      where: clip,
      what: models.length === 0 ? `no answer to prompt ${prompt}` : "several models have answered",
      found: all.map((answer) => `${answer.prompt} by ${answer.model}`).join(", "),
      ...(models.length > 1 ? { fix: "say which with --model" } : {}),
    })
  }
  const old = fits[fits.length - 1]
  const { flags: _, cost: __, inputTokens: ___, outputTokens: ____, ...kept } = old
  cache.append({ ...kept, ok: 1, answer: text.trim(), by: "edit", time: new Date().toISOString() })
  return old
}

/**
 * Takes answers from a JSONL or CSV file, as if the model of `common` had given them: a later run with the same prompts,
 * model, settings and strips does not ask for them.
 * @returns how many were taken, and records whose clip or prompt is not known
 */
export async function importAnswers(
  cache: DescriptionCache,
  file: string,
  clips: readonly DescribedClip[],
  prompts: PromptSet,
  common: Omit<Spec, "prompt" | "system">,
): Promise<{ taken: number; unknown: string[] }> {
  const byName = new Map(clips.flatMap((clip) => [[clip.id, clip] as const, [cleanPath(clip.relative), clip] as const]))
  const byId = new Map(prompts.prompts.map((prompt) => [prompt.id, prompt]))
  const unknown: string[] = []
  let taken = 0
  for await (const record of readRecords(file)) {
    const clip = byName.get(record.clip)
    const prompt = byId.get(record.prompt)
    if (!clip || !prompt) {
      unknown.push(`${record.clip} ${record.prompt}`)
      continue
    }
    const spec = cache.register(promptSpec(prompt, { ...common, system: prompts.system }))
    const key = answerKey(clip.hash, spec)
    const answer = record.answer.trim()
    if (cache.read(key)?.answer !== answer) {
      const model = record.model ?? common.model
      const time = new Date().toISOString()
      cache.append({
        key,
        ok: 1,
        clip: clip.id,
        path: clip.relative,
        prompt: prompt.id,
        answer,
        model,
        spec,
        by: "import",
        time,
      })
    }
    taken++
  }
  return { taken, unknown }
}

/**
 * Sound answers by clip and model, in the order of the file; the last one of a prompt holds.
 * @param labels class by clip id; answers about other clips are left out
 */
export function answersByClip(cache: DescriptionCache, labels: ReadonlyMap<string, string | null>): ClipAnswers[] {
  const rows = new Map<string, ClipAnswers>()
  for (const { ok, clip, path, model, prompt, answer } of cache.answers()) {
    if (ok === 0 || !labels.has(clip)) continue
    const name = `${clip}\u0000${model}`
    const row = rows.get(name) ?? { clip, path, label: labels.get(clip) ?? null, model, answers: {} }
    row.answers[prompt] = answer
    rows.set(name, row)
  }
  return [...rows.values()]
}
