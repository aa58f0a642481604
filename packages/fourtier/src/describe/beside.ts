/** Answers that lie beside the data, as `descriptions.jsonl`: what is used where no provider is named. */

import { existsSync, statSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { basename, dirname, resolve } from "node:path"
import { writeFileAtomic } from "@fourtier/tensor/node"
import { cleanPath, readRecords } from "./answer-formats.ts"
import type { Answer } from "./cache.ts"
import { Contradictions } from "./contradictions.ts"
import { type PromptSet, promptNamed } from "./prompts.ts"
import type { DescribedClip } from "./provider.ts"

/**
 * Path of the file of answers beside a data set, whether it exists or not.
 * @param data a folder, or a table of clips
 *
 * @example
 * ```ts
 * import { answersBeside } from "fourtier/describe"
 *
 * answersBeside("my-clips") // "/…/my-clips/descriptions.jsonl"
 * ```
 */
export function answersBeside(data: string): string {
  return resolve(statSync(data).isDirectory() ? data : dirname(data), "descriptions.jsonl")
}

/** The provider that reads the answers beside the data; null where there are none. */
export function providerBeside(data: string): { kind: "replay"; file: string } | null {
  const file = answersBeside(data)
  return existsSync(file) ? { kind: "replay", file } : null
}

/**
 * The answers beside the data about each clip, by prompt: clip id → prompt id → text. Empty where there is no such file.
 * @param target see `answersBeside`
 *
 * @example
 * ```ts
 * import { answersBeside, readBeside } from "fourtier/describe"
 * import { readManifest } from "fourtier/video"
 *
 * const { manifest } = await readManifest("runs/mine/manifest.jsonl")
 * const answers = await readBeside(answersBeside("my-clips"), manifest.clips)
 * answers.get("hug/clip-01")?.A // "hugging"
 * ```
 */
export async function readBeside(
  target: string,
  clips: readonly DescribedClip[],
): Promise<Map<string, Record<string, string>>> {
  const found = new Map<string, Record<string, string>>()
  if (!existsSync(target)) return found
  const byName = clipsByName(clips)
  for await (const { clip: name, prompt, answer } of readRecords(target)) {
    const clip = byName.get(name)
    if (clip) found.set(clip.id, { ...found.get(clip.id), [prompt]: answer })
  }
  return found
}

/** Clips by the names under which answers may mention them: id, and path with the window where there is one. */
export function clipsByName(clips: readonly DescribedClip[]): Map<string, DescribedClip> {
  return new Map(
    clips.flatMap((clip) => {
      const path = cleanPath(clip.relative)
      const window = clip.start === null && clip.end === null ? "" : `@${clip.start ?? ""}-${clip.end ?? ""}`
      return [clip.id, `${path}${window}`].map((name) => [name, clip] as const)
    }),
  )
}

/** What an import did. */
export interface Imported {
  /** Answers taken. */
  imported: number
  /** The records whose clip or prompt is unknown: "clip prompt". */
  unknown: string[]
  /** Questions that the file answers twice in different words, told with an example; null where there are none. */
  twice: string | null
}

/**
 * Adds the answers of a JSONL or CSV file to those beside the data; of two answers to one prompt about a clip the new one counts.
 * Empty answers are left out.
 * @param target see `answersBeside`
 * @returns see `Imported`
 *
 * @example
 * ```ts
 * import { importBeside, resolvePrompts } from "fourtier/describe"
 * import { readManifest } from "fourtier/video"
 *
 * const { manifest } = await readManifest("runs/mine/manifest.jsonl")
 * await importBeside("task/tasks.csv", "my-clips/descriptions.jsonl", manifest.clips, resolvePrompts("paper"))
 * ```
 */
export async function importBeside(
  file: string,
  target: string,
  clips: readonly DescribedClip[],
  { prompts }: PromptSet,
): Promise<Imported> {
  const byName = clipsByName(clips)
  const known = new Map<string, string>()
  if (existsSync(target)) {
    for await (const { clip, prompt, answer } of readRecords(target)) known.set(`${clip}\u0000${prompt}`, answer)
  }
  const unknown: string[] = []
  const twice = new Contradictions()
  let lines = ""
  let imported = 0
  for await (const { clip: name, prompt: named, answer, model } of readRecords(file)) {
    const clip = byName.get(name)
    const prompt = promptNamed(prompts, named)?.id
    if (!clip || prompt === undefined) {
      unknown.push(`${name} ${named}`)
      continue
    }
    imported++
    twice.note(clip.id, prompt, answer)
    const { id, relative, start, end } = clip
    const window = start === null && end === null ? "" : `@${start ?? ""}-${end ?? ""}`
    const text = answer.trim()
    const own = id === relative ? id : `${cleanPath(relative)}${window}`
    if (known.get(`${own}\u0000${prompt}`) === text) continue
    lines += lineOf(clip, { prompt, answer: text, ...(model === undefined ? {} : { model }) })
  }
  if (lines !== "") await addLines(target, lines)
  return { imported, unknown, twice: twice.said }
}

/** Replaces an answer beside the data: of two answers to one prompt about a clip the last one counts. */
export async function editBeside(
  target: string,
  clip: DescribedClip,
  { prompt, answer, model }: Pick<Answer, "prompt" | "answer" | "model">,
): Promise<void> {
  await addLines(target, lineOf(clip, { prompt, answer, ...(model === basename(target) ? {} : { model }) }))
}

function lineOf({ id, relative, start, end }: DescribedClip, said: { prompt: string; answer: string; model?: string }) {
  const windowed = { path: relative, ...(start === null ? {} : { start }), ...(end === null ? {} : { end }) }
  // clips around key frames, and people in them, are known by their ids alone
  const place = id === relative ? { clip: id } : windowed
  return `${JSON.stringify({ ...place, ...said })}\n`
}

async function addLines(target: string, lines: string): Promise<void> {
  const before = existsSync(target) ? await readFile(target, "utf8") : ""
  const gap = before === "" || before.endsWith("\n") ? "" : "\n"
  await writeFileAtomic(target, `${before}${gap}${lines}`)
}
