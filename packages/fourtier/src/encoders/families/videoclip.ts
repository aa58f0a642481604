/**
 * VideoCLIP's pair of BERT encoders (Xu et al. 2021) for texts and for features of video steps.
 * https://github.com/facebookresearch/fairseq, examples/MMPT/mmpt/models/mmfusion.py.
 *
 *   text_tokens CLS SEP words.. SEP ─ without position 1 ─ BERT ─ text_token_features ─ mean without CLS ─ pooled_text
 *   video_features ─ linear, GELU, LayerNorm, linear ─ between CLS and SEP ─ BERT ─ mean of steps and SEP ─ pooled_video
 *   similarity = pooled_video · pooled_text
 */

import {
  cast,
  concat,
  div,
  expand,
  FourtierError,
  fill,
  gather,
  matmul,
  narrow,
  reshape,
  sum,
  type Tensor,
} from "@fourtier/tensor"
import { z } from "zod"
import { bertEmbeddings, bertLayers, bertName, bertSizes, bertTower, positionTable, wordTable } from "../bert.ts"
import { type Activation, activate, linear, norm } from "../blocks.ts"
import { defineFamily } from "../family.ts"
import { checkInput, count, type EncoderGraph, type Inputs, inputNamed, textIds } from "../graph.ts"
import type { WeightBinder } from "../weight-binder.ts"

const dimensions = z
  .object({
    encoder: z.literal("videoclip_bert"),
    ...bertSizes.shape,
    text_layers: count,
    video_layers: count,
    /** The most steps of a video: the SEP after them is at this position plus 1. */
    max_video_len: count,
    video_input_dim: count,
    video_mlp_layer_norm_eps: z.number().positive().default(1e-5),
    special_tokens: z.object({ CLS: z.int().nonnegative(), SEP: z.int().nonnegative() }),
  })
  .refine((config) => config.max_video_len + 2 <= config.max_position_embeddings, {
    message: "needs max_video_len + 2 positions",
    path: ["max_position_embeddings"],
  })

type VideoclipConfig = z.infer<typeof dimensions>

/** All but position 1 of [B,L]. */
const withoutSecond = (x: Tensor) => concat([narrow(x, 1, 0, 1), narrow(x, 1, 2, x.shape[1])], 1)

/** Mean of tokens [B,L,D] with weights [B,L]. */
function weightedMean(tokens: Tensor, weights: Tensor): Tensor {
  const [B, length, width] = tokens.shape
  const shares = div(weights, sum(weights, 1, true))
  return reshape(matmul(reshape(shares, [B, 1, length]), tokens), [B, width])
}

function textBranch(binder: WeightBinder, config: VideoclipConfig, ids: Tensor, mask: Tensor): EncoderGraph {
  const kept = withoutSecond(mask)
  const tower = bertTower(binder, config, config.text_layers, withoutSecond(ids), kept)
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
      ...Object.fromEntries(tower.hiddenStates.map((x, i) => [`text_layer_${i}`, x])),
    },
  }
}

/**
 * @param features [B,n,video_input_dim]
 * @param mask [B,n], 1 where a step counts
 * @param ends ids and mask of CLS and SEP, [B,2] each
 */
function videoBranch(
  binder: WeightBinder,
  config: VideoclipConfig,
  features: Tensor,
  mask: Tensor,
  ends: { ids: Tensor; mask: Tensor },
): EncoderGraph {
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
  const steps = videoSteps(binder.in("videomlp"), features, width, activation, video_mlp_layer_norm_eps)
  const bert = binder.in("bert")
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
      ...Object.fromEntries(tower.hiddenStates.map((x, i) => [`video_layer_${i}`, x])),
    },
  }
}

function videoSteps(
  binder: WeightBinder,
  features: Tensor,
  width: number,
  activation: Activation,
  epsilon: number,
): Tensor {
  const hidden = activate(linear(binder, "linear1", features, width), activation)
  return linear(binder, "linear2", norm(binder, "LayerNorm", hidden, epsilon), width)
}

function videoclipGraph(binder: WeightBinder, config: VideoclipConfig, inputs: Inputs): EncoderGraph {
  const hasText = inputs.has("text_tokens")
  const hasVideo = inputs.has("video_features")
  if (!hasText && !hasVideo) inputNamed(inputs, "text_tokens", "text,position", "i64")
  const graph: EncoderGraph = { outputs: {}, intermediates: {} }
  const take = ({ outputs, intermediates }: EncoderGraph) => {
    Object.assign(graph.outputs, outputs)
    Object.assign(graph.intermediates, intermediates)
  }
  const ids = textIds(inputs)
  const textMask = hasText ? inputNamed(inputs, "text_mask", "text,position", "i64") : null
  if (ids && textMask) {
    checkInput("text_mask", textMask, ids.shape, "text,position")
    take(textBranch(binder.in("text_encoder"), config, ids, textMask))
  } else {
    binder.skip((name) => name.startsWith("text_encoder."))
  }
  if (!hasVideo) {
    binder.skip((name) => name.startsWith("video_encoder."))
    return graph
  }
  const features = inputNamed(inputs, "video_features", "video,step,feature")
  const mask = inputNamed(inputs, "video_mask", "video,step", "i64")
  checkInput("video_features", features, [...mask.shape, config.video_input_dim], "video,step,feature")
  const sameCount = ids && textMask && ids.shape[0] === mask.shape[0]
  const ends = sameCount
    ? { ids: narrow(ids, 1, 0, 2), mask: narrow(textMask, 1, 0, 2) }
    : { ids: endIds(config, mask.shape[0]), mask: fill([mask.shape[0], 2], 1) }
  take(videoBranch(binder.in("video_encoder"), config, features, mask, ends))
  const { pooled_video, pooled_text } = graph.outputs
  if (pooled_text) graph.outputs.similarity = matmul(pooled_video, pooled_text, { transposeB: true })
  return graph
}

/** The ids of CLS and SEP: i64 [rows,2] */
function endIds({ special_tokens: { CLS, SEP } }: VideoclipConfig, rows: number): Tensor {
  return expand(concat([fill([1, 1], CLS, "i64"), fill([1, 1], SEP, "i64")], 1), [rows, 2])
}

export const videoclip = defineFamily({
  dimensions,
  inputs: () => ["text_tokens", "text_mask", "video_features", "video_mask"],
  parameterName: bertName,
  graph: videoclipGraph,
  visual: null,
})
