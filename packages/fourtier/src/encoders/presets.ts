/** Official sizes of the networks that serve as visual encoders, and how their pictures are normalised. */

import { FourtierError, nearest } from "@fourtier/tensor"

/** Kinds of networks over pictures or clips. */
export type FrozenKind = "clip" | "vit" | "videomae" | "uniformerv2" | "xclip" | "ila" | "mtv"

/** Mean and standard deviation of red, green and blue on the scale 0 to 1. */
export interface Normalisation {
  mean: readonly [number, number, number]
  std: readonly [number, number, number]
}

export interface Preset {
  /** Keys of a configuration file, less those that say frames and resolution; `dimensionsSchema` checks them. */
  sizes: Readonly<Record<string, unknown>>
  resolution: number
  /** Frames of a clip, T. */
  frames: number
  normalisation: Normalisation
}

const IMAGENET: Normalisation = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] }
const CLIP: Normalisation = { mean: [0.48145466, 0.4578275, 0.40821073], std: [0.26862954, 0.26130258, 0.27577711] }
const HALF: Normalisation = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] }
const SLOWFAST: Normalisation = { mean: [0.45, 0.45, 0.45], std: [0.225, 0.225, 0.225] }

/** Width, depth and heads. */
type Transformer = readonly [width: number, depth: number, heads: number]
const TINY: Transformer = [192, 12, 3]
const SMALL: Transformer = [384, 12, 6]
const MEDIUM: Transformer = [512, 12, 8]
const BASE: Transformer = [768, 12, 12]
const LARGE: Transformer = [1024, 24, 16]
const HUGE: Transformer = [1280, 32, 16]
const GIANT: Transformer = [1408, 40, 16]

const clipText = (width: number, layers: number) => ({
  context_length: 77,
  vocab_size: 49408,
  text_width: width,
  text_heads: width / 64,
  text_layers: layers,
})

function clipSizes([width, depth, heads]: Transformer, patch: number, embed: number, textLayers = 12) {
  return {
    embed_dim: embed,
    patch_size: patch,
    vision_width: width,
    vision_layers: depth,
    vision_heads: heads,
    ...clipText(embed, textLayers),
  }
}

const clip = (sizes: Preset["sizes"], resolution = 224): Preset => ({
  sizes: { encoder: "clip", ...sizes },
  resolution,
  frames: 8,
  normalisation: CLIP,
})

const vitSizes = ([width, depth, heads]: Transformer, patch: number) => ({
  embed_dim: width,
  depth,
  num_heads: heads,
  patch_size: patch,
  num_classes: 0,
})

const vit = (sizes: Preset["sizes"], resolution: number, normalisation: Normalisation): Preset => ({
  sizes: { encoder: "vit_timm", ...sizes },
  resolution,
  frames: 8,
  normalisation,
})

const deit3 = (transformer: Transformer, patch: number, resolution = 224): Preset => {
  const sizes = { ...vitSizes(transformer, patch), encoder: "deit3_timm", no_embed_class: true, init_values: 1e-6 }
  return vit(sizes, resolution, IMAGENET)
}

const dinov2 = (transformer: Transformer): Preset =>
  vit({ ...vitSizes(transformer, 14), init_values: 1e-5 }, 224, IMAGENET)

const siglip = (sizes: Preset["sizes"], resolution: number): Preset =>
  vit({ ...sizes, class_token: false, global_pool: "map" }, resolution, HALF)

const videomae = (transformer: Transformer, patch: number, mlp_ratio = 4): Preset => ({
  sizes: { encoder: "videomae", ...vitSizes(transformer, patch), tubelet_size: 2, mlp_ratio },
  resolution: 224,
  frames: 16,
  normalisation: IMAGENET,
})

/** @param globals how many of the last blocks are followed by a global block */
function uniformerv2(
  [width, layers, heads]: Transformer,
  patch: number,
  globals: number,
  { resolution = 224, frames = 8, ...switches }: { resolution?: number; frames?: number } & Preset["sizes"] = {},
): Preset {
  const sizes = {
    encoder: "uniformerv2",
    patch_size: patch,
    width,
    layers,
    heads,
    temporal_downsample: false,
    no_lmhra: true,
    return_list: Array.from({ length: globals }, (_, i) => layers - globals + i),
    n_layers: globals,
    n_dim: width,
    n_head: heads,
    num_classes: 400,
    ...switches,
  }
  return { sizes, resolution, frames, normalisation: SLOWFAST }
}

const SOMETHING = { temporal_downsample: true, no_lmhra: false, frames: 16 }

const overFrames = (encoder: "xclip" | "ila", sizes: ReturnType<typeof clipSizes>, resolution = 224): Preset => ({
  sizes: {
    encoder,
    ...sizes,
    mit_layers: 1,
    mit_heads: sizes.embed_dim / 64,
    prompts_layers: 2,
    prompt_heads: sizes.embed_dim / 64,
  },
  resolution,
  frames: 8,
  normalisation: IMAGENET,
})

/** Views from the longest tubelets to the shortest. */
function mtv(
  views: readonly (readonly [Transformer, patch: number, frames: number])[],
  fusionLayers: number[],
): Preset {
  const width = views.reduce((sum, [[own]]) => sum + own, 0)
  const sizes = {
    encoder: "mtv",
    views: views.map(([[width, layers, heads], patch, frames]) => ({
      width,
      heads,
      layers,
      mlp: 4 * width,
      tubelet_h_w_t: [patch, patch, frames],
    })),
    fusion_layers: fusionLayers,
    cross_view_fusion: "cross_view_attention",
    global_encoder: { width, heads: 8, mlp: 3072, layers: 12 },
    num_classes: 400,
  }
  return { sizes, resolution: 224, frames: 32, normalisation: HALF }
}

const CLIP_SIZES = {
  "B/32": clipSizes(BASE, 32, 512),
  "B/16": clipSizes(BASE, 16, 512),
  "L/14": clipSizes(LARGE, 14, 768),
}

const withFrames = (encoder: "xclip" | "ila"): Record<string, Preset> => ({
  "B/32": overFrames(encoder, CLIP_SIZES["B/32"]),
  "B/16": overFrames(encoder, CLIP_SIZES["B/16"]),
  "L/14": overFrames(encoder, CLIP_SIZES["L/14"]),
  "L/14@336": overFrames(encoder, CLIP_SIZES["L/14"], 336),
})

/** Every official size by kind and name. */
export const PRESETS: Readonly<Record<FrozenKind, Readonly<Record<string, Preset>>>> = {
  clip: {
    "B/32": clip(CLIP_SIZES["B/32"]),
    "B/16": clip(CLIP_SIZES["B/16"]),
    "L/14": clip(CLIP_SIZES["L/14"]),
    "L/14@336": clip(CLIP_SIZES["L/14"], 336),
    "H/14": clip({ ...clipSizes(HUGE, 14, 1024, 24), activation: "gelu" }),
  },
  vit: {
    "Ti/16": vit(vitSizes(TINY, 16), 224, HALF),
    "S/16": vit(vitSizes(SMALL, 16), 224, HALF),
    "B/32": vit(vitSizes(BASE, 32), 224, HALF),
    "B/16": vit(vitSizes(BASE, 16), 224, HALF),
    "L/16": vit(vitSizes(LARGE, 16), 224, HALF),
    "deit3-S/16": deit3(SMALL, 16),
    "deit3-M/16": deit3(MEDIUM, 16),
    "deit3-B/16": deit3(BASE, 16),
    "deit3-B/16@384": deit3(BASE, 16, 384),
    "deit3-L/16": deit3(LARGE, 16),
    "deit3-L/16@384": deit3(LARGE, 16, 384),
    "deit3-H/14": deit3(HUGE, 14),
    "dinov2-S/14": dinov2(SMALL),
    "dinov2-B/14": dinov2(BASE),
    "dinov2-L/14": dinov2(LARGE),
    "siglip-B/16": siglip(vitSizes(BASE, 16), 224),
    "siglip-L/16": siglip(vitSizes(LARGE, 16), 256),
    "siglip-So400m/14": siglip({ ...vitSizes([1152, 27, 16], 14), mlp_ratio: 3.7362 }, 224),
  },
  videomae: {
    "S/16": videomae(SMALL, 16),
    "B/16": videomae(BASE, 16),
    "L/16": videomae(LARGE, 16),
    "H/16": videomae(HUGE, 16),
    "g/14": videomae(GIANT, 14, 48 / 11),
  },
  uniformerv2: {
    "B/16": uniformerv2(BASE, 16, 4),
    "L/14": uniformerv2(LARGE, 14, 4),
    "L/14@336": uniformerv2(LARGE, 14, 4, { resolution: 336 }),
    "L/14@336-frozen": uniformerv2(LARGE, 14, 4, { resolution: 336, frozen: true }),
    "B/16-ssv2": uniformerv2(BASE, 16, 8, { ...SOMETHING, num_classes: 174 }),
    "L/14-ssv2": uniformerv2(LARGE, 14, 16, { ...SOMETHING, num_classes: 174 }),
  },
  xclip: withFrames("xclip"),
  ila: withFrames("ila"),
  mtv: {
    B: mtv(
      [
        [TINY, 16, 8],
        [SMALL, 16, 4],
        [BASE, 16, 2],
      ],
      [5, 11],
    ),
    L: mtv(
      [
        [TINY, 16, 16],
        [SMALL, 16, 8],
        [BASE, 16, 4],
        [LARGE, 16, 2],
      ],
      [11, 23],
    ),
    H: mtv(
      [
        [TINY, 16, 16],
        [SMALL, 16, 8],
        [BASE, 16, 4],
        [HUGE, 14, 2],
      ],
      [11, 23],
    ),
  },
}

/** @throws FourtierError that lists the names of the kind */
export function presetOf(kind: FrozenKind, name: string): Preset {
  const known = PRESETS[kind]
  if (Object.hasOwn(known, name)) return known[name]
  const hint = nearest(name, Object.keys(known))
  throw new FourtierError({
    where: "encoder.model",
    what: `no ${kind} of this size`,
    expected: Object.keys(known).join(", "),
    found: name,
    ...(hint === undefined ? {} : { fix: `did you mean ${hint}?` }),
  })
}
