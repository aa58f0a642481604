/**
 * SigLIP's text tower (Zhai et al. 2023) as open_clip has it, src/open_clip/transformer.py: CLIP's blocks without a causal mask,
 * the last position stands for the text, and its projection has a bias. The image tower is a ViT (`families/vit.ts`).
 *
 *   ids, padded to the context ─ embedding, positions ─ blocks ─ ln_final ─ last position ─ text_projection ─ embedding
 */

import { add, gather, narrow, reshape, type Tensor } from "@fourtier/tensor"
import { z } from "zod"
import { clipBlock, linear, norm } from "./blocks.ts"
import { activation, checkInput, count, VIT_EPSILON } from "./graph.ts"
import type { WeightBinder } from "./weight-binder.ts"

export const siglipTextSizes = z.object({
  embed_dim: count,
  context_length: count,
  vocab_size: count,
  text_width: count,
  text_heads: count,
  text_layers: count,
  mlp_ratio: z.number().positive().default(4),
  activation: activation.default("gelu"),
  layer_norm_eps: z.number().positive().default(VIT_EPSILON),
})

export type SiglipTextConfig = z.infer<typeof siglipTextSizes>

const sizes = (width: number, layers: number, heads: number, others: Partial<SiglipTextConfig> = {}) => ({
  embed_dim: width,
  context_length: 64,
  vocab_size: 32000,
  text_width: width,
  text_heads: heads,
  text_layers: layers,
  ...others,
})

/** Sizes of the towers that belong to the image towers `siglip-…` of the kind `vit`. */
export const SIGLIP_TEXT: Readonly<Record<string, object>> = {
  "B/16": sizes(768, 12, 12),
  "L/16": sizes(1024, 24, 16),
  "So400m/14": sizes(1152, 27, 16, { context_length: 16, mlp_ratio: 3.7362 }),
}

/** open_clip's name of a parameter of the text tower, without `text.`; null for others. */
export function siglipTextName(key: string): string | null {
  return key.startsWith("text.") ? key.slice("text.".length) : null
}

/**
 * @param ids i64 [rows,L], L the context: shorter texts are padded, and the padding is read
 * @returns every position in the joint space [rows,L,E], and the last one [rows,E]
 */
export function siglipTextTower(
  binder: WeightBinder,
  config: SiglipTextConfig,
  ids: Tensor,
): { tokens: Tensor; embedding: Tensor } {
  const { context_length, vocab_size, text_width: width, text_heads: heads, text_layers, embed_dim } = config
  const { activation, layer_norm_eps: epsilon, mlp_ratio: mlpRatio } = config
  const [rows] = ids.shape
  checkInput("text_tokens", ids, [-1, context_length], "text,position", "pad or cut the texts to the context")
  const words = gather(binder.weight("token_embedding.weight", [vocab_size, width]), ids, 0)
  let x = add(words, binder.weight("positional_embedding", [context_length, width]))
  for (let i = 0; i < text_layers; i++) {
    x = clipBlock(binder.in(`transformer.resblocks.${i}`), x, { heads, activation, epsilon, mlpRatio })
  }
  const tokens = linear(binder, "text_projection", norm(binder, "ln_final", x, epsilon), embed_dim)
  return { tokens, embedding: reshape(narrow(tokens, 1, context_length - 1, context_length), [rows, embed_dim]) }
}
