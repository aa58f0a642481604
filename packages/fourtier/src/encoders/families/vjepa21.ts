/**
 * V-JEPA 2.1 (arXiv 2603.14482): trained at four depths, each with a norm of its own, on clips and on pictures.
 * https://github.com/facebookresearch/vjepa2, app/vjepa_2_1/models/vision_transformer.py.
 *
 *   clip ───── tubelets of 2 frames ─ + video ──┐             ┌─ norm of the last level ─ feature_map
 *   picture ── patches of 1 frame ─── + image ──┴─ blocks ────┴─ every level's norm, side by side ─ hierarchical
 */

import { add, concat, reshape, type Tensor } from "@fourtier/tensor"
import { z } from "zod"
import { norm } from "../blocks.ts"
import { defineFamily } from "../family.ts"
import { count, type EncoderGraph, type Inputs, inputNamed } from "../graph.ts"
import { asImages } from "../patches.ts"
import { BASE, LARGE } from "../presets.ts"
import type { WeightBinder } from "../weight-binder.ts"
import {
  blocksByName,
  CLIP_AXES,
  clipsOf,
  type Embedded,
  type Encoded,
  embedTubelets,
  encodeTokens,
  GIANT_22,
  GIGANTIC,
  maskOf,
  onGrid,
  otherMaps,
  stackLevels,
  VJEPA_INPUTS,
  vjepaEpsilon,
  vjepaPreset,
  vjepaRope,
  vjepaSizes,
} from "./vjepa.ts"
import { VJEPA_SECTIONS, vjepaName } from "./vjepa-names.ts"
import { hasProbe, probeOf } from "./vjepa-probe.ts"

/** Blocks with a norm of their own, by depth. */
const LEVELS: Readonly<Record<number, readonly number[]>> = {
  12: [2, 5, 8, 11],
  24: [5, 11, 17, 23],
  40: [9, 19, 29, 39],
  48: [11, 23, 37, 47],
}

const dimensions = z
  .object({
    encoder: z.literal("vjepa21"),
    ...vjepaSizes,
    ...vjepaRope("interleaved", true),
    layer_norm_eps: vjepaEpsilon,
    levels: z.array(z.int().nonnegative()).min(1).nullable().default(null),
    /** Frames of a clip that the one-frame tokenizer takes; null: there is none. */
    img_temporal_dim_size: count.nullable().default(1),
    /** Whether tokens of clips and of pictures are told apart by a vector. */
    modality_embedding: z.boolean().default(true),
    n_registers: z.literal(0, { error: "register tokens are not supported" }).default(0),
    has_cls_first: z.literal(false, { error: "a class token is not supported" }).default(false),
    /** As frozen encoder: all levels side by side instead of the last. */
    return_hierarchical: z.boolean().default(false),
    /** As frozen encoder: every frame on its own, by the one-frame tokenizer. */
    frame_by_frame: z.boolean().default(false),
  })
  .transform(({ levels: given, ...others }, context) => {
    const levels = given ?? LEVELS[others.depth]
    const refuse = (key: string, message: string) => {
      context.addIssue({ code: "custom", path: [key], message })
      return z.NEVER
    }
    if (levels === undefined) return refuse("levels", `needed for a depth other than ${Object.keys(LEVELS).join(", ")}`)
    if (levels.some((level) => level >= others.depth)) return refuse("levels", `below the depth, ${others.depth}`)
    for (const key of ["out_layers", "probe_levels"] as const) {
      if (others[key]?.some((level) => !levels.includes(level))) return refuse(key, `only of ${levels.join(", ")}`)
    }
    if (others.frame_by_frame && others.img_temporal_dim_size !== 1) {
      return refuse("frame_by_frame", "needs img_temporal_dim_size 1")
    }
    return { ...others, levels: [...levels] }
  })

type Vjepa21Config = z.infer<typeof dimensions>

/** @param clips [B,T,H,W,3]; those of one frame are pictures */
function embed(binder: WeightBinder, config: Vjepa21Config, clips: Tensor): { embedded: Embedded; placed: Embedded } {
  const frames = clips.shape[1]
  const [name, tubelet, modality] =
    frames === config.img_temporal_dim_size
      ? ["patch_embed_img", 1, "img_mod_embed"]
      : ["patch_embed", config.tubelet_size, "video_mod_embed"]
  const embedded = embedTubelets(binder, config, clips, { name: String(name), frames: Number(tubelet) })
  if (!config.modality_embedding) return { embedded, placed: embedded }
  const vector = binder.weight(String(modality), [1, 1, config.embed_dim])
  return { embedded, placed: { ...embedded, tokens: add(embedded.tokens, vector) } }
}

/** The block's output through the norm of its level. */
function level(binder: WeightBinder, config: Vjepa21Config, { states }: Encoded, block: number): Tensor {
  return norm(binder, `norms_block.${config.levels.indexOf(block)}`, states[block], config.layer_norm_eps)
}

/** The last block's output through the last level's norm. */
function last(binder: WeightBinder, config: Vjepa21Config, { states }: Encoded): Tensor {
  const name = `norms_block.${config.levels.length - 1}`
  return norm(binder, name, states[states.length - 1], config.layer_norm_eps)
}

function hierarchical(binder: WeightBinder, config: Vjepa21Config, encoded: Encoded): Tensor {
  return concat(
    config.levels.map((block) => level(binder, config, encoded, block)),
    2,
  )
}

/** Parts of the network that some inputs and maps do without. */
const OPTIONAL = /^(?:(?:patch_embed|patch_embed_img|norms_block)\.|(?:img|video)_mod_embed$)/

function vjepa21Graph(binder: WeightBinder, config: Vjepa21Config, inputs: Inputs): EncoderGraph {
  binder.skip((name) => OPTIONAL.test(name))
  const outputs = otherMaps(inputs, (clips) => {
    const encoded = encodeTokens(binder, config, embed(binder, config, clips).placed)
    return onGrid(last(binder, config, encoded), encoded.grid)
  })
  const graph: EncoderGraph = { outputs, intermediates: {} }
  const [clips, picture] = ["input", "input_image"].map((name) => clipsOf(inputs, name))
  const mask = maskOf(inputs)
  if (picture) {
    const { embedded, placed } = embed(binder, config, picture)
    const encoded = encodeTokens(binder, config, placed)
    const map = onGrid(last(binder, config, encoded), encoded.grid)
    const [B, time, ...rest] = map.shape
    outputs.feature_map_image = time === 1 ? reshape(map, [B, ...rest]) : map
    graph.intermediates.image_patch_embedding = embedded.tokens
    Object.assign(graph.intermediates, blocksByName(encoded.states, "image_"))
  }
  if (clips || mask || Object.keys(outputs).length === 0) {
    addClip(graph, binder, config, clips ?? inputNamed(inputs, "input", CLIP_AXES), mask)
  }
  return graph
}

/** @param mask kept tokens [B,K] */
function addClip(
  { outputs, intermediates }: EncoderGraph,
  binder: WeightBinder,
  config: Vjepa21Config,
  clips: Tensor,
  mask: Tensor | null,
): void {
  const { embedded, placed } = embed(binder, config, clips)
  const encoded = encodeTokens(binder, config, placed)
  const { states, turned, grid } = encoded
  outputs.feature_map = onGrid(last(binder, config, encoded), grid)
  outputs.feature_map_before_norm = onGrid(states[states.length - 1], grid)
  outputs.hierarchical = onGrid(hierarchical(binder, config, encoded), grid)
  if (config.out_layers) {
    const levels = config.out_layers.map((block) => onGrid(level(binder, config, encoded, block), grid))
    outputs.level_features = stackLevels(levels)
  }
  if (mask) outputs.masked_tokens = last(binder, config, encodeTokens(binder, config, placed, mask))
  Object.assign(intermediates, {
    patch_embedding: embedded.tokens,
    ...blocksByName(states),
    block_0_query_rotated: turned.query,
    block_0_key_rotated: turned.key,
  })
  if (!hasProbe(binder, config)) return
  const read = config.probe_levels?.map((block) => level(binder, config, encoded, block))
  const { hidden, pooled, logits } = probeOf(binder, config)(read ?? [last(binder, config, encoded)])
  Object.assign(intermediates, blocksByName(hidden, "probe_"))
  Object.assign(outputs, { probe_pooled: pooled, logits })
}

export const vjepa21 = defineFamily({
  dimensions,
  inputs: () => [...VJEPA_INPUTS, "input_image"],
  parameterName: vjepaName,
  sections: VJEPA_SECTIONS,
  graph: vjepa21Graph,
  visual: {
    kind: "vjepa21",
    models: {
      "B/16": vjepaPreset("vjepa21", BASE, 384),
      "L/16": vjepaPreset("vjepa21", LARGE, 384),
      "g/16": vjepaPreset("vjepa21", GIANT_22, 384, 48 / 11),
      "G/16": vjepaPreset("vjepa21", GIGANTIC, 384, 64 / 13),
    },
    defaultModel: "B/16",
    clipKeys: { resolution: "img_size", frames: "num_frames" },
    anyShape: true,
    unused: (name) => OPTIONAL.test(name) || name.startsWith("probe."),
    featureMap(binder, config, clips) {
      const [B, T] = clips.shape
      const encoded = encodeTokens(
        binder,
        config,
        embed(binder, config, config.frame_by_frame ? asImages(clips) : clips).placed,
      )
      const read = config.return_hierarchical ? hierarchical : last
      const map = onGrid(read(binder, config, encoded), encoded.grid)
      return config.frame_by_frame ? reshape(map, [B, T, ...map.shape.slice(2)]) : map
    },
  },
})
