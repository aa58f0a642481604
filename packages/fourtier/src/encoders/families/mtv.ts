/**
 * Multiview Transformers (Yan et al. 2022): the clip cut into tubelets of several lengths, one transformer a view, views joined
 * by cross attention. https://github.com/google-research/scenic, scenic/projects/mtv/model.py. Names are the paths of Flax
 * parameters joined by "/"; docs/encoders.md says how to convert the released files.
 *
 *   clip ─┬─ tubelets of view 0 (the longest) ─ + class token a step, positions ─┐
 *         └─ ... of view n (the shortest) ─────────────────────────────────────── encoder: views side by side, each over the
 *            steps of one step of the longest view; in fusion layers view i−1 attends to view i first
 *   class tokens of all views ─ tiled to the most steps, channels joined ─ global encoder ─ pooled ─ head ─ logits
 */

import {
  add,
  concat,
  expand,
  FourtierError,
  matmul,
  max,
  mean,
  narrow,
  reshape,
  sum,
  type Tensor,
} from "@fourtier/tensor"
import { z } from "zod"
import { defineFamily } from "../family.ts"
import { type FlaxSettings, flaxAttention, flaxBlock, flaxDense, flaxMlp, flaxNorm } from "../flax.ts"
import {
  activation,
  checkInput,
  count,
  type EncoderGraph,
  type Inputs,
  inputNamed,
  RESIZE_FIX,
  VIT_EPSILON,
} from "../graph.ts"
import { gridOf, patches, squareMap } from "../patches.ts"
import { gridTable } from "../positions.ts"
import { BASE, HALF, HUGE, LARGE, type Preset, SMALL, TINY, type TransformerSize } from "../presets.ts"
import type { WeightBinder } from "../weight-binder.ts"

const viewSchema = z.object({
  width: count,
  heads: count,
  mlp: count,
  layers: count,
  /** Rows, columns and frames of a tubelet. */
  tubelet_h_w_t: z.tuple([count, count, count]),
})

/** `cross_view_attention`, and `ascending` and `key config` where they hold; null or none: no fusion of views. */
const fusion = z
  .string()
  .nullable()
  .transform((text, context) => {
    if (text === null || /^none/i.test(text)) return null
    if (!/^cross_view_attention/i.test(text)) {
      context.addIssue({ code: "custom", message: "expected cross_view_attention or none" })
      return z.NEVER
    }
    return { descending: !/ascending/i.test(text), queryConfig: !/key/i.test(text) }
  })

const dimensions = z.object({
  encoder: z.literal("mtv"),
  /** Frames of a clip. */
  T: count,
  resolution: count,
  views: z.array(viewSchema).min(1),
  fusion_layers: z.array(z.int().nonnegative()),
  cross_view_fusion: fusion,
  global_encoder: z.object({
    width: count,
    heads: count,
    mlp: count,
    layers: count,
    merge_axis: z.enum(["channel", "time"]).default("channel"),
  }),
  classifier: z.enum(["token", "gap", "gmp", "gsp"]).default("token"),
  num_classes: count,
  activation: activation.default("gelu_tanh"),
  layer_norm_eps: z.number().positive().default(VIT_EPSILON),
})

type MtvConfig = z.infer<typeof dimensions>
type View = z.infer<typeof viewSchema>

/** One layer of all views with cross attention between neighbours. Views beyond their last layer only exchange tokens. */
function fusionBlock(
  binder: WeightBinder,
  views: readonly Tensor[],
  layer: number,
  config: MtvConfig,
  settings: FlaxSettings,
): Tensor[] {
  const { activation, epsilon } = settings
  const { descending = true, queryConfig = true } = config.cross_view_fusion ?? {}
  const normed = views.map((x, i) => flaxNorm(binder.in(`cross_attention_ln_view${i}`), x, epsilon))
  const tokens = [...views]
  const last = views.length - 1
  for (let step = 0; step < last; step++) {
    const from = descending ? last - step : step
    const to = descending ? from - 1 : from + 1
    const owner = queryConfig ? to : from
    const attention = binder.in(`cross_attention_view${to}_${from}`)
    const { heads, width } = config.views[owner]
    tokens[to] = add(tokens[to], flaxAttention(attention, normed[to], normed[from], heads, width))
  }
  return tokens.map((x, i) => {
    const view = config.views[i]
    if (layer >= view.layers) return x
    const normed = flaxNorm(binder.in(`msa_ln_view${i}`), x, epsilon)
    const attended = add(x, flaxAttention(binder.in(`msa_view${i}`), normed, normed, view.heads, view.width))
    const mlp = flaxMlp(
      binder.in(`mlp_view${i}`),
      flaxNorm(binder.in(`mlp_ln_view${i}`), attended, epsilon),
      view.mlp,
      activation,
    )
    return add(attended, mlp)
  })
}

/** The number of steps of a view. */
function stepsOf({ T }: Pick<MtvConfig, "T">, { tubelet_h_w_t: [, , t] }: View): number {
  return gridOf("T", T, t)
}

const gridsOf = (config: MtvConfig, { tubelet_h_w_t: [h, w] }: View) => [
  gridOf("resolution", config.resolution, h),
  gridOf("resolution", config.resolution, w),
]

interface MtvTower {
  /** Tubelets of each view [B,t,N,C]. */
  embedded: Tensor[]
  /** After the multiview encoder, class token first where there is one [B,t,(1+)N,C]. */
  views: Tensor[]
}

/** @param clips [B,T,H,W,3], normalised */
function mtvTower(binder: WeightBinder, config: MtvConfig, clips: Tensor): MtvTower {
  const { views, classifier, fusion_layers } = config
  const settings = { activation: config.activation, epsilon: config.layer_norm_eps }
  const [B] = clips.shape
  const embedded = views.map((view, i) => {
    const [h, w, t] = view.tubelet_h_w_t
    const pixels = patches(clips, [t, h, w])
    const embedding = binder.in(`embedding_view${i}`)
    const weight = embedding.derive(
      "kernel",
      [{ name: "kernel", shape: [t, h, w, 3, view.width] }],
      [pixels.shape[3], view.width],
      (values) => values,
    )
    return add(matmul(pixels, weight), embedding.weight("bias", [view.width]))
  })
  const steps = views.map((view) => stepsOf(config, view))
  const aligned = Math.min(...steps)
  if (steps.some((n) => n % aligned !== 0)) {
    throw new FourtierError({
      where: "views",
      what: "the views' numbers of steps are not multiples of the smallest one",
      found: steps.join(", "),
    })
  }
  const encoder = binder.in("MultiviewEncoder")
  const extra = classifier === "token" ? 1 : 0
  let tokens = embedded.map((x, i) => {
    const [, time, N, width] = x.shape
    const token = () => expand(binder.weight(`cls_view${i}`, [1, time, 1, width]), [B, time, 1, width])
    const all = extra === 1 ? concat([token(), x], 2) : x
    const [rows, columns] = gridsOf(config, views[i])
    const table = encoder.weight(
      `posembed_input_view${i}/pos_embedding`,
      [1, extra + N, width],
      gridTable({ extra, time: 1, rows, columns, width, interpolation: "linear" }),
    )
    return reshape(add(all, table), [B * aligned, (time / aligned) * (extra + N), width])
  })
  for (let layer = 0; layer < Math.max(...views.map(({ layers }) => layers)); layer++) {
    tokens =
      config.cross_view_fusion && fusion_layers.includes(layer)
        ? fusionBlock(encoder.in(`cross_view_encoderblock_${layer}`), tokens, layer, config, settings)
        : tokens.map((x, i) =>
            layer < views[i].layers
              ? flaxBlock(encoder.in(`encoderblock_${layer}_view${i}`), x, views[i], settings)
              : x,
          )
  }
  const apart = tokens.map((x, i) => reshape(x, [B, steps[i], -1, views[i].width]))
  return { embedded, views: apart }
}

/** Pools tokens on `axis`, as the classifier says: the first one, or the mean, maximum or sum of all. */
function pooledTokens(x: Tensor, axis: number, classifier: MtvConfig["classifier"]): Tensor {
  switch (classifier) {
    case "token":
      return reshape(
        narrow(x, axis, 0, 1),
        x.shape.filter((_, at) => at !== axis),
      )
    case "gap":
      return mean(x, axis)
    case "gmp":
      return max(x, axis)
    case "gsp":
      return sum(x, axis)
  }
}

/** The steps of all views as one sequence [B,T',W], with the global class token in front where there is one. */
function mergedViews(binder: WeightBinder, views: readonly Tensor[], config: MtvConfig): Tensor {
  const { width, merge_axis } = config.global_encoder
  const pooled = views.map((x) => pooledTokens(x, 2, config.classifier)) // [B,t,C]
  const most = Math.max(...pooled.map(({ shape }) => shape[1]))
  const tiled = (x: Tensor) => concat(new Array<Tensor>(most / x.shape[1]).fill(x), 1)
  const merged =
    merge_axis === "channel"
      ? concat(pooled.map(tiled), 2)
      : concat(
          pooled.map((x, i) => flaxDense(binder.in(`global_encoder_linear_view${i}`), x, width)),
          1,
        )
  if (merged.shape[2] !== width) {
    throw new FourtierError({
      where: "global_encoder.width",
      what: "is not the sum of the views' widths",
      expected: `${merged.shape[2]}`,
      found: `${width}`,
    })
  }
  if (config.classifier !== "token") return merged
  return concat([expand(binder.weight("cls_global", [1, 1, width]), [merged.shape[0], 1, width]), merged], 1)
}

/** The merged views through the global encoder: [B,L,W] */
function globalEncoder(
  binder: WeightBinder,
  x: Tensor,
  { global_encoder, activation, layer_norm_eps: epsilon }: MtvConfig,
): Tensor {
  const [, length, width] = x.shape
  let y = add(x, binder.weight("posembed_input/pos_embedding", [1, length, width]))
  for (let i = 0; i < global_encoder.layers; i++) {
    y = flaxBlock(binder.in(`encoderblock_${i}`), y, global_encoder, { activation, epsilon })
  }
  return flaxNorm(binder.in("encoder_norm"), y, epsilon)
}

function mtvGraph(binder: WeightBinder, config: MtvConfig, inputs: Inputs): EncoderGraph {
  const axes = "batch,time,height,width,3"
  const clips = inputNamed(inputs, "input", axes)
  checkInput("input", clips, [-1, config.T, config.resolution, config.resolution, 3], axes, RESIZE_FIX)
  const { embedded, views } = mtvTower(binder, config, clips)
  const outputs: EncoderGraph["outputs"] = {}
  const intermediates: EncoderGraph["intermediates"] = {}
  for (const [i, x] of views.entries()) {
    const [B, time, , width] = x.shape
    const map = [B, time, ...gridsOf(config, config.views[i]), width]
    const extra = config.classifier === "token" ? 1 : 0
    outputs[`feature_map_view${i}`] = reshape(narrow(x, 2, extra, x.shape[2]), map)
    if (extra === 1) outputs[`class_tokens_view${i}`] = reshape(narrow(x, 2, 0, 1), [B, time, width])
    intermediates[`tubelet_embedding_view${i}`] = reshape(embedded[i], map)
  }
  outputs.global_tokens = globalEncoder(binder.in("global_encoder"), mergedViews(binder, views, config), config)
  outputs.pooled = pooledTokens(outputs.global_tokens, 1, config.classifier)
  if (binder.has("output_projection/kernel")) {
    outputs.logits = flaxDense(binder.in("output_projection"), outputs.pooled, config.num_classes)
  }
  return { outputs, intermediates }
}

/**
 * The maps of the views side by side [B,T',N,ΣC]: steps of the longer tubelets repeated over their time. Views of another grid
 * than the last one's are left out.
 */
function mtvMap({ classifier }: Pick<MtvConfig, "classifier">, { views }: MtvTower): Tensor {
  const most = Math.max(...views.map(({ shape }) => shape[1]))
  const extra = classifier === "token" ? 1 : 0
  const length = views[views.length - 1].shape[2]
  const maps = views
    .filter(({ shape }) => shape[2] === length)
    .map((x) => {
      const [B, time, , width] = x.shape
      const map = reshape(narrow(x, 2, extra, length), [B, time, 1, length - extra, width])
      const repeated = expand(map, [B, time, most / time, length - extra, width])
      return reshape(repeated, [B, most, length - extra, width])
    })
  return concat(maps, 3)
}

/** @param views from the longest tubelets to the shortest */
function preset(
  views: readonly (readonly [TransformerSize, patch: number, frames: number])[],
  fusionLayers: number[],
): Preset {
  const width = views.reduce((sum, [[own]]) => sum + own, 0)
  const dimensions = {
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
  return { dimensions, resolution: 224, frames: 32, normalisation: HALF }
}

export const mtv = defineFamily({
  dimensions,
  inputs: () => ["input"],
  // checkpoints may have everything below params/
  parameterName: (key) => key.replace(/^params\//, ""),
  separator: "/",
  graph: mtvGraph,
  visual: {
    kind: "mtv",
    models: {
      B: preset(
        [
          [TINY, 16, 8],
          [SMALL, 16, 4],
          [BASE, 16, 2],
        ],
        [5, 11],
      ),
      L: preset(
        [
          [TINY, 16, 16],
          [SMALL, 16, 8],
          [BASE, 16, 4],
          [LARGE, 16, 2],
        ],
        [11, 23],
      ),
      H: preset(
        [
          [TINY, 16, 16],
          [SMALL, 16, 8],
          [BASE, 16, 4],
          [HUGE, 14, 2],
        ],
        [11, 23],
      ),
    },
    defaultModel: "B",
    clipKeys: { resolution: "resolution", frames: "T" },
    unused: (name) => /^(?:global_encoder|cls_global|output_projection)/.test(name),
    featureMap(binder, config, clips) {
      const map = mtvMap(config, mtvTower(binder, config, clips))
      return squareMap(map, map.shape[0], map.shape[1])
    },
  },
})
