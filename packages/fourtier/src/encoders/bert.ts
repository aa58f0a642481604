/** BERT (Devlin et al. 2019) with Hugging Face's names: https://github.com/huggingface/transformers, modeling_bert.py. */

import { add, cast, FourtierError, gather, mul, narrow, reshape, sub, type Tensor, tanh } from "@fourtier/tensor"
import { z } from "zod"
import { activate, attend, headScale, linear, norm, project, transposed } from "./blocks.ts"
import { activation, count } from "./graph.ts"
import type { WeightBinder } from "./weight-binder.ts"

export const bertSizes = z.object({
  vocab_size: count,
  width: count,
  heads: count,
  mlp_width: count,
  max_position_embeddings: count,
  type_vocab_size: count.default(2),
  activation: activation.default("gelu"),
  layer_norm_eps: z.number().positive().default(1e-12),
  /** Added to the scores of padding. */
  mask_value: z.number().default(-10000),
})

export type BertSizes = z.infer<typeof bertSizes>

/** Hugging Face's names: MMPT's `mmmodel.` is dropped, LayerNorm's older names gamma and beta are replaced. */
export function bertName(key: string): string | null {
  if (key.endsWith("embeddings.position_ids")) return null
  return key
    .replace(/^mmmodel\./, "")
    .replace(/LayerNorm\.gamma$/, "LayerNorm.weight")
    .replace(/LayerNorm\.beta$/, "LayerNorm.bias")
}

/** Embeddings of words [B,L,D] plus positions and token type 0, then LayerNorm. */
export function bertEmbeddings(binder: WeightBinder, words: Tensor, positions: Tensor, sizes: BertSizes): Tensor {
  const types = binder.weight("token_type_embeddings.weight", [sizes.type_vocab_size, sizes.width])
  const placed = add(add(words, positions), narrow(types, 0, 0, 1))
  return norm(binder, "LayerNorm", placed, sizes.layer_norm_eps)
}

/** Embeddings of the words [V,D]. */
export function wordTable(binder: WeightBinder, { vocab_size, width }: BertSizes): Tensor {
  return binder.weight("word_embeddings.weight", [vocab_size, width])
}

/** Embeddings of the positions [L,D]. */
export function positionTable(binder: WeightBinder, { max_position_embeddings, width }: BertSizes): Tensor {
  return binder.weight("position_embeddings.weight", [max_position_embeddings, width])
}

/** A post-norm layer. x [B,L,D], mask [B,1,1,L] */
function bertLayer(
  binder: WeightBinder,
  x: Tensor,
  mask: Tensor,
  { heads, mlp_width, activation, layer_norm_eps }: BertSizes,
): Tensor {
  const width = x.shape[2]
  const scale = headScale(binder.path("attention"), width, heads)
  const attention = binder.in("attention")
  const part = (name: string, factor: number) => {
    const times = (values: Float32Array) => values.map((value) => value * factor)
    const own = attention.in("self").in(name)
    const weight = own.derive("weight", [{ name: "weight", shape: [width, width] }], [width, width], (values) =>
      transposed(values, width, width, factor),
    )
    return add(project(x, weight), own.derive("bias", [{ name: "bias", shape: [width] }], [width], times))
  }
  const mixed = attend(part("query", scale), part("key", 1), part("value", 1), heads, mask)
  const attended = add(x, linear(attention, "output.dense", mixed, width))
  const middle = norm(attention, "output.LayerNorm", attended, layer_norm_eps)
  const hidden = activate(linear(binder, "intermediate.dense", middle, mlp_width), activation)
  return norm(binder, "output.LayerNorm", add(middle, linear(binder, "output.dense", hidden, width)), layer_norm_eps)
}

export interface BertTower {
  embedded: Tensor
  /** After each layer [B,L,D]. */
  hiddenStates: Tensor[]
  /** After the last layer [B,L,D]. */
  tokens: Tensor
  /** tanh of a dense layer on the first token [B,D], where the checkpoint has it. */
  pooler: Tensor | null
}

/** The layers over embedded tokens. mask: i64 or f32 [B,L], 1 where a token counts. */
export function bertLayers(
  binder: WeightBinder,
  embedded: Tensor,
  mask: Tensor,
  layers: number,
  sizes: BertSizes,
): BertTower {
  const [B, length, width] = embedded.shape
  const blocked = mul(sub(1, cast(mask, "f32")), sizes.mask_value)
  const added = reshape(blocked, [B, 1, 1, length])
  let x = embedded
  const hiddenStates: Tensor[] = []
  for (let i = 0; i < layers; i++) {
    x = bertLayer(binder.in(`encoder.layer.${i}`), x, added, sizes)
    hiddenStates.push(x)
  }
  const first = reshape(narrow(x, 1, 0, 1), [B, width])
  const pooler = binder.has("pooler.dense.weight") ? tanh(linear(binder, "pooler.dense", first, width)) : null
  return { embedded, hiddenStates, tokens: x, pooler }
}

/**
 * BERT over texts.
 *
 * @param ids i64 [B,L]
 * @param mask [B,L], 1 where a token counts
 */
export function bertTower(
  binder: WeightBinder,
  sizes: BertSizes,
  layers: number,
  ids: Tensor,
  mask: Tensor,
): BertTower {
  const [, length] = ids.shape
  if (length > sizes.max_position_embeddings) {
    throw new FourtierError({
      where: "text_tokens",
      what: "longer than the position table",
      expected: `at most ${sizes.max_position_embeddings} tokens`,
      found: `${length}`,
    })
  }
  const embeddings = binder.in("embeddings")
  const words = gather(wordTable(embeddings, sizes), ids, 0)
  const positions = narrow(positionTable(embeddings, sizes), 0, 0, length)
  return bertLayers(binder, bertEmbeddings(embeddings, words, positions, sizes), mask, layers, sizes)
}
