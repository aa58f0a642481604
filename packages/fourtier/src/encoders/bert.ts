/**
 * BERT (Devlin et al. 2019) with Hugging Face's names, and VideoCLIP's pair of BERT encoders (Xu et al. 2021) for texts and for
 * features of video steps. https://github.com/facebookresearch/fairseq, examples/MMPT/mmpt/models/mmfusion.py.
 *
 *   text_tokens CLS SEP words.. SEP ─ without position 1 ─ BERT ─ text_token_features ─ mean without CLS ─ pooled_text
 *   video_features ─ linear, GELU, LayerNorm, linear ─ between CLS and SEP ─ BERT ─ mean of steps and SEP ─ pooled_video
 *   similarity = pooled_video · pooled_text
 */

import {
  add,
  cast,
  concat,
  div,
  expand,
  FourtierError,
  fill,
  gather,
  matmul,
  mul,
  narrow,
  reshape,
  sub,
  sum,
  type Tensor,
  tanh,
} from "@fourtier/tensor"
import { z } from "zod"
import { type Activation, activate, attend, headScale, linear, norm, project, transposed } from "./blocks.ts"
import { activation, checkInput, count, type EncoderGraph, type Inputs, inputNamed } from "./graph.ts"
import type { Net } from "./weight-binder.ts"

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

export const videoclipSchema = z
  .object({
    encoder: z.literal("videoclip_bert"),
    ...bertSizes.shape,
    text_layers: count,
    video_layers: count,
    /** Steps at most: the SEP after the steps is at this position plus 1. */
    max_video_len: count,
    video_input_dim: count,
    video_mlp_layer_norm_eps: z.number().positive().default(1e-5),
    special_tokens: z.object({ CLS: z.int().nonnegative(), SEP: z.int().nonnegative() }),
  })
  .refine((config) => config.max_video_len + 2 <= config.max_position_embeddings, {
    message: "needs max_video_len + 2 positions",
    path: ["max_position_embeddings"],
  })

export type VideoclipConfig = z.infer<typeof videoclipSchema>

/** Official names by the file's: `mmmodel.` is dropped; LayerNorm's old names gamma and beta are known. */
export function bertName(key: string): string | null {
  if (key.endsWith("embeddings.position_ids")) return null
  return key
    .replace(/^mmmodel\./, "")
    .replace(/LayerNorm\.gamma$/, "LayerNorm.weight")
    .replace(/LayerNorm\.beta$/, "LayerNorm.bias")
}

/** Vectors of words [B,L,D] with their positions and token type 0, normed. */
function bertEmbeddings(net: Net, words: Tensor, positions: Tensor, sizes: BertSizes): Tensor {
  const types = net.weight("token_type_embeddings.weight", [sizes.type_vocab_size, sizes.width])
  const placed = add(add(words, positions), narrow(types, 0, 0, 1))
  return norm(net, "LayerNorm", placed, sizes.layer_norm_eps)
}

const wordTable = (net: Net, { vocab_size, width }: BertSizes) =>
  net.weight("word_embeddings.weight", [vocab_size, width])
const positionTable = (net: Net, { max_position_embeddings, width }: BertSizes) =>
  net.weight("position_embeddings.weight", [max_position_embeddings, width])

/** A post-norm layer. x [B,L,D], mask [B,1,1,L] */
function bertLayer(
  net: Net,
  x: Tensor,
  mask: Tensor,
  { heads, mlp_width, activation, layer_norm_eps }: BertSizes,
): Tensor {
  const width = x.shape[2]
  const scale = headScale(net.path("attention"), width, heads)
  const attention = net.in("attention")
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
  const hidden = activate(linear(net, "intermediate.dense", middle, mlp_width), activation)
  return norm(net, "output.LayerNorm", add(middle, linear(net, "output.dense", hidden, width)), layer_norm_eps)
}

export interface BertTower {
  embedded: Tensor
  /** After each layer [B,L,D]; the last one is the last hidden state. */
  steps: Tensor[]
  tokens: Tensor
  /** tanh of a dense layer on the first token [B,D], where the file has it. */
  pooler: Tensor | null
}

/** The layers over embedded tokens. mask: i64 or f32 [B,L], 1 where a token counts. */
function bertLayers(net: Net, embedded: Tensor, mask: Tensor, layers: number, sizes: BertSizes): BertTower {
  const [B, length, width] = embedded.shape
  const blocked = mul(sub(1, cast(mask, "f32")), sizes.mask_value)
  const added = reshape(blocked, [B, 1, 1, length])
  let x = embedded
  const steps: Tensor[] = []
  for (let i = 0; i < layers; i++) {
    x = bertLayer(net.in(`encoder.layer.${i}`), x, added, sizes)
    steps.push(x)
  }
  const first = reshape(narrow(x, 1, 0, 1), [B, width])
  const pooler = net.has("pooler.dense.weight") ? tanh(linear(net, "pooler.dense", first, width)) : null
  return { embedded, steps, tokens: x, pooler }
}

/**
 * BERT over texts.
 *
 * @param ids i64 [B,L]
 * @param mask [B,L], 1 where a token counts
 */
export function bertTower(net: Net, sizes: BertSizes, layers: number, ids: Tensor, mask: Tensor): BertTower {
  const [, length] = ids.shape
  if (length > sizes.max_position_embeddings) {
    throw new FourtierError({
      where: "text_tokens",
      what: "longer than the table of positions",
      expected: `at most ${sizes.max_position_embeddings} tokens`,
      found: `${length}`,
    })
  }
  const embeddings = net.in("embeddings")
  const words = gather(wordTable(embeddings, sizes), ids, 0)
  const positions = narrow(positionTable(embeddings, sizes), 0, 0, length)
  return bertLayers(net, bertEmbeddings(embeddings, words, positions, sizes), mask, layers, sizes)
}

/** All but position 1 of [B,L]. */
const withoutSecond = (x: Tensor) => concat([narrow(x, 1, 0, 1), narrow(x, 1, 2, x.shape[1])], 1)

/** Mean of tokens [B,L,D] with weights [B,L]. */
function weightedMean(tokens: Tensor, weights: Tensor): Tensor {
  const [B, length, width] = tokens.shape
  const shares = div(weights, sum(weights, 1, true))
  return reshape(matmul(reshape(shares, [B, 1, length]), tokens), [B, width])
}

interface Sides {
  outputs: EncoderGraph["outputs"]
  intermediates: EncoderGraph["intermediates"]
}

function textSide(net: Net, config: VideoclipConfig, ids: Tensor, mask: Tensor): Sides {
  const kept = withoutSecond(mask)
  const tower = bertTower(net, config, config.text_layers, withoutSecond(ids), kept)
  const [B, length] = kept.shape
  const counted = concat([fill([B, 1], 0), cast(narrow(kept, 1, 1, length), "f32")], 1)
  return {
    outputs: {
      text_token_features: tower.tokens,
      pooled_text: weightedMean(tower.tokens, counted),
      ...(tower.pooler ? { text_bert_pooler: tower.pooler } : {}),
    },
    intermediates: {
      text_embeddings: tower.embedded,
      ...Object.fromEntries(tower.steps.map((x, i) => [`text_layer_${i}`, x])),
    },
  }
}

/**
 * @param features [B,n,video_input_dim]
 * @param mask [B,n], 1 where a step counts
 * @param ends ids and mask of CLS and SEP, [B,2] each
 */
function videoSide(
  net: Net,
  config: VideoclipConfig,
  features: Tensor,
  mask: Tensor,
  ends: { ids: Tensor; mask: Tensor },
): Sides {
  const { width, max_video_len, video_mlp_layer_norm_eps, activation } = config
  const [B, n] = mask.shape
  if (n > max_video_len) {
    throw new FourtierError({
      where: "input video_features",
      what: "too many steps",
      expected: `at most ${max_video_len}`,
      found: `${n}`,
    })
  }
  const steps = videoSteps(net.in("videomlp"), features, width, activation, video_mlp_layer_norm_eps)
  const bert = net.in("bert")
  const embeddings = bert.in("embeddings")
  const words = gather(wordTable(embeddings, config), ends.ids, 0) // [B,2,D]
  const sequence = concat([narrow(words, 1, 0, 1), steps, narrow(words, 1, 1, 2)], 1)
  const table = positionTable(embeddings, config)
  const positions = concat([narrow(table, 0, 0, n + 1), narrow(table, 0, max_video_len + 1, max_video_len + 2)], 0)
  const visible = cast(mask, "f32")
  const ownMask = cast(ends.mask, "f32")
  const seen = concat([narrow(ownMask, 1, 0, 1), visible, narrow(ownMask, 1, 1, 2)], 1)
  const embedded = bertEmbeddings(embeddings, sequence, positions, config)
  const tower = bertLayers(bert, embedded, seen, config.video_layers, config)
  const counted = concat([fill([B, 1], 0), visible, fill([B, 1], 1)], 1)
  return {
    outputs: {
      video_token_features: tower.tokens,
      pooled_video: weightedMean(tower.tokens, counted),
      ...(tower.pooler ? { video_bert_pooler: tower.pooler } : {}),
    },
    intermediates: {
      video_mlp: steps,
      video_embeddings: embedded,
      ...Object.fromEntries(tower.steps.map((x, i) => [`video_layer_${i}`, x])),
    },
  }
}

function videoSteps(net: Net, features: Tensor, width: number, activation: Activation, epsilon: number): Tensor {
  const hidden = activate(linear(net, "linear1", features, width), activation)
  return linear(net, "linear2", norm(net, "LayerNorm", hidden, epsilon), width)
}

export function videoclipGraph(net: Net, config: VideoclipConfig, inputs: Inputs): EncoderGraph {
  const hasText = inputs.has("text_tokens")
  const hasVideo = inputs.has("video_features")
  if (!hasText && !hasVideo) inputNamed(inputs, "text_tokens", "text,position")
  const graph: EncoderGraph = { outputs: {}, intermediates: {} }
  const take = ({ outputs, intermediates }: Sides) => {
    Object.assign(graph.outputs, outputs)
    Object.assign(graph.intermediates, intermediates)
  }
  const ids = hasText ? inputNamed(inputs, "text_tokens", "text,position") : null
  const textMask = hasText ? inputNamed(inputs, "text_mask", "text,position") : null
  if (ids && textMask) {
    checkInput("text_mask", textMask, ids.shape, "text,position")
    take(textSide(net.in("text_encoder"), config, ids, textMask))
  } else {
    net.skip((name) => name.startsWith("text_encoder."))
  }
  if (!hasVideo) {
    net.skip((name) => name.startsWith("video_encoder."))
    return graph
  }
  const features = inputNamed(inputs, "video_features", "video,step,feature")
  const mask = inputNamed(inputs, "video_mask", "video,step")
  checkInput("video_features", features, [...mask.shape, config.video_input_dim], "video,step,feature")
  const sameCount = ids && textMask && ids.shape[0] === mask.shape[0]
  const ends = sameCount
    ? { ids: narrow(ids, 1, 0, 2), mask: narrow(textMask, 1, 0, 2) }
    : { ids: endIds(config, mask.shape[0]), mask: fill([mask.shape[0], 2], 1) }
  take(videoSide(net.in("video_encoder"), config, features, mask, ends))
  const { pooled_video, pooled_text } = graph.outputs
  if (pooled_text) graph.outputs.similarity = matmul(pooled_video, pooled_text, { transposeB: true })
  return graph
}

/** The ids of CLS and SEP: i64 [rows,2] */
function endIds({ special_tokens: { CLS, SEP } }: VideoclipConfig, rows: number): Tensor {
  return expand(concat([fill([1, 1], CLS, "i64"), fill([1, 1], SEP, "i64")], 1), [rows, 2])
}
