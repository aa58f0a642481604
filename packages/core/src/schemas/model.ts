/** The head's architecture as data (Lu, Jian, Salah and Poppe, Figures 2 and 3 and appendix Table 1). */

import { z } from "zod"

export const modelSchema = z.strictObject({
  pool: z
    .enum(["mean", "max"])
    .default("mean")
    .describe("how the spatial and temporal features s and t are pooled from the map"),
  integration: z
    .enum(["axial", "learned"])
    .default("axial")
    .describe(
      "how the processors' outputs are spread over the map. axial: fixed replication; learned: a trained matrix that starts as replication",
    ),
  attention: z
    .enum(["joint", "divided"])
    .default("joint")
    .describe("joint: over all T·N tokens; divided: first over space, then over time"),
  ffn: z
    .enum(["conv", "mlp"])
    .default("mlp")
    .describe(
      "feed-forward part of a block. conv: 3×3 convolution over each frame (the paper's Table 1); mlp: token by token, four times as wide inside (the paper's text)",
    ),
  width: z
    .int()
    .positive()
    .nullable()
    .default(null)
    .describe("number of principal components of the map that the head sees; null: all channels of the map"),
  positions: z
    .boolean()
    .default(true)
    .describe(
      "learned embeddings of frame and place, initially zero; without them, the map of a frame-wise encoder does not tell the order",
    ),
  prototypeWeight: z
    .number()
    .min(0)
    .default(0)
    .describe(
      "weight of the class prototypes of stage 1: once trained, their log-probabilities times this are added to the classifier's; 0: none, as in the paper",
    ),
  classifierPooling: z
    .enum(["mean", "rows"])
    .default("mean")
    .describe(
      "how the blocks' output is pooled for the linear layer. mean: over all tokens, as in the paper; rows: over the places of each frame and over the frames of each place, concatenated: T+N rows that keep where and when, hence (T+N)·D·C weights",
    ),
  processors: z
    .enum(["visual", "text"])
    .default("visual")
    .describe(
      "space of the processors' output. visual: the channels of the map, which a projection that stage 1 alone uses brings to the text embeddings; text: the text embeddings themselves, as in the paper, so that stage 2 keeps all that stage 1 has learned",
    ),
  processorWeights: z
    .enum(["shared", "positional"])
    .default("shared")
    .describe(
      "processors of the text space. shared: one matrix for all frames and one for all places (the paper); positional: a matrix for each of the T+N rows, which keeps frame and place",
    ),
  processorHidden: z
    .int()
    .min(1)
    .nullable()
    .default(null)
    .describe(
      "processors of the text space: width of a hidden layer (GELU); null: none, they are linear as in the paper. Ridge regression cannot start it",
    ),
  languageWeight: z
    .number()
    .min(0)
    .default(0)
    .describe(
      "weight of the language classifier, which reads the predicted text embeddings of a clip: its scores times this are added to the classifier's logits, unless labelled clips say that it does not tell the classes; 0: none. Needs processors of the text space",
    ),
  blocks: z.int().min(0).default(2).describe("transformer blocks after the integration"),
  headWidth: z.int().min(1).default(64).describe("channels per attention head; the number of heads is rounded down"),
  probeHeads: z
    .int()
    .min(1)
    .nullable()
    .default(null)
    .describe("attention heads of vjepa-probe (16 in V-JEPA's evaluations); null: as many as headWidth gives"),
  mix: z.boolean().default(true).describe("depth-wise 3×3 convolution after the sum, where the map has a grid"),
})

export type ModelConfig = z.infer<typeof modelSchema>
