/**
 * Whether an answer can be trusted. A flagged answer is kept, with the reasons, but no later stage sees it. Stop words are data; the
 * checks are pure functions of the text.
 */

import { z } from "zod"
import type { Prompt } from "./prompts.ts"
import type { Reply } from "./provider.ts"
import { stripReasoning } from "./reasoning.ts"
import { refuses } from "./refusal.ts"

export const checksSchema = z.strictObject({
  /** Longer answers (in characters) are flagged. */
  longest: z.int().positive().default(2000),
  /** `en`: answers must look like English; `any`: not checked. */
  language: z.enum(["en", "any"]).default("en"),
})

export type Checks = z.output<typeof checksSchema>

export type Flag =
  | "empty"
  | "refusal"
  | "over-long"
  | "cut off"
  | "reasoning without an answer"
  | "wrong language"
  | "copy of the prompt"
  | "repeats itself"

const STOP_WORDS: Record<string, string[]> = {
  en: "the a an and of to in on is are with his her their they he she it from at by for as while one two this that no not or but who into up out then him its there has have".split(
    " ",
  ),
  de: "der die das und ist ein eine einen mit auf von zu den dem im nicht sich er sie es wird sind bei".split(" "),
  fr: "le la les un une des et est dans avec sur du il elle ils qui que pour pas au aux sont".split(" "),
  es: "el la los las un una y es en con de del que se por para su al son está están".split(" "),
  it: "il lo la gli le un una e è in con di del della che si per sono sta nel".split(" "),
  pt: "o a os as um uma e é em com de do da que se para por são está no na".split(" "),
  nl: "de het een en is van in op met te zijn dat die aan bij voor naar er".split(" "),
}

/**
 * Checks an answer to `prompt`.
 * @param finish how the reply ended, as the provider reports it
 * @returns the reasons not to trust the answer; empty when it looks sound
 *
 * @example
 * ```ts
 * import { checkAnswer, checksSchema } from "fourtier/describe"
 *
 * const prompt = { id: "A", text: "What is the action category?" }
 * checkAnswer("I'm sorry, I can't help with that.", "stop", prompt, checksSchema.parse({})) // ["refusal"]
 * ```
 */
export function checkAnswer(text: string, finish: Reply["finish"], prompt: Prompt, checks: Checks): Flag[] {
  const flags: Flag[] = []
  const plain = text.normalize("NFKC").replaceAll("’", "'").trim()
  const folded = plain.toLowerCase()
  if (!/[\p{L}\p{N}]/u.test(plain)) return ["empty"]
  if (finish === "refused" || refuses(plain)) flags.push("refusal")
  if (plain.length > checks.longest) flags.push("over-long")
  if (finish === "length") flags.push("cut off")
  if (checks.language === "en" && !looksEnglish(folded)) flags.push("wrong language")
  if (copies(folded, prompt.text.toLowerCase())) flags.push("copy of the prompt")
  if (repeats(folded)) flags.push("repeats itself")
  return flags
}

/**
 * The answer in a reply, without the model's reasoning, and the reasons not to trust it.
 *
 * @example
 * ```ts
 * import { checksSchema, judgeReply } from "fourtier/describe"
 *
 * const reply = { text: "<think>Arms around each other.</think>hugging", finish: "stop" as const }
 * judgeReply(reply, { id: "A", text: "What is the action category?" }, checksSchema.parse({})) // { text: "hugging", flags: [] }
 * ```
 */
export function judgeReply(
  { text: whole, finish, reasoned = false }: Pick<Reply, "text" | "finish" | "reasoned">,
  prompt: Prompt,
  checks: Checks,
): { text: string; flags: Flag[] } {
  const stripped = stripReasoning(whole)
  const { text } = stripped
  const flags = checkAnswer(text, finish, prompt, checks)
  if (!flags.includes("empty") || !(reasoned || stripped.reasoned)) return { text, flags }
  const cut = stripped.cut || finish === "length"
  return { text, flags: ["reasoning without an answer", ...(cut ? ["cut off" as const] : [])] }
}

/**
 * Mostly Latin letters, and, from eight words on, at least as many stop words of English as of any other language. Words that both
 * have, such as "no", count for English.
 */
export function looksEnglish(text: string): boolean {
  const letters = text.match(/\p{L}/gu) ?? []
  const latin = letters.filter((letter) => /\p{Script=Latin}/u.test(letter)).length
  if (letters.length > 0 && latin < 0.7 * letters.length) return false
  const words = wordsOf(text)
  if (words.length < 8) return true
  const own = new Set(STOP_WORDS.en)
  const score = (language: string) => {
    const known = new Set(STOP_WORDS[language])
    return words.filter((word) => known.has(word) && (language === "en" || !own.has(word))).length
  }
  const english = score("en")
  return Object.keys(STOP_WORDS).every((language) => language === "en" || score(language) <= Math.max(english, 1))
}

/** Whether the answer is the prompt and little else. */
function copies(answer: string, prompt: string): boolean {
  const answered = wordsOf(answer).join(" ")
  const asked = wordsOf(prompt).join(" ")
  return asked !== "" && answered.includes(asked) && answered.length < asked.length + 12
}

/** Whether the same words follow each other four times or more, and make up over half of the answer. */
function repeats(text: string): boolean {
  const words = wordsOf(text)
  for (let size = 1; size <= Math.min(12, words.length / 4); size++) {
    let run = 0
    for (let i = size; i < words.length; i++) {
      run = words[i] === words[i - size] ? run + 1 : 0
      if (run >= 3 * size && run + size > words.length / 2) return true
    }
  }
  return false
}

/** Lower-case words without punctuation. */
export function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+(?:'[\p{L}]+)?/gu) ?? []
}
