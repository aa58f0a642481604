/** Two annotators in one sheet: a question that one file answers twice, in different words. */

import { plural } from "@fourtier/core"

/**
 * Notes the answers of one file as they are read, and keeps the questions whose answers differ.
 *
 * @example
 * ```ts
 * import { Contradictions } from "fourtier/describe"
 *
 * const twice = new Contradictions()
 * twice.note("hug/clip-01", "A", "hugging")
 * twice.note("hug/clip-01", "A", "a fight")
 * twice.said // '1 question is answered twice: hug/clip-01 A "hugging", then "a fight"; the last answer counts'
 * ```
 */
export class Contradictions {
  readonly #answers = new Map<string, string>()
  readonly #differing = new Map<string, string>()

  note(clip: string, prompt: string, answer: string): void {
    const question = `${clip} ${prompt}`
    const text = answer.trim()
    const before = this.#answers.get(question) ?? text
    if (before !== text) this.#differing.set(question, `${question} "${shown(before)}", then "${shown(text)}"`)
    this.#answers.set(question, text)
  }

  /** In words, with an example; null where every question has one answer. */
  get said(): string | null {
    const [first] = this.#differing.values()
    if (first === undefined) return null
    const { size } = this.#differing
    const questions = plural(size, "question is answered twice", "questions are answered twice")
    return `${questions}${size > 1 ? ", for example" : ":"} ${first}; the last answer counts`
  }
}

const shown = (answer: string) => (answer.length > 40 ? `${answer.slice(0, 39)}…` : answer)
