/** Settings of the text encoder and of what stage 1 aligns with. */

import { z } from "zod"
import { CHECKPOINT, checkpointChoice } from "../encoders/weights.ts"

/** Files and sizes of a text network. */
export const textNetworkSchema = z.strictObject({
  checkpoint: z.string().min(1).describe(CHECKPOINT),
  ...checkpointChoice,
  vocabulary: z.string().min(1).describe("clip: bpe_simple_vocab_16e6.txt.gz or merges.txt; bert: vocab.txt"),
  model: z.string().default("B/16").describe("size of CLIP; BERT is bert-base unless `sizes` says otherwise"),
  sizes: z.record(z.string(), z.json()).default({}).describe("sizes that differ from the model's (docs/encoders.md)"),
  lower: z.boolean().default(true).describe("bert: lower-case the text and strip accents (uncased models)"),
})

export type TextNetworkConfig = z.infer<typeof textNetworkSchema>

export const textSchema = z.strictObject({
  encoder: z.enum(["use-lite", "clip", "bert"]).default("use-lite").describe("frozen text encoder"),
  network: textNetworkSchema.nullable().default(null).describe("files of clip or bert"),
  center: z
    .boolean()
    .default(true)
    .describe(
      "subtract from each embedding the mean of its prompt over the training clips: what all answers share tells no class apart",
    ),
})

export type TextConfig = z.infer<typeof textSchema>
