/**
 * Zero-shot classification (Radford et al. 2021): clips and class texts meet in the space that the two towers of one model share.
 * Nothing is trained, no label is used.
 *
 * ```
 * clip ─ image tower ─ mean over frames and views ─┐
 *                                                  ├─ cosine over the temperature ─ softmax ─► probabilities [C]
 * classes ─ templates, sentences ─ text tower ─────┘
 * ```
 */

import { softmax } from "@fourtier/core/metrics"
import { type Example, type FeatureSet, readBatch } from "@fourtier/core/train"
import { FourtierError, halfToFloat } from "@fourtier/tensor"
import type { JointSpace, VisualEncoder } from "../encoders/encoder.ts"
import type { TextEncoder } from "../text/embed.ts"

/**
 * The space in which pictures and texts of these encoders meet.
 *
 * @throws FourtierError that says which text encoder belongs to the visual encoder, where they are not the towers of one model
 *
 * @example
 * ```ts
 * import { encoderSchema, openVisualEncoder } from "fourtier/encoders"
 * import { sharedSpace } from "fourtier/experiment"
 * import { openTextNetwork, textNetworkSchema } from "fourtier/text"
 *
 * const checkpoint = "ViT-B-16.pt"
 * const files = textNetworkSchema.parse({ checkpoint, vocabulary: "bpe_simple_vocab_16e6.txt.gz" })
 * const encoder = await openVisualEncoder(encoderSchema.parse({ kind: "clip", checkpoint }))
 * sharedSpace(encoder, await openTextNetwork("clip", files)).width // 512
 * ```
 */
export function sharedSpace({ name, joint }: VisualEncoder, texts: Pick<TextEncoder, "space" | "width">): JointSpace {
  const where = "methods: zero-shot"
  if (!joint) {
    throw new FourtierError({
      where,
      what: `the visual encoder ${name} has no text tower`,
      expected: "encoder.kind clip, xclip or pe_core, or vit with a siglip model",
      fix: "leave zero-shot out of methods, or choose such an encoder",
    })
  }
  if (joint.space === texts.space && joint.width === texts.width) return joint
  throw new FourtierError({
    where,
    what: "visual encoder and text encoder are not the towers of one model",
    expected: `text.encoder ${joint.tower} with the checkpoint of the visual encoder, ${joint.width} wide`,
    found: texts.space
      ? `a text tower of other weights, ${texts.width} wide`
      : "a text encoder with a space of its own",
    fix: `set text.encoder=${joint.tower}, and text.network.checkpoint (section and prefix too) to the values of the encoder`,
  })
}

/**
 * Probabilities [C] of each clip's classes, by clip id.
 *
 * @param clips with the rows of `joint.encoder` as their map
 * @param texts embeddings [E] of the classes
 *
 * @example
 * ```ts
 * import type { Example, FeatureSet } from "@fourtier/core/train"
 * import type { JointSpace } from "fourtier/encoders"
 * import { zeroShot } from "fourtier/experiment"
 *
 * async function isJump(joint: JointSpace, clips: FeatureSet<Example>, [jump, wave]: Float32Array[]) {
 *   return ((await zeroShot(joint, clips, [jump, wave])).get("jump/a")?.[0] ?? 0) > 0.5
 * }
 * ```
 */
export async function zeroShot(
  joint: JointSpace,
  { source, examples }: FeatureSet<Example>,
  texts: readonly Float32Array[],
): Promise<Map<string, Float32Array>> {
  const clips: Float32Array[] = []
  for (const { hash, views } of examples) {
    const keys = views.map((view) => ({ clip: hash, view }))
    const records = halfToFloat(await readBatch(source, keys, "m"))
    const size = records.length / views.length
    const mean = new Float32Array(size)
    for (const [i, value] of records.entries()) mean[i % size] += value / views.length
    clips.push(mean)
  }
  const logits = await joint.logits(clips, texts)
  return new Map(examples.map(({ id }, i) => [id, softmax(logits[i])]))
}
