/** Settings of stage 1's loss. */

import { z } from "zod"

/** How v_i and e_i are compared. */
export const SIMILARITIES = ["pooled", "tokens", "flat"] as const
export type Similarity = (typeof SIMILARITIES)[number]

export const contrastiveSchema = z.strictObject({
  similarity: z
    .enum(SIMILARITIES)
    .default("pooled")
    .describe(
      "cosine of mean-pooled embeddings (VideoCLIP); mean over rows of row-wise cosines (the paper's shapes); or cosine of the pooled text and one learned map of all T+N rows together, which keeps frame and place",
    ),
  targets: z
    .enum(["identity", "text-similarity"])
    .default("text-similarity")
    .describe("each clip's own answer alone, or answers in proportion to how alike their text embeddings are"),
  textTemperature: z
    .number()
    .positive()
    .default(0.1)
    .describe("text-similarity: how fast the target falls with the distance of two answers"),
  mixup: z.number().min(0).default(0).describe("Beta parameter of mixup on pooled features and targets alike; 0: none"),
  temperature: z.number().positive().default(0.07).describe("first value of the learned temperature"),
})

export type ContrastiveConfig = z.infer<typeof contrastiveSchema>
