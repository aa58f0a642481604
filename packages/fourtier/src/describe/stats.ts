/** The answers as a whole: shows a model that cannot see, repeats itself or writes too much. */

import type { DescriptionCache } from "./cache.ts"
import { wordsOf } from "./check.ts"
import { answersAbout, type KnownClip } from "./manage.ts"

export interface PromptStats {
  prompt: string
  model: string
  /** The question, where the cache has it. */
  text: string | null
  answers: number
  flagged: number
  /** How often each flag was raised. */
  flags: Record<string, number>
  /** Mean number of words of a sound answer. */
  meanWords: number
  /** Number of words of the longest one. */
  mostWords: number
  /** Number of different answers as a share of all. */
  distinct: number
  /** Share of answers that name their clip's class; null without labels. */
  agreement: number | null
  /** The same by class, where labels are known. */
  classes: { label: string; answers: number; agreement: number }[]
  /** The most frequent runs of three words, with the share of answers that contain them. */
  phrases: { text: string; share: number }[]
}

interface Tally {
  prompt: string
  model: string
  text: string | null
  flagged: number
  flags: Map<string, number>
  answers: number
  words: number
  mostWords: number
  distinct: Set<string>
  classes: Map<string, { answers: number; named: number }>
  phrases: Map<string, number>
}

/** Phrases are counted in this many answers to a prompt; more would hardly change their shares. */
const PHRASES_FROM = 5000

/**
 * Statistics of the answers to each prompt, by model.
 *
 * @example
 * ```ts
 * import { describeStats, withCache } from "fourtier/describe"
 * import { readManifest } from "fourtier/video"
 *
 * const { manifest } = await readManifest("runs/mine/manifest.jsonl")
 * const [{ prompt, distinct, agreement }] = await withCache("cache/descriptions.jsonl", (cache) =>
 *   describeStats(cache, manifest.clips),
 * )
 * ```
 */
export function describeStats(cache: DescriptionCache, clips: readonly KnownClip[]): PromptStats[] {
  const labels = new Map(clips.map(({ id, label }) => [id, label]))
  const tallies = new Map<string, Tally>()
  for (const { prompt, model, spec, ok, flags = [], answer, clip } of answersAbout(cache, clips)) {
    const name = `${model}\u0000${spec}\u0000${prompt}`
    const text = cache.spec(spec)?.prompt
    const tally = tallies.get(name) ?? newTally(prompt, model, typeof text === "string" ? text : null)
    tallies.set(name, tally)
    if (ok === 0) {
      tally.flagged++
      for (const flag of flags) tally.flags.set(flag, (tally.flags.get(flag) ?? 0) + 1)
    } else count(tally, answer, labels.get(clip) ?? null)
  }
  const order = ({ model, prompt }: PromptStats) => `${model}\u0000${prompt}`
  return [...tallies.values()].map(finish).sort((a, b) => (order(a) < order(b) ? -1 : 1))
}

function newTally(prompt: string, model: string, text: string | null): Tally {
  const empty = { flagged: 0, answers: 0, words: 0, mostWords: 0 }
  return {
    prompt,
    model,
    text,
    ...empty,
    flags: new Map(),
    distinct: new Set(),
    classes: new Map(),
    phrases: new Map(),
  }
}

function count(tally: Tally, answer: string, label: string | null): void {
  const words = wordsOf(answer)
  tally.answers++
  tally.words += words.length
  tally.mostWords = Math.max(tally.mostWords, words.length)
  tally.distinct.add(words.join(" "))
  if (label !== null) {
    const own = tally.classes.get(label) ?? { answers: 0, named: 0 }
    own.answers++
    if (names(answer, label)) own.named++
    tally.classes.set(label, own)
  }
  if (tally.answers > PHRASES_FROM) return
  const phrases = new Set(words.slice(2).map((_, i) => words.slice(i, i + 3).join(" ")))
  for (const phrase of phrases) tally.phrases.set(phrase, (tally.phrases.get(phrase) ?? 0) + 1)
}

function finish(tally: Tally): PromptStats {
  const { prompt, model, text, flagged, answers, mostWords } = tally
  const classes = [...tally.classes].map(([label, own]) => ({
    label,
    answers: own.answers,
    agreement: own.named / own.answers,
  }))
  const labelled = classes.reduce((sum, own) => sum + own.answers, 0)
  const named = classes.reduce((sum, own) => sum + own.answers * own.agreement, 0)
  const phrases = [...tally.phrases].sort((a, b) => b[1] - a[1]).slice(0, 5)
  return {
    prompt,
    model,
    text,
    answers,
    flagged,
    flags: Object.fromEntries(tally.flags),
    meanWords: answers === 0 ? 0 : tally.words / answers,
    mostWords,
    distinct: answers === 0 ? 0 : tally.distinct.size / answers,
    agreement: labelled === 0 ? null : named / labelled,
    classes: classes.sort((a, b) => (a.label < b.label ? -1 : 1)),
    phrases: phrases.map(([phrase, times]) => ({ text: phrase, share: times / Math.min(answers, PHRASES_FROM) })),
  }
}

/** Whether an answer contains every word of a label, apart from endings: "shaking hands" and "handshake" name hand_shake. */
export function names(answer: string, label: string): boolean {
  const squeezed = wordsOf(answer).join("")
  const words = wordsOf(label.replaceAll("_", " ").replace(/(\p{Ll})(\p{Lu})/gu, "$1 $2"))
  return words.length > 0 && words.every((word) => squeezed.includes(stem(word)))
}

function stem(word: string): string {
  const short = word.replace(/(?:ying|ies|ied|ing|ed|es|s|e|y)$/, "")
  const root = short.length >= 3 ? short : word
  return root.replace(/([bdgmnprt])\1$/, "$1")
}
