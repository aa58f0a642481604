/**
 * X-CLIP (Ni et al. 2022): CLIP's image tower over frames that exchange messages, a transformer over the frames' embeddings,
 * and prompts for the class names that depend on the video. https://github.com/microsoft/VideoX, X-CLIP/models.
 *
 *   frames ─ CLIP's embedding ─ blocks ─┬─ class tokens ─ ln_post, proj ─ MIT over T ─ video_embedding
 *                                       ├─ patches: feature_map (no norm)
 *                                       └─ patches ─ prompts_visual_ln, proj ─ mean over T ─┐
 *   ids ─ CLIP's text tower ─ text_embedding ─────────────────────────────── + prompt(text, ·) ─ cosine ─ logits
 *   block: message of each frame = fc(class token) + attention over T; frame's tokens and its message attend; the message
 *          is dropped; mlp
 */

import {
  add,
  concat,
  exp,
  expand,
  matmul,
  mean,
  mul,
  narrow,
  reshape,
  sum,
  type Tensor,
  transpose,
} from "@fourtier/tensor"
import { z } from "zod"
import {
  attend,
  type BlockOptions,
  clipBlock,
  clipMlp,
  headScale,
  linear,
  mlp,
  norm,
  normalised,
  project,
  selfAttention,
  transposed,
} from "../blocks.ts"
import { defineFamily } from "../family.ts"
import { checkInput, count, type EncoderGraph, type Inputs, inputNamed, RESIZE_FIX, textIds } from "../graph.ts"
import { asImages, squareMap, withoutClassToken } from "../patches.ts"
import { timeTable } from "../positions.ts"
import { IMAGENET, type Preset } from "../presets.ts"
import type { WeightBinder } from "../weight-binder.ts"
import {
  blockOptions,
  CLIP_SETTINGS,
  CLIP_SIZES,
  type ClipTextConfig,
  clipEmbedding,
  clipImageSizes,
  clipTextSizes,
  clipTextTower,
  isClipText,
} from "./clip.ts"

/** Sizes of the transformer over frames and of the clips. */
export const videoSizes = { T: count, mit_layers: count, mit_heads: count }
export const promptSizes = { prompts_layers: count, prompt_heads: count }

const dimensions = z.object({
  encoder: z.literal("xclip"),
  ...clipImageSizes.shape,
  ...clipTextSizes.shape,
  ...videoSizes,
  ...promptSizes,
})

type XclipConfig = z.infer<typeof dimensions>

/** Names of X-CLIP and ILA: as in their checkpoints, which also have counters of batch norms and OpenAI's settings. */
export function xclipName(key: string): string | null {
  return key.endsWith("num_batches_tracked") || CLIP_SETTINGS.includes(key) ? null : key
}

/** The dimensions that the layers after the image tower read. */
export type VideoHeadConfig = Omit<XclipConfig, "encoder">

const VIDEO_AXES = "batch,time,3,height,width"

/** Clips [B,T,3,H,W] as frames [B·T,1,H,W,3]. */
export function framesOf(clips: Tensor): Tensor {
  const [B, T, C, H, W] = clips.shape
  return reshape(transpose(clips, [0, 1, 3, 4, 2]), [B * T, 1, H, W, C])
}

export interface VideoTower {
  /** After ln_pre and after each block: [B·T,1+N,D] */
  hiddenStates: Tensor[]
  /** Tensors inside the blocks, by name. */
  inside: Record<string, Tensor>
}

/** @param frames [B·T,1,H,W,3], normalised */
function xclipTower(binder: WeightBinder, config: Omit<XclipConfig, "encoder">, frames: Tensor): VideoTower {
  const options = blockOptions(config.vision_heads, config)
  let x = clipEmbedding(binder, config, frames, "bicubic")
  const hiddenStates = [x]
  const inside: Record<string, Tensor> = {}
  for (let i = 0; i < config.vision_layers; i++) {
    const { tokens, message } = messageBlock(binder.in(`transformer.resblocks.${i}`), x, config.T, options)
    x = tokens
    hiddenStates.push(x)
    inside[`message_attention_out_${i}`] = message
  }
  return { hiddenStates, inside }
}

/** A block with messages between frames. x [B·T,1+N,D] */
function messageBlock(
  binder: WeightBinder,
  x: Tensor,
  T: number,
  options: BlockOptions,
): { tokens: Tensor; message: Tensor } {
  const { heads, epsilon } = options
  const [rows, length, width] = x.shape
  const classTokens = reshape(narrow(x, 1, 0, 1), [rows / T, T, width])
  const sent = linear(binder, "message_fc", classTokens, width)
  const message = selfAttention(binder.in("message_attn"), norm(binder, "message_ln", sent, epsilon), { heads })
  const joined = concat([x, reshape(add(sent, message), [rows, 1, width])], 1)
  const attention = selfAttention(binder.in("attn"), norm(binder, "ln_1", joined, epsilon), { heads })
  return { tokens: clipMlp(binder, add(x, narrow(attention, 1, 0, length)), options), message }
}

/** The multi-frame integration transformer: frame embeddings [B,T,E], before the mean over time. */
export function integrateFrames(
  binder: WeightBinder,
  frames: Tensor,
  config: Pick<VideoHeadConfig, "mit_layers" | "mit_heads"> & Settings,
): Tensor {
  const [, T, width] = frames.shape
  let x = add(frames, binder.weight("positional_embedding", [1, T, width], timeTable(T, width)))
  for (let i = 0; i < config.mit_layers; i++) {
    x = clipBlock(binder.in(`resblocks.${i}`), x, blockOptions(config.mit_heads, { ...config, mlp_ratio: 4 }))
  }
  return add(x, frames)
}

type Settings = Pick<VideoHeadConfig, "activation" | "layer_norm_eps">

/** Attention with separate projections without biases; q [B,K,E], memory [B,N,E]. */
function crossAttention(binder: WeightBinder, q: Tensor, memory: Tensor, heads: number): Tensor {
  const width = q.shape[2]
  const scale = headScale(binder.path("q_proj"), width, heads)
  const part = (name: string, x: Tensor, factor: number) =>
    project(
      x,
      binder.derive(`${name}.weight`, [{ name: `${name}.weight`, shape: [width, width] }], [width, width], (values) =>
        transposed(values, width, width, factor),
      ),
    )
  const mixed = attend(part("q_proj", q, scale), part("k_proj", memory, 1), part("v_proj", memory, 1), heads)
  return linear(binder, "proj", mixed, width)
}

/** Prompts for the texts [B,K,E] from the video's patches [B,N,E], averaged over time. */
function videoPrompt(binder: WeightBinder, texts: Tensor, patchMean: Tensor, config: VideoHeadConfig): Tensor {
  const { layer_norm_eps: epsilon, activation, prompts_layers, prompt_heads } = config
  const width = texts.shape[2]
  const memory = norm(binder, "norm", patchMean, epsilon)
  let x = texts
  for (let i = 0; i < prompts_layers; i++) {
    const layer = binder.in(`decoder.${i}`)
    x = add(x, crossAttention(layer.in("cross_attn"), norm(layer, "norm1", x, epsilon), memory, prompt_heads))
    const names = ["mlp.0", "mlp.3"] as const
    x = add(x, mlp(layer, norm(layer, "norm3", x, epsilon), { names, hidden: 4 * width, activation }))
  }
  return mul(x, binder.weight("alpha", [width]))
}

/** What the last block gives for each frame. */
export interface FrameOutputs {
  /** [B,T,G,G,D] */
  feature_map: Tensor
  /** [B,T,D] */
  frame_class_tokens: Tensor
  /** [B,T,E] */
  frame_class_embeddings: Tensor
}

/** @param last the last block's tokens [B·T,1+N,D] */
export function frameOutputs(
  visual: WeightBinder,
  last: Tensor,
  { T, embed_dim, layer_norm_eps }: Pick<VideoHeadConfig, "T" | "embed_dim" | "layer_norm_eps">,
): FrameOutputs {
  const [rows, length, width] = last.shape
  const [B, grid] = [rows / T, Math.round(Math.sqrt(length - 1))]
  const classTokens = reshape(narrow(last, 1, 0, 1), [B, T, width])
  const normed = norm(visual, "ln_post", classTokens, layer_norm_eps)
  return {
    feature_map: reshape(narrow(last, 1, 1, length), [B, T, grid, grid, width]),
    frame_class_tokens: classTokens,
    frame_class_embeddings: matmul(normed, visual.weight("proj", [width, embed_dim])),
  }
}

/** Everything after the image tower: video embedding, texts, prompts, logits. */
export function videoOutputs(
  binder: WeightBinder,
  config: VideoHeadConfig,
  last: Tensor,
  ids: Tensor | null,
): EncoderGraph["outputs"] {
  const { embed_dim, layer_norm_eps: epsilon, T } = config
  const outputs: EncoderGraph["outputs"] = { ...frameOutputs(binder.in("visual"), last, config) }
  const map = outputs.feature_map
  const [B, , grid, , width] = map.shape
  outputs.video_embedding = mean(integrateFrames(binder.in("mit"), outputs.frame_class_embeddings, config), 1)
  const patchTokens = norm(binder, "prompts_visual_ln", reshape(map, [B, T, grid * grid, width]), epsilon)
  const projected = matmul(patchTokens, binder.weight("prompts_visual_proj", [width, embed_dim])) // [B,T,N,E]
  outputs.prompt_feature_map = reshape(projected, [B, T, grid, grid, embed_dim])
  if (!ids) {
    binder.skip((name) => isClipText(name) || name.startsWith("prompts_generator."))
    return outputs
  }
  const { embedding } = clipTextTower(binder, config, ids)
  const video = outputs.video_embedding
  const { prompt, logits } = promptedLogits(binder, config, { video, patches: mean(projected, 1) }, embedding)
  outputs.text_embedding = embedding
  outputs.video_specific_prompt = prompt
  outputs.logits = logits
  return outputs
}

/**
 * Texts prompted by the clips, and how well they fit them.
 *
 * @param clip video embeddings [B,E], and patches in the joint space [B,N,E], averaged over time
 * @param embedding of the texts [K,E]
 */
function promptedLogits(
  binder: WeightBinder,
  config: VideoHeadConfig,
  clip: { video: Tensor; patches: Tensor },
  embedding: Tensor,
): { prompt: Tensor; logits: Tensor } {
  const [B, width] = clip.video.shape
  const [K] = embedding.shape
  const texts = expand(reshape(embedding, [1, K, width]), [B, K, width])
  const prompt = videoPrompt(binder.in("prompts_generator"), texts, clip.patches, config)
  const video = reshape(normalised(clip.video), [B, 1, width])
  const cosine = sum(mul(video, normalised(add(texts, prompt))), 2)
  return { prompt, logits: mul(cosine, exp(binder.weight("logit_scale", []))) }
}

/** Hidden states by frame [B,T,1+N,D] and by name. */
export function frameStates([embedding, ...blocks]: readonly Tensor[], T: number): Record<string, Tensor> {
  const byFrame = (x: Tensor) => reshape(x, [x.shape[0] / T, T, ...x.shape.slice(1)])
  return {
    after_ln_pre: byFrame(embedding),
    ...Object.fromEntries(blocks.map((x, i) => [`block_${i}`, byFrame(x)])),
  }
}

/** The input of the networks over frames, checked. */
export function videoInput(
  inputs: Inputs,
  { T, image_resolution }: Pick<VideoHeadConfig, "T" | "image_resolution">,
): Tensor {
  const clips = inputNamed(inputs, "input", VIDEO_AXES)
  checkInput("input", clips, [-1, T, 3, image_resolution, image_resolution], VIDEO_AXES, RESIZE_FIX)
  return clips
}

/** What the text tower gives where there is no clip to prompt the texts with; null where there is one, or no text. */
export function textsAlone(binder: WeightBinder, config: ClipTextConfig, inputs: Inputs): EncoderGraph | null {
  const ids = textIds(inputs)
  if (!ids || inputs.has("input")) return null
  binder.skip((name) => !isClipText(name) || name.startsWith("logit_"))
  return { outputs: { text_embedding: clipTextTower(binder, config, ids).embedding }, intermediates: {} }
}

function xclipGraph(binder: WeightBinder, config: XclipConfig, inputs: Inputs): EncoderGraph {
  const texts = textsAlone(binder, config, inputs)
  if (texts) return texts
  const { hiddenStates, inside } = xclipTower(binder.in("visual"), config, framesOf(videoInput(inputs, config)))
  const outputs = videoOutputs(binder, config, hiddenStates[hiddenStates.length - 1], textIds(inputs))
  return { outputs, intermediates: { ...frameStates(hiddenStates, config.T), ...inside } }
}

/** Sizes of a network over frames that starts from CLIP's towers: X-CLIP's and ILA's. */
export function videoPresets(encoder: "xclip" | "ila"): Record<"B/32" | "B/16" | "L/14" | "L/14@336", Preset> {
  const preset = (size: keyof typeof CLIP_SIZES, resolution = 224): Preset => {
    const sizes = CLIP_SIZES[size]
    const heads = sizes.embed_dim / 64
    return {
      dimensions: { encoder, ...sizes, mit_layers: 1, mit_heads: heads, prompts_layers: 2, prompt_heads: heads },
      resolution,
      frames: 8,
      normalisation: IMAGENET,
    }
  }
  return { "B/32": preset("B/32"), "B/16": preset("B/16"), "L/14": preset("L/14"), "L/14@336": preset("L/14", 336) }
}

/** Whether a parameter of X-CLIP or ILA lies outside the image tower, or after its last block. */
export const unusedByMap = (name: string): boolean =>
  !name.startsWith("visual.") || /^visual\.(?:proj$|ln_post\.)/.test(name)

export const xclip = defineFamily({
  dimensions,
  inputs: () => ["input", "text_tokens"],
  parameterName: xclipName,
  graph: xclipGraph,
  visual: {
    kind: "xclip",
    models: videoPresets("xclip"),
    defaultModel: "B/16",
    clipKeys: { resolution: "image_resolution", frames: "T" },
    unused: unusedByMap,
    featureMap(binder, config, clips) {
      const [B, T] = clips.shape
      const { hiddenStates } = xclipTower(binder.in("visual"), config, asImages(clips))
      return squareMap(withoutClassToken(hiddenStates[hiddenStates.length - 1]), B, T)
    },
    joint: {
      tower: () => "xclip",
      rows(binder, config, clips) {
        const { hiddenStates } = xclipTower(binder.in("visual"), config, asImages(clips))
        const outputs = videoOutputs(binder, config, hiddenStates[hiddenStates.length - 1], null)
        const patches = outputs.prompt_feature_map
        const [B, T, rows, columns, width] = patches.shape
        const video = reshape(normalised(outputs.video_embedding), [B, 1, width])
        return concat([video, mean(reshape(patches, [B, T, rows * columns, width]), 1)], 1)
      },
      logits(binder, config, rows, texts) {
        const [B, R, width] = rows.shape
        const clip = { video: reshape(narrow(rows, 1, 0, 1), [B, width]), patches: narrow(rows, 1, 1, R) }
        return promptedLogits(binder, config, clip, texts).logits
      },
    },
  },
})
