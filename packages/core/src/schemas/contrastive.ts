/** Settings of the loss of stage 1. */

import { z } from "zod"

/** How the video embeddings v_i are compared with the text embeddings e_i. */
export const SIMILARITIES = ["pooled", "tokens", "flat"] as const
export type Similarity = (typeof SIMILARITIES)[number]

export const contrastiveSchema = z.strictObject({
  similarity: z
    .enum(SIMILARITIES)
    .default("pooled")
    .describe(
      "how video and text embeddings are compared. pooled: cosine of the mean-pooled embeddings (VideoCLIP); tokens: mean of the row-wise cosines (the shapes in the paper); flat: cosine of the pooled text embedding and one learned projection of all T+N rows, which keeps frame and place",
    ),
  targets: z
    .enum(["identity", "text-similarity"])
    .default("text-similarity")
    .describe(
      "what a clip should match. identity: its own answer alone; text-similarity: all answers of the batch, in proportion to the similarity of their text embeddings",
    ),
  textTemperature: z
    .number()
    .positive()
    .default(0.1)
    .describe(
      "text-similarity: temperature of the softmax over the answers' similarities; lower is closer to identity",
    ),
  mixup: z
    .number()
    .min(0)
    .default(0)
    .describe("parameter of mixup's Beta distribution, applied to pooled features and targets alike; 0: no mixup"),
  start: z
    .enum(["random", "ridge"])
    .default("random")
    .describe(
      "first weights of processors of the text space. ridge: the closed-form ridge regression from the pooled features to the text embeddings, with epochs and minUpdates 0 the whole of stage 1",
    ),
  ridge: z
    .union([z.number().positive(), z.literal("held-out")])
    .default(0.1)
    .describe(
      "ridge: penalty, as a multiple of the mean squared norm of a clip's features; held-out: for each prompt the one of eight, 0.01 to 30, by which held-out clips find their own answers best",
    ),
  holdOut: z
    .number()
    .min(0)
    .max(0.5)
    .default(0)
    .describe(
      "share of the described training clips that stage 1 does not learn from, with epochs above 0: how well they find their own answers judges the weights (patience), and tells the language classifier what each prompt is worth",
    ),
  refine: z
    .boolean()
    .default(false)
    .describe(
      "with an alignment from elsewhere, and answers about these clips: ridge regression draws it on to them, instead of taking it as it is",
    ),
  temperature: z.number().positive().default(0.07).describe("initial value of the learned temperature"),
})

export type ContrastiveConfig = z.infer<typeof contrastiveSchema>
