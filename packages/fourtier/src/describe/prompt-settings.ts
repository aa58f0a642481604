/** Settings of the prompts. */

import { z } from "zod"

const presetName = z.enum(["paper", "motion"])

const promptSchema = z.strictObject({
  id: z
    .string()
    .regex(/^[\p{L}\p{N}_-]{1,40}$/u, "letters, digits, _ and - only, at most 40")
    .describe("column name of the answers"),
  text: z.string().trim().min(1).describe("the question"),
})

/**
 * What a config may say under `prompts`: the name of a preset; a list whose entries are letters of preset `paper` or
 * prompts of one's own; or a preset, reduced to some of its letters or extended. With an empty list nothing is asked (the
 * baseline without prompts).
 */
export const promptsSchema = z.union([
  presetName,
  z.array(z.union([z.string().max(40), promptSchema])),
  z.strictObject({
    preset: presetName.default("paper").describe("prompts to start from"),
    only: z.array(z.string()).optional().describe("letters of the preset to keep; all by default"),
    system: z.string().nullable().optional().describe("system text; null for none, the preset's by default"),
    add: z.array(promptSchema).default([]).describe("prompts of one's own"),
  }),
])

export type PromptsConfig = z.input<typeof promptsSchema>

/** Prompts that come with the project, by name. */
export type PresetName = z.output<typeof presetName>
