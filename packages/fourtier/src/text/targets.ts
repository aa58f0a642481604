/** From the VLM's answers to the text embeddings that stage 1 aligns with (paper Sec. 3.1). */

import { FourtierError, Rng } from "@fourtier/tensor"
import { resampleTokens, type TextEncoder } from "./embed.ts"
import { openTextNetwork } from "./network.ts"
import type { TextConfig } from "./settings.ts"
import { loadUse } from "./use.ts"

export async function openTextEncoder(config: TextConfig): Promise<TextEncoder> {
  switch (config.encoder) {
    case "use-lite":
      return loadUse()
    default:
      if (config.network) return openTextNetwork(config.encoder, config.network)
      throw new FourtierError({
        where: "text.network",
        what: `missing: the text encoder ${config.encoder} needs its files`,
        expected: "a checkpoint and a vocabulary",
      })
  }
}

/** By prompt id, then clip id. */
export type TextEmbeddingTable = ReadonlyMap<string, ReadonlyMap<string, Float32Array>>

/** Embeddings of the answers, and of the class names [C][Dt]. `id` names texts, settings and encoder. */
export interface EmbeddedTexts {
  table: TextEmbeddingTable
  names: readonly Float32Array[]
  width: number
  center: boolean
  /** The text encoder's identity. */
  encoder: string
  id: string
}

/** Answers by clip id, then prompt id. */
export type Answers = ReadonlyMap<string, Readonly<Record<string, string>>>

/**
 * Embeds every answer once.
 * @param rows T+N for row-wise alignment: each entry is [rows,Dt]; null for pooled vectors [Dt]
 */
export async function embedAnswers(
  encoder: TextEncoder,
  answers: Answers,
  prompts: readonly string[],
  rows: number | null,
): Promise<TextEmbeddingTable> {
  const texts = [...new Set([...answers.values()].flatMap((byPrompt) => prompts.flatMap((p) => byPrompt[p] ?? [])))]
  const { pooled, tokens } = await encoder.embed(texts)
  const byText = new Map(
    texts.map((text, i) => [text, rows === null ? pooled[i] : resampleTokens(tokens[i], rows)] as const),
  )
  return new Map(
    prompts.map((prompt) => {
      const table = new Map<string, Float32Array>()
      for (const [clip, byPrompt] of answers) {
        const vector = byText.get(byPrompt[prompt] ?? "")
        if (vector) table.set(clip, vector)
      }
      return [prompt, table] as const
    }),
  )
}

/**
 * The answers of a control: everybody takes those of the next of a random circle, all prompts together, so that nobody keeps its own.
 * @param ids those that have answers
 */
export function shuffledTable(
  table: TextEmbeddingTable,
  ids: readonly string[],
  seed: number,
): { table: TextEmbeddingTable; circle: string[] } {
  const circle = Rng.fork(seed, "shuffled answers").shuffle(ids)
  const moved = new Map(
    [...table].map(([prompt, byId]) => {
      const own = circle.flatMap((id, i) => {
        const answer = byId.get(circle[(i + 1) % circle.length])
        return answer ? [[id, answer] as const] : []
      })
      return [prompt, new Map(own)] as const
    }),
  )
  return { table: moved, circle }
}

/** A class name as words: "hand_shake" and "HandShake" to "hand shake". */
export function readableName(name: string): string {
  return name
    .replaceAll(/(\p{Ll})(\p{Lu})/gu, "$1 $2")
    .replaceAll(/[_-]+/g, " ")
    .trim()
    .toLowerCase()
}

/** The embeddings of the clips in `training` alone, each prompt's mean over them subtracted where asked for. */
export function trainingTargets(
  table: TextEmbeddingTable,
  training: ReadonlySet<string>,
  { center }: Pick<TextConfig, "center">,
): Map<string, Map<string, Float32Array>> {
  return new Map(
    [...table].map(([prompt, byClip]) => {
      const own = [...byClip].filter(([clip]) => training.has(clip))
      const mean = center ? meanOf(own.map(([, vector]) => vector)) : null
      return [prompt, new Map(own.map(([clip, v]) => [clip, mean ? v.map((x, d) => x - mean[d]) : v]))] as const
    }),
  )
}

/** The mean of the rows [rows,width] of an embedding, which may be a single one. */
export function meanRow(vector: Float32Array, width: number): Float32Array {
  const rows = vector.length / width
  return meanOf(Array.from({ length: rows }, (_, row) => vector.subarray(row * width, (row + 1) * width)))
}

/** The mean of vectors of one length. */
export function meanOf(vectors: readonly Float32Array[]): Float32Array {
  const sum = new Float32Array(vectors[0]?.length ?? 0)
  for (const vector of vectors) for (let d = 0; d < sum.length; d++) sum[d] += vector[d] / vectors.length
  return sum
}
