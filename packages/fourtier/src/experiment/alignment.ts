/**
 * An alignment: what stage 1 has learned, for any number of domains (paper Sec. 3.2).
 *
 * ```
 * <folder>/alignment.safetensors   standardize.*, processor.*, and with InfoNCE projection.* and logit_scale.*
 *         /alignment.json          what it reads and meets: encoder, sampling, text space, prompts; where it comes from, how well it does
 * ```
 */

import { join } from "node:path"
import { loadWeights } from "@fourtier/core/node"
import type { Retrieval } from "@fourtier/core/train"
import { FourtierError } from "@fourtier/tensor"
import type { Weights } from "@fourtier/tensor/nn"
import { hashJson, readJson, requireFile, writeJson, writeSafetensors } from "@fourtier/tensor/node"
import { z } from "zod"
import { version } from "../util/version.ts"

/** What an alignment reads and what it meets: equal where it may be used. */
export interface AlignmentSpace {
  encoder: string
  /** How frames become the encoder's input. */
  sampling: unknown
  steps: unknown
  pool: string
  width: number | null
  processors: string
  processorWeights: string
  processorHidden: number | null
  similarity: string
  textEncoder: string
  textWidth: number
  prompts: readonly { id: string; text: string }[]
}

/** By prompt. */
const retrievalSchema = z.record(z.string(), z.object({ skill: z.number(), z: z.number() }))

const cardSchema = z.object({
  format: z.literal(1),
  /** Names clips, answers and settings. */
  id: z.string(),
  fourtier: z.string(),
  space: z.object({
    encoder: z.string(),
    sampling: z.unknown(),
    steps: z.unknown(),
    pool: z.string(),
    width: z.number().nullable(),
    processors: z.string(),
    processorWeights: z.string(),
    processorHidden: z.number().nullable().default(null),
    similarity: z.string(),
    textEncoder: z.string(),
    textWidth: z.number(),
    prompts: z.array(z.object({ id: z.string(), text: z.string() })),
  }),
  /** The data that it was made from, with how well held-out clips of each find their own answers. */
  sets: z.array(z.object({ name: z.string(), clips: z.number(), described: z.number(), retrieval: retrievalSchema })),
  /** The same for all together. */
  retrieval: retrievalSchema,
  shapes: z.record(z.string(), z.array(z.number())),
})

/** `alignment.json`. */
export interface AlignmentCard extends z.infer<typeof cardSchema> {}

export interface Alignment {
  weights: Weights
  card: AlignmentCard
}

const weightsPath = (folder: string) => join(folder, "alignment.safetensors")
const cardPath = (folder: string) => join(folder, "alignment.json")

/**
 * Describes an alignment.
 *
 * @example
 * ```ts
 * import { type Alignment, alignmentCard } from "fourtier/experiment"
 *
 * const renamed = ({ card }: Alignment) =>
 *   alignmentCard("mine", card.space, card.sets, new Map(Object.entries(card.retrieval)), card.shapes)
 * ```
 */
export function alignmentCard(
  id: string,
  space: AlignmentSpace,
  sets: AlignmentCard["sets"],
  retrieval: ReadonlyMap<string, Retrieval>,
  shapes: AlignmentCard["shapes"],
): AlignmentCard {
  const prompts = space.prompts.map(({ id: prompt, text }) => ({ id: prompt, text }))
  const card = { format: 1 as const, id, fourtier: version, space: { ...space, prompts }, sets, shapes }
  return { ...card, retrieval: Object.fromEntries(retrieval) }
}

/**
 * Writes an alignment: weights first, the card, which makes it valid, last.
 *
 * @example
 * ```ts
 * import { loadAlignment, saveAlignment } from "fourtier/experiment"
 *
 * await saveAlignment("runs/copy", await loadAlignment("runs/mine/alignment"))
 * ```
 */
export async function saveAlignment(folder: string, { weights, card }: Alignment): Promise<void> {
  const entries = Object.entries(card.shapes).map(([name, shape]) => {
    const data = weights.get(name)
    if (!data) throw new Error(`internal error: an alignment without ${name}`)
    return { name, type: "f32" as const, shape, data }
  })
  await writeSafetensors(weightsPath(folder), entries, { id: card.id })
  await writeJson(cardPath(folder), card)
}

/**
 * Reads an alignment.
 * @throws FourtierError where a file is missing or damaged, or the two do not belong together
 *
 * @example
 * ```ts
 * import { loadAlignment } from "fourtier/experiment"
 *
 * const { card } = await loadAlignment("runs/mine/alignment")
 * card.retrieval.A // { skill: 0.7, z: 12 }
 * ```
 */
export async function loadAlignment(folder: string): Promise<Alignment> {
  const fix = "give a folder that `fourtier align` has written: it holds alignment.json and alignment.safetensors"
  const path = await requireFile(cardPath(folder), fix)
  const parsed = cardSchema.safeParse(await readJson(path))
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw new FourtierError({ where: `${path}: ${issue.path.join(".")}`, what: issue.message, fix })
  }
  const { weights, metadata } = await loadWeights(await requireFile(weightsPath(folder), fix))
  const lacking = Object.entries(parsed.data.shapes).find(
    ([name, shape]) => weights.get(name)?.length !== shape.reduce((product, size) => product * size, 1),
  )
  if (metadata.id !== parsed.data.id || lacking) {
    const what = lacking ? `${lacking[0]} is missing or has another size` : "belongs to another alignment.json"
    throw new FourtierError({ where: weightsPath(folder), what, fix })
  }
  return { weights, card: parsed.data }
}

/**
 * Whether an alignment may be used where clips and texts are read as `space` says.
 * @throws FourtierError that says what differs
 *
 * @example
 * ```ts
 * import { type Alignment, checkAlignment } from "fourtier/experiment"
 *
 * const encoderChanged = ({ card }: Alignment) =>
 *   checkAlignment("runs/mine/alignment", card, { ...card.space, encoder: "5f1c" }) // throws: encoder differs
 * ```
 */
export function checkAlignment(where: string, { space: own }: AlignmentCard, space: AlignmentSpace): void {
  const differing = Object.keys(own).filter((key) => key !== "prompts" && hashOf(own, key) !== hashOf(space, key))
  for (const prompt of space.prompts) {
    if (!own.prompts.some(({ id, text }) => id === prompt.id && text === prompt.text))
      differing.push(`prompt ${prompt.id}`)
  }
  if (differing.length === 0) return
  const [first] = differing
  throw new FourtierError({
    where,
    what: `the alignment was made for something else: ${differing.join(", ")} ${differing.length === 1 ? "differs" : "differ"}`,
    expected: first.startsWith("prompt") ? own.prompts.map(({ id }) => id).join(", ") : show(own, first),
    found: first.startsWith("prompt") ? first : show(space, first),
    fix: "use the settings that it was made with (encoder, views, model, text, prompts), or align again",
  })
}

const entryOf = (space: AlignmentSpace, key: string): unknown => new Map(Object.entries(space)).get(key)
const hashOf = (space: AlignmentSpace, key: string) => hashJson(entryOf(space, key) ?? null)
const show = (space: AlignmentSpace, key: string) => JSON.stringify(entryOf(space, key) ?? null).slice(0, 200)
