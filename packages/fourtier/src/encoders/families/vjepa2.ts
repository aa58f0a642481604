/**
 * V-JEPA 2 (Assran et al. 2025, arXiv 2506.09985). https://github.com/facebookresearch/vjepa2, src/models/vision_transformer.py,
 * src/models/attentive_pooler.py.
 *
 *   clip ─ tubelets of 2 frames ─ depth × block ─ norm ─┬─ feature_map [B,T/2,H/16,W/16,C]
 *                                                       └─ attentive probe of 4 blocks ─ probe_pooled ─ logits
 */

import type { Tensor } from "@fourtier/tensor"
import { z } from "zod"
import { norm } from "../blocks.ts"
import { defineFamily } from "../family.ts"
import { type EncoderGraph, type Inputs, inputNamed } from "../graph.ts"
import { HUGE, LARGE } from "../presets.ts"
import type { WeightBinder } from "../weight-binder.ts"
import {
  blocksByName,
  CLIP_AXES,
  checkLevels,
  clipsOf,
  type Embedded,
  embedTubelets,
  encodeTokens,
  GIANT_22,
  maskOf,
  onGrid,
  otherMaps,
  stackLevels,
  VJEPA_INPUTS,
  type VjepaConfig,
  vjepaEpsilon,
  vjepaPreset,
  vjepaRope,
  vjepaSizes,
} from "./vjepa.ts"
import { VJEPA_SECTIONS, vjepaName } from "./vjepa-names.ts"
import { hasProbe, probeOf } from "./vjepa-probe.ts"

const dimensions = z
  .object({
    encoder: z.literal("vjepa2"),
    ...vjepaSizes,
    ...vjepaRope("tiled", false),
    layer_norm_eps: vjepaEpsilon,
    /** Another name of `layer_norm_eps`. */
    encoder_layer_norm_eps: z.number().positive().nullable().default(null),
  })
  .transform(({ encoder_layer_norm_eps, layer_norm_eps, ...others }) => ({
    ...others,
    layer_norm_eps: encoder_layer_norm_eps ?? layer_norm_eps,
  }))
  .superRefine(checkLevels)

const embed = (binder: WeightBinder, config: VjepaConfig, clips: Tensor): Embedded =>
  embedTubelets(binder, config, clips, { name: "patch_embed", frames: config.tubelet_size })

/** The one norm after the last block, which goes over every level. */
const finish = (binder: WeightBinder, config: VjepaConfig, x: Tensor) => norm(binder, "norm", x, config.layer_norm_eps)

function featureMap(binder: WeightBinder, config: VjepaConfig, clips: Tensor): Tensor {
  const { states, grid } = encodeTokens(binder, config, embed(binder, config, clips))
  return onGrid(finish(binder, config, states[states.length - 1]), grid)
}

function vjepa2Graph(binder: WeightBinder, config: VjepaConfig, inputs: Inputs): EncoderGraph {
  const outputs = otherMaps(inputs, (clips) => featureMap(binder, config, clips))
  const graph: EncoderGraph = { outputs, intermediates: {} }
  const [clips, second] = ["input", "input_clip2"].map((name) => clipsOf(inputs, name))
  const mask = maskOf(inputs)
  if (clips || mask || second || Object.keys(outputs).length === 0) {
    addClip(graph, binder, config, clips ?? inputNamed(inputs, "input", CLIP_AXES), { mask, second })
  }
  return graph
}

/** @param parts kept tokens [B,K], and a second clip of the same videos [B,T,H,W,3] */
function addClip(
  { outputs, intermediates }: EncoderGraph,
  binder: WeightBinder,
  config: VjepaConfig,
  clips: Tensor,
  { mask, second }: { mask: Tensor | null; second: Tensor | null },
): void {
  const embedded = embed(binder, config, clips)
  const { states, turned, grid } = encodeTokens(binder, config, embedded)
  const last = states.length - 1
  outputs.feature_map = onGrid(finish(binder, config, states[last]), grid)
  outputs.feature_map_before_norm = onGrid(states[last], grid)
  const level = (i: number) => finish(binder, config, states[i])
  if (config.out_layers) outputs.level_features = stackLevels(config.out_layers.map((i) => onGrid(level(i), grid)))
  if (mask) {
    const { states: kept } = encodeTokens(binder, config, embedded, mask)
    outputs.masked_tokens = finish(binder, config, kept[last])
  }
  Object.assign(intermediates, {
    patch_embedding: embedded.tokens,
    ...blocksByName(states),
    block_0_query_rotated: turned.query,
    block_0_key_rotated: turned.key,
  })
  if (!hasProbe(binder, config)) return
  const probe = probeOf(binder, config)
  const read = (of: readonly Tensor[]) => (config.probe_levels ?? [last]).map((i) => finish(binder, config, of[i]))
  const { hidden, pooled, logits } = probe(read(states))
  Object.assign(intermediates, blocksByName(hidden, "probe_"))
  Object.assign(outputs, { probe_pooled: pooled, logits })
  if (second) {
    const other = encodeTokens(binder, config, embed(binder, config, second))
    outputs.logits_two_clips = probe([...read(states), ...read(other.states)]).logits
  }
}

export const vjepa2 = defineFamily({
  dimensions,
  inputs: () => [...VJEPA_INPUTS, "input_clip2"],
  parameterName: vjepaName,
  sections: VJEPA_SECTIONS,
  graph: vjepa2Graph,
  visual: {
    kind: "vjepa2",
    models: {
      "L/16": vjepaPreset("vjepa2", LARGE, 256),
      "H/16": vjepaPreset("vjepa2", HUGE, 256),
      "g/16": vjepaPreset("vjepa2", GIANT_22, 256, 48 / 11),
      "g/16@384": vjepaPreset("vjepa2", GIANT_22, 384, 48 / 11),
    },
    defaultModel: "L/16",
    clipKeys: { resolution: "img_size", frames: "num_frames" },
    anyShape: true,
    unused: (name) => name.startsWith("probe."),
    featureMap,
  },
})
