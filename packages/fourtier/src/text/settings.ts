/** Settings of the text encoder and of what stage 1 aligns with. */

import { z } from "zod"
import { CHECKPOINT, checkpointChoice } from "../encoders/weights.ts"

/** Files and sizes of a text network. */
export const textNetworkSchema = z.strictObject({
  checkpoint: z.string().min(1).describe(CHECKPOINT),
  ...checkpointChoice,
  vocabulary: z
    .string()
    .min(1)
    .describe(
      "clip, xclip, pe_core: bpe_simple_vocab_16e6.txt.gz or merges.txt; siglip: tokenizer.json; bert: vocab.txt",
    ),
  model: z
    .string()
    .default("B/16")
    .describe("size of the towers (docs/encoders.md); BERT is bert-base unless `sizes` says otherwise"),
  sizes: z.record(z.string(), z.json()).default({}).describe("sizes that differ from the model's (docs/encoders.md)"),
  lower: z.boolean().default(true).describe("bert: lower-case the text and strip accents (uncased models)"),
})

export type TextNetworkConfig = z.infer<typeof textNetworkSchema>

export const textSchema = z.strictObject({
  encoder: z
    .enum(["use-lite", "clip", "siglip", "xclip", "pe_core", "bert"])
    .default("use-lite")
    .describe("frozen text encoder; with the text tower of the visual encoder's checkpoint, both share a space"),
  network: textNetworkSchema.nullable().default(null).describe("files of a text encoder other than use-lite"),
  center: z
    .boolean()
    .default(true)
    .describe(
      "subtract from each embedding the mean of its prompt over the training clips: what all answers share tells no class apart",
    ),
})

export type TextConfig = z.infer<typeof textSchema>

/** The method that compares clips with class texts in a shared space; it has no network and no training. */
export const ZERO_SHOT = "zero-shot"

export const zeroShotSchema = z
  .strictObject({
    templates: z
      .array(z.string().includes("{name}", { error: "a text with {name} in it" }))
      .min(1)
      .default(["a video of {name}"])
      .describe("texts that stand for a class, {name} being its name; the embeddings of several are averaged"),
  })
  .describe("texts of the classes for the method zero-shot, beside the sentences of `classes`")

export type ZeroShotConfig = z.infer<typeof zeroShotSchema>
