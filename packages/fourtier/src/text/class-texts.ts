/** Texts that stand for a class, for encoders whose pictures and texts share a space. */

import type { TextEncoder } from "./embed.ts"
import type { ZeroShotConfig } from "./settings.ts"
import { readableName } from "./targets.ts"

/**
 * The texts of each class: every template with its name, then the sentence about it.
 *
 * @param sentences by class name
 *
 * @example
 * ```ts
 * import { classTexts, zeroShotSchema } from "fourtier/text"
 *
 * const sentences = new Map([["hand_shake", "two people shake hands"]])
 * classTexts(["hand_shake"], zeroShotSchema.parse({}), sentences) // [["a video of hand shake", "two people shake hands"]]
 * ```
 */
export function classTexts(
  classes: readonly string[],
  { templates }: ZeroShotConfig,
  sentences: ReadonlyMap<string, string>,
): string[][] {
  return classes.map((name) => {
    const own = sentences.get(name)
    const named = templates.map((template) => template.replaceAll("{name}", readableName(name)))
    return own === undefined ? named : [...named, own]
  })
}

/**
 * One vector for each class: the direction is the mean of its texts' directions (as Radford et al. 2021 ensemble prompts), the
 * length the mean of their lengths.
 *
 * @example
 * ```ts
 * import { embedClasses, loadUse } from "fourtier/text"
 *
 * await embedClasses(await loadUse(), [["a video of a jump", "someone leaps"], ["a video of a wave"]]) // two vectors [512]
 * ```
 */
export async function embedClasses(
  encoder: TextEncoder,
  texts: readonly (readonly string[])[],
): Promise<Float32Array[]> {
  const { pooled } = await encoder.embed(texts.flat())
  let next = 0
  return texts.map((own) => {
    const vectors = pooled.slice(next, next + own.length)
    next += own.length
    return vectors.length === 1 ? vectors[0] : ensemble(vectors)
  })
}

function ensemble(vectors: readonly Float32Array[]): Float32Array {
  const lengths = vectors.map((vector) => Math.hypot(...vector))
  const direction = vectors[0].map((_, d) => vectors.reduce((sum, vector, i) => sum + vector[d] / (lengths[i] || 1), 0))
  const meanLength = lengths.reduce((sum, length) => sum + length, 0) / lengths.length
  const scale = meanLength / (Math.hypot(...direction) || 1)
  return direction.map((x) => x * scale)
}
