/**
 * The networks over pictures and clips as frozen visual encoders: frames in, map out, the rest of the network left out.
 *
 *   frames [B,T,H,W,3] 0..255 ─ (x/255 − mean)/std ─ family's tower ─ m [B,T',N,D]
 */

import type { MapSize } from "@fourtier/core/model"
import { FRAMES } from "@fourtier/core/schemas"
import {
  constant,
  div,
  type Flops,
  FourtierError,
  input,
  multiplyAdds,
  narrow,
  reshape,
  sub,
  type Tensor,
} from "@fourtier/tensor"
import { hashFile, hashJson, requireFile } from "@fourtier/tensor/node"
import { toOnnx } from "@fourtier/tensor/onnx"
import { z } from "zod"
import { localCheckpoint } from "./checkpoint/hub.ts"
import { clipImageTower } from "./clip.ts"
import { MAP, type VisualEncoder } from "./encoder.ts"
import { type Dimensions, dimensionsSchema, netFor } from "./families.ts"
import { ilaTower } from "./ila.ts"
import { mtvMap, mtvTower } from "./mtv.ts"
import { precisionSchema } from "./precision.ts"
import { type FrozenKind, type Normalisation, presetOf } from "./presets.ts"
import { uniformerv2Tower } from "./uniformerv2.ts"
import { videomaeTower } from "./videomae.ts"
import { vitTower } from "./vit.ts"
import type { Net } from "./weight-binder.ts"
import { CHECKPOINT, checkpointSource, type OpenSource, randomSeed, randomSource } from "./weights.ts"
import { xclipTower } from "./xclip.ts"

const triple = z.tuple([z.number(), z.number(), z.number()])

const schemaOf = <K extends FrozenKind>(kind: K, model: string) =>
  z.strictObject({
    kind: z.literal(kind),
    model: z.string().default(model).describe("an official size, such as B/16, L/14, L/14@336 (docs/encoders.md)"),
    checkpoint: z.string().min(1).describe(CHECKPOINT),
    frames: z.int().positive().nullable().default(null).describe("frames of a clip, T; null: the model's"),
    resolution: z.int().positive().nullable().default(null).describe("pixels; null: the model's"),
    mean: triple.nullable().default(null).describe("of RGB on the scale 0 to 1; null: the model's"),
    std: triple.nullable().default(null),
    sizes: z.record(z.string(), z.json()).default({}).describe("sizes that differ from the model's"),
    precision: precisionSchema,
  })

/** One schema a kind: alternatives of the encoder's setting. */
export const frozenEncoderSchemas = [
  schemaOf("clip", "B/16"),
  schemaOf("vit", "B/16"),
  schemaOf("videomae", "B/16"),
  schemaOf("uniformerv2", "B/16"),
  schemaOf("xclip", "B/16"),
  schemaOf("ila", "B/16"),
  schemaOf("mtv", "B"),
] as const

export const frozenEncoderSchema = z.discriminatedUnion("kind", frozenEncoderSchemas)

export type FrozenEncoderConfig = z.infer<typeof frozenEncoderSchema>

/** How a family's configuration calls frames and resolution. */
function sizeKeys(kind: FrozenKind, frames: number, resolution: number): Record<string, number> {
  switch (kind) {
    case "clip":
      return { image_resolution: resolution }
    case "vit":
      return { img_size: resolution }
    case "videomae":
      return { img_size: resolution, all_frames: frames }
    case "uniformerv2":
      return { input_resolution: resolution, t_size: frames }
    case "xclip":
    case "ila":
      return { image_resolution: resolution, T: frames }
    case "mtv":
      return { resolution, T: frames }
  }
}

/** What is known of an encoder before its weights are read. */
interface Plan {
  dimensions: Dimensions
  frames: number
  resolution: number
  normalisation: Normalisation
}

function planOf({ kind, model, frames, resolution, mean, std, sizes }: FrozenEncoderConfig): Plan {
  const preset = presetOf(kind, model)
  const T = frames ?? preset.frames
  const pixels = resolution ?? preset.resolution
  const known = new Set(Object.keys(sizes))
  for (const key of Object.keys(sizeKeys(kind, T, pixels))) {
    if (!known.has(key)) continue
    throw new FourtierError({ where: `encoder.sizes.${key}`, what: "set frames and resolution of the encoder instead" })
  }
  const parsed = dimensionsSchema.safeParse({ ...preset.sizes, ...sizes, ...sizeKeys(kind, T, pixels) })
  if (!parsed.success) {
    throw new FourtierError({
      where: "encoder.sizes",
      what: `not the sizes of a ${kind}`,
      found: parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; "),
    })
  }
  const normalisation = { mean: mean ?? preset.normalisation.mean, std: std ?? preset.normalisation.std }
  return { dimensions: parsed.data, frames: T, resolution: pixels, normalisation }
}

/** The map of normalised clips [B,T,H,W,3]: m [B,T',H',W',D]; what it does not need is left out of the network. */
function featureMap(net: Net, dimensions: Dimensions, clips: Tensor): Tensor {
  const [B, T, ...pixels] = clips.shape
  const images = reshape(clips, [B * T, 1, ...pixels])
  const square = (tokens: Tensor, time: number) => {
    const width = tokens.shape[tokens.rank - 1]
    const grid = Math.round(Math.sqrt(tokens.size / (B * time * width)))
    return reshape(tokens, [B, time, grid, grid, width])
  }
  const patchesOf = (tokens: Tensor) => narrow(tokens, 1, 1, tokens.shape[1])
  switch (dimensions.encoder) {
    case "clip":
      net.skip((name) => !name.startsWith("visual.") || name === "visual.proj")
      return square(patchesOf(clipImageTower(net.in("visual"), dimensions, images).tokens), T)
    case "vit_timm":
    case "deit3_timm":
      net.skip((name) => /^(?:head|fc_norm|attn_pool)\./.test(name))
      return square(vitTower(net, dimensions, images).map, T)
    case "videomae": {
      net.skip((name) => /^(?:head|fc_norm)\./.test(name))
      const { tokens, time } = videomaeTower(net, dimensions, clips)
      return square(tokens, time)
    }
    case "uniformerv2":
    case "uniformerv2_k400":
    case "uniformerv2_ssv2": {
      const { steps, time } = uniformerv2Tower(net, dimensions, clips, false)
      return square(patchesOf(steps[steps.length - 1]), time)
    }
    case "xclip":
    case "ila":
    case "ila_ssv2": {
      net.skip((name) => !name.startsWith("visual.") || /^visual\.(?:proj$|ln_post\.)/.test(name))
      const visual = net.in("visual")
      const { steps } =
        dimensions.encoder === "xclip" ? xclipTower(visual, dimensions, images) : ilaTower(visual, dimensions, images)
      return square(patchesOf(steps[steps.length - 1]), T)
    }
    case "mtv": {
      net.skip((name) => /^(?:global_encoder|cls_global|output_projection)/.test(name))
      const map = mtvMap(dimensions, mtvTower(net, dimensions, clips))
      return square(map, map.shape[1])
    }
    case "videoclip_bert":
      throw new FourtierError({ where: "encoder.sizes.encoder", what: "videoclip_bert takes no pictures" })
  }
}

function normalise(frames: Tensor, { mean, std }: Normalisation): Tensor {
  const vector = (values: readonly number[]) =>
    constant(
      Float32Array.from(values, (value) => value * 255),
      [3],
    )
  return div(sub(frames, vector(mean)), vector(std))
}

/** Opens the encoder in float32. Weights are read when its graph is asked for; a missing file is an error at once. */
export async function openFrozenEncoder(config: FrozenEncoderConfig): Promise<VisualEncoder> {
  const plan = planOf(config)
  const { dimensions, frames, resolution, normalisation } = plan
  const seed = randomSeed(config.checkpoint)
  const path =
    seed === null
      ? await requireFile(await localCheckpoint(config.checkpoint), `mend encoder.checkpoint: ${CHECKPOINT}`)
      : null
  const open = async (): Promise<OpenSource> =>
    path === null ? randomSource(seed ?? "0") : checkpointSource(path, dimensions)
  const build = (names: ReadonlySet<string> | null, batch: number) => {
    const net = netFor(dimensions, names)
    const clips = input(FRAMES, [batch, frames, resolution, resolution, 3])
    return { net, map: featureMap(net, dimensions, normalise(clips, normalisation)) }
  }
  const [, T, H, W, D] = build(null, 1).map.shape
  const size: MapSize = { T, H, W, D }
  return {
    name: `${config.kind} ${config.model}${seed === null ? "" : " (random weights)"}`,
    id: hashJson({ weights: path === null ? `random ${seed}` : await hashFile(path), ...plan }),
    frames,
    resolution: [resolution, resolution],
    size,
    async model(batch) {
      const source = await open()
      try {
        const { net, map } = build(source.shapes && new Set(source.shapes.keys()), batch)
        const weights = await net.load(source)
        return toOnnx({ outputs: { [MAP]: reshape(map, [batch, T, H * W, D]) }, weights })
      } finally {
        await source.close()
      }
    },
    async flops(): Promise<Flops> {
      const { net, map } = build(null, 1)
      return { part: "encoder", weights: net.weightCount, macs: multiplyAdds([map]) }
    },
  }
}
