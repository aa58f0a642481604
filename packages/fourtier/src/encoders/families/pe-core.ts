/**
 * The Perception Encoder's image and text towers (Bolya et al. 2025), https://github.com/facebookresearch/perception_models,
 * core/vision_encoder/pe.py. PE-Core as a whole; the image towers of PE-Lang and PE-Spatial have the same parts.
 *
 *   images ─ patches ─ class token, positions ─ ln_pre ─ rotary blocks ─ ln_post ─┬─ patches: feature_map
 *                                                                                 └─ attn_pool ─ proj ─ image_embedding
 *   clips  ─ image_embedding of each frame, normalised ─ mean ─ video_embedding
 *   ids    ─ CLIP's text tower with GELU ─ text_embedding
 *   attn_pool: probe attends over all tokens, then y + mlp(layernorm(y))
 */

import { exp, FourtierError, matmul, mean, mul, narrow, reshape, type Tensor } from "@fourtier/tensor"
import { z } from "zod"
import { normalised } from "../blocks.ts"
import { defineFamily } from "../family.ts"
import {
  activation,
  CLIP_EPSILON,
  checkInput,
  count,
  type EncoderGraph,
  type Inputs,
  inputNamed,
  textIds,
} from "../graph.ts"
import { cosineLogits, frameMean } from "../joint.ts"
import { asImages, fromImages } from "../patches.ts"
import { BASE, HALF, LARGE, type Preset, SMALL, TINY, type TransformerSize } from "../presets.ts"
import type { WeightBinder } from "../weight-binder.ts"
import { type ClipTextConfig, clipName, clipTextTower, isClipText } from "./clip.ts"
import { dimensions, imageTower, type PeConfig, pooledOf, projected, ratio } from "./pe-core-blocks.ts"
import { framesOf } from "./xclip.ts"

/** The reference's names. Checkpoints of the image tower alone may lack `visual.`. */
export function peName(key: string, keys: ReadonlySet<string>): string | null {
  return keys.has("conv1.weight") ? `visual.${key}` : clipName(key, keys)
}

/** The text tower's sizes, under the names that CLIP's has. */
export const peTextSizes = z
  .object({
    embed_dim: count,
    context_length: count,
    vocab_size: count,
    text_width: count,
    text_heads: count,
    text_layers: count,
    text_mlp_ratio: ratio.default(4),
    activation: activation.default("gelu"),
    layer_norm_eps: z.number().positive().default(CLIP_EPSILON),
  })
  .transform(({ text_mlp_ratio, ...sizes }): ClipTextConfig => ({ ...sizes, mlp_ratio: text_mlp_ratio }))

/** @throws FourtierError that lists those sizes of the text tower that the configuration lacks */
function textSizesOf(config: PeConfig): ClipTextConfig {
  const parsed = peTextSizes.safeParse(config)
  if (parsed.success) return parsed.data
  throw new FourtierError({
    where: "sizes of the text tower",
    what: "missing in the configuration",
    found: parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; "),
  })
}

/** Each frame's normalised embedding, their mean: clips [B,T,H,W,3] -> [B,E], not normalised again */
function videoEmbedding(visual: WeightBinder, config: PeConfig, clips: Tensor): Tensor {
  const [B, T] = clips.shape
  const frames = projected(visual, config, pooledOf(visual, config, imageTower(visual, config, asImages(clips))))
  return mean(reshape(normalised(frames), [B, T, ...frames.shape.slice(1)]), 1)
}

const IMAGE_AXES = "batch,3,height,width"
const VIDEO_AXES = "batch,time,3,height,width"

/** Images of any size: the input `name` as [B,1,H,W,3] */
function imagesNamed(inputs: Inputs, name: string): Tensor {
  const images = inputNamed(inputs, name, IMAGE_AXES)
  checkInput(name, images, [-1, 3, -1, -1], IMAGE_AXES)
  return fromImages(images)
}

function peGraph(binder: WeightBinder, config: PeConfig, inputs: Inputs): EncoderGraph {
  const visual = binder.in("visual")
  const outputs: EncoderGraph["outputs"] = {}
  const intermediates: EncoderGraph["intermediates"] = {}
  if (inputs.has("input")) {
    const tower = imageTower(visual, config, imagesNamed(inputs, "input"))
    const { hiddenStates, tokens, map, inside } = tower
    const layers = config.vision_layers
    outputs.feature_map = map(tokens)
    outputs.feature_map_before_norm = map(hiddenStates[layers])
    outputs.feature_map_layer_minus_2 = map(hiddenStates[Math.max(layers - 1, 1)])
    if (tower.classToken) outputs.class_token = reshape(narrow(tokens, 1, 0, 1), [tokens.shape[0], tokens.shape[2]])
    outputs.pooled = pooledOf(visual, config, tower)
    outputs.image_embedding = projected(visual, config, outputs.pooled)
    const [first, ...blocks] = hiddenStates
    Object.assign(intermediates, inside, { image_after_ln_pre: first })
    for (const [i, block] of blocks.entries()) intermediates[`image_block_${i}`] = block
  }
  if (inputs.has("input_other")) {
    const tower = imageTower(visual, config, imagesNamed(inputs, "input_other"))
    outputs.feature_map_other = tower.map(tower.tokens)
    outputs.image_embedding_other = projected(visual, config, pooledOf(visual, config, tower))
    if (tower.positions) intermediates.position_other = reshape(tower.positions, [1, ...tower.positions.shape])
  }
  if (inputs.has("input_video")) {
    const clips = inputNamed(inputs, "input_video", VIDEO_AXES)
    checkInput("input_video", clips, [-1, -1, 3, -1, -1], VIDEO_AXES)
    const [B, T] = clips.shape
    const frames = framesOf(clips) // [B·T,1,H,W,3]
    outputs.video_embedding = videoEmbedding(visual, config, reshape(frames, [B, T, ...frames.shape.slice(2)]))
  }
  if (Object.keys(outputs).length === 0) binder.skip((name) => name.startsWith("visual."))
  const ids = textIds(inputs)
  if (!ids) {
    binder.skip(isClipText)
    return { outputs, intermediates }
  }
  const text = clipTextTower(binder, textSizesOf(config), ids)
  outputs.text_token_features = text.tokens
  outputs.text_embedding = text.embedding
  for (const [i, block] of text.hiddenStates.entries()) intermediates[`text_block_${i}`] = block
  if (binder.has("logit_scale")) {
    const scale = exp(binder.weight("logit_scale", []))
    outputs.logit_scale_exp = reshape(scale, [1])
    if (outputs.image_embedding?.rank === 2) {
      const [image, texts] = [normalised(outputs.image_embedding), normalised(text.embedding)]
      outputs.logits_per_image = mul(matmul(image, texts, { transposeB: true }), scale)
    }
  }
  return { outputs, intermediates }
}

type TowerSize = readonly [...TransformerSize, embed: number]

const preset = (
  [width, depth, heads]: TransformerSize,
  patch: number,
  resolution: number,
  [textWidth, textLayers, textHeads, embed]: TowerSize,
  others: Preset["dimensions"] = {},
): Preset => ({
  dimensions: {
    encoder: "pe_core",
    patch_size: patch,
    vision_width: width,
    vision_layers: depth,
    vision_heads: heads,
    use_cls_token: true,
    embed_dim: embed,
    context_length: 32,
    vocab_size: 49408,
    text_width: textWidth,
    text_layers: textLayers,
    text_heads: textHeads,
    ...others,
  },
  resolution,
  frames: 8,
  normalisation: HALF,
})

const SMALL_TEXT: TowerSize = [512, 12, 8, 512]
const LARGE_TEXT: TowerSize = [1024, 24, 16, 1024]

export const peCore = defineFamily({
  dimensions,
  inputs: () => ["input", "input_other", "input_video", "text_tokens"],
  parameterName: peName,
  graph: peGraph,
  visual: {
    kind: "pe_core",
    models: {
      "T/16@384": preset(TINY, 16, 384, SMALL_TEXT),
      "S/16@384": preset(SMALL, 16, 384, SMALL_TEXT),
      "B/16": preset(BASE, 16, 224, LARGE_TEXT),
      "L/14@336": preset(LARGE, 14, 336, LARGE_TEXT),
      "G/14@448": preset([1536, 50, 16], 14, 448, [1280, 24, 20, 1280], {
        vision_mlp_ratio: "8960/1536",
        use_cls_token: false,
        context_length: 72,
      }),
    },
    defaultModel: "B/16",
    clipKeys: { resolution: "image_size" },
    anyShape: true,
    unused: (name) => !name.startsWith("visual.") || /^visual\.(?:proj$|attn_pool\.)/.test(name),
    featureMap(binder, config, clips) {
      const [B, T] = clips.shape
      const { map, tokens } = imageTower(binder.in("visual"), config, asImages(clips))
      const whole = map(tokens)
      return reshape(whole, [B, T, ...whole.shape.slice(1)])
    },
    joint: {
      tower: ({ pool_type }) => (pool_type === "none" ? null : "pe_core"),
      rows(binder, config, clips) {
        const visual = binder.in("visual")
        const pooled = pooledOf(visual, config, imageTower(visual, config, asImages(clips)))
        return frameMean(projected(visual, config, pooled), clips.shape[1])
      },
      logits: (binder, _, rows, texts) => cosineLogits(binder, rows, texts),
    },
  },
})
