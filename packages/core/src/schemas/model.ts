/** The head's architecture as data (Lu, Jian, Salah and Poppe, Figures 2 and 3 and appendix Table 1). */

import { z } from "zod"

export const modelSchema = z.strictObject({
  pool: z.enum(["mean", "max"]).default("mean").describe("how s and t are pooled from the map"),
  integration: z
    .enum(["axial", "learned"])
    .default("axial")
    .describe(
      "how processor outputs are spread over the map: fixed replication, or a trained matrix that starts as it",
    ),
  attention: z.enum(["joint", "divided"]).default("joint").describe("over all T·N tokens, or space then time"),
  ffn: z.enum(["conv", "mlp"]).default("mlp").describe("3×3 over each frame (Table 1), or ×4 token-wise (the text)"),
  width: z
    .int()
    .positive()
    .nullable()
    .default(null)
    .describe("principal components of the map that the head works on; null: all its channels"),
  positions: z
    .boolean()
    .default(true)
    .describe(
      "learned embeddings of frame and place, zero at first: a frame-wise encoder's map does not tell the order",
    ),
  prototypeWeight: z
    .number()
    .min(0)
    .default(0)
    .describe("weight of stage 1's own class scores beside the classifier's, as exponents; 0: none, as in the paper"),
  classifierPooling: z
    .enum(["mean", "rows"])
    .default("mean")
    .describe(
      "what the linear layer reads of the blocks' output: its mean over all tokens (the paper), or its means over the places of each frame and over the frames of each place, side by side: T+N rows that keep where and when, and a linear layer of (T+N)·D·C weights",
    ),
  blocks: z.int().min(0).default(2).describe("transformer blocks after the integration"),
  headWidth: z.int().min(1).default(64).describe("channels of one attention head; the last head count is rounded down"),
  mix: z.boolean().default(true).describe("depth-wise 3×3 after the sum, where the map has a grid"),
})

export type ModelConfig = z.infer<typeof modelSchema>
