/**
 * The questions that are put to the vision-language model about each strip of key frames, as data. Preset `paper` holds
 * the four prompts of Lu et al., Section 3.2, verbatim; `motion` asks for changes between frames.
 */

import { FourtierError, nearest } from "@fourtier/tensor"
import { z } from "zod"
import { type PresetName, type PromptsConfig, promptsSchema } from "./prompt-settings.ts"

export interface Prompt {
  /** Short and stable: the column name of the answers ("A", "B", ...). */
  readonly id: string
  readonly text: string
}

/**
 * The prompt that a column or a record names: by its id, in any letters and also with its question behind it ("A: What …"), or by its
 * question.
 */
export function promptNamed<P extends Prompt>(prompts: readonly P[], name: string): P | undefined {
  const plain = (text: string) => text.trim().toLowerCase().replaceAll(/\s+/g, " ")
  const given = plain(name)
  const id = /^([^\s:.)]+)[:.)]/.exec(given)?.[1]
  return (
    prompts.find((prompt) => prompt.id === name) ??
    prompts.find((prompt) => plain(prompt.id) === given || plain(prompt.text) === given) ??
    prompts.find((prompt) => plain(prompt.id) === id)
  )
}

export interface PromptSet {
  /** Sent with every prompt; null for none. */
  readonly system: string | null
  readonly prompts: readonly Prompt[]
}

/** Says what the image is, and nothing about what it may show. */
export const STRIP_SYSTEM =
  "The image is a strip of frames from one video, side by side, in time order from left to right."

export const presets: Record<PresetName, PromptSet> = {
  paper: {
    system: STRIP_SYSTEM,
    prompts: [
      { id: "A", text: "What is the action category?" },
      { id: "B", text: "Describe the action components in the image" },
      { id: "C", text: "Describe the action in the image in detail" },
      { id: "D", text: "Describe the context information" },
    ],
  },
  motion: {
    system: STRIP_SYSTEM,
    prompts: [
      { id: "A", text: "Name the action or movement that runs from the first frame to the last, in a short phrase." },
      { id: "B", text: "Which body parts and objects move, and which way does each of them move from frame to frame?" },
      { id: "C", text: "Go through the frames in order and describe only what changes from each one to the next." },
      {
        id: "D",
        text: "Describe how the distance, contact and relative position of the people and objects change over the frames.",
      },
    ],
  },
}

/**
 * The prompts that a config names, the four of the paper by default.
 * @throws FourtierError for an unknown letter, or an id that is used twice
 *
 * @example
 * ```ts
 * import { resolvePrompts } from "fourtier/describe"
 *
 * resolvePrompts(["A", { id: "speed", text: "How fast does the person move?" }]).prompts.length // 2
 * ```
 */
export function resolvePrompts(config: PromptsConfig = "paper"): PromptSet {
  const value = promptsSchema.parse(config)
  if (typeof value === "string") return presets[value]
  const set = Array.isArray(value)
    ? {
        system: STRIP_SYSTEM,
        prompts: value.map((entry) => (typeof entry === "string" ? named("paper", entry) : entry)),
      }
    : {
        system: value.system === undefined ? presets[value.preset].system : value.system,
        prompts: [...(value.only?.map((id) => named(value.preset, id)) ?? presets[value.preset].prompts), ...value.add],
      }
  const seen = new Set<string>()
  for (const { id } of set.prompts) {
    if (seen.has(id)) throw new FourtierError({ where: "prompts", what: "two prompts have the same id", found: id })
    seen.add(id)
  }
  return set
}

function named(preset: PresetName, id: string): Prompt {
  const prompts = presets[preset].prompts
  const prompt = prompts.find((candidate) => candidate.id === id)
  if (prompt) return prompt
  const ids = prompts.map((candidate) => candidate.id)
  throw new FourtierError({
    where: "prompts",
    what: `no such prompt in preset "${preset}"`,
    expected: ids.join(", "),
    found: id,
    fix: `give {id, text} for a prompt of your own${nearest(id, ids) ? `, or "${nearest(id, ids)}"` : ""}`,
  })
}

/** One question that puts all prompts at once, to be answered by a JSON object with one text per prompt. */
export function togetherQuestion(prompts: readonly Prompt[]): string {
  const lines = prompts.map(({ id, text }) => `${JSON.stringify(id)}: ${text}`)
  const shape = `{${prompts.map(({ id }) => `${JSON.stringify(id)}: "..."`).join(", ")}}`
  return `Answer each of these separately.\n${lines.join("\n")}\nReply with one JSON object and nothing else: ${shape}`
}

/** The JSON schema of the answer to `togetherQuestion`. */
export function togetherSchema(prompts: readonly Prompt[]): Record<string, unknown> {
  return {
    type: "object",
    properties: Object.fromEntries(prompts.map(({ id }) => [id, { type: "string" }])),
    required: prompts.map(({ id }) => id),
    additionalProperties: false,
  }
}

/**
 * Splits the answer to `togetherQuestion`. A Markdown fence or words around the object are ignored.
 * @returns the texts by prompt id; null when one is missing, or there is no such object
 */
export function parseTogether(text: string, prompts: readonly Prompt[]): Record<string, string> | null {
  const start = text.indexOf("{")
  const end = text.lastIndexOf("}")
  if (start < 0 || end <= start) return null
  try {
    const shape = z.object(Object.fromEntries(prompts.map(({ id }) => [id, z.string()])))
    return shape.parse(JSON.parse(text.slice(start, end + 1)))
  } catch {
    return null
  }
}
