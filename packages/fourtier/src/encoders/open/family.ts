/**
 * Opens a family's network as frozen visual encoder: frames in, map out, the rest of the network left out.
 *
 *   frames [B,T,H,W,3] 0..255 ─ (x/255 − mean)/std ─ the family's feature map ─ m [B,T',N,D]
 */

import type { MapSize } from "@fourtier/core/model"
import { FRAMES } from "@fourtier/core/schemas"
import { type Flops, FourtierError, input, multiplyAdds, reshape, type Tensor } from "@fourtier/tensor"
import { hashJson } from "@fourtier/tensor/node"
import { toOnnx } from "@fourtier/tensor/onnx"
import { findWeights, type Weights } from "../checkpoint/source.ts"
import { MAP, ROWS, type VisualEncoder } from "../encoder.ts"
import type { VisualFamily, VisualNetwork } from "../family.ts"
import { normalise } from "../graph.ts"
import { jointSpace } from "../joint.ts"
import { type Normalisation, presetOf } from "../presets.ts"
import { compileLarge } from "../run.ts"
import { scaledMap, scaleIdentity } from "../scale.ts"
import type { FamilySettings } from "../settings/family.ts"
import type { WeightBinder } from "../weight-binder.ts"

/** What is known of an encoder before its weights are read. */
interface Plan {
  network: VisualNetwork
  frames: number
  /** Height and width, pixels. */
  resolution: readonly [number, number]
  normalisation: Normalisation
  /** Whether frames are seen one by one. */
  frameWise: boolean
}

function planOf(family: VisualFamily, { model, frames, resolution, mean, std, sizes }: FamilySettings): Plan {
  const preset = presetOf(family, model)
  const T = frames ?? preset.frames
  const [height, width] = typeof resolution === "number" ? [resolution, resolution] : (resolution ?? [])
  const pixels = [height ?? preset.resolution, width ?? preset.resolution] as const
  const square = pixels[0] === pixels[1]
  if (!square && !family.anyShape) {
    throw new FourtierError({
      where: "encoder.resolution",
      what: `${family.kind} takes squares`,
      expected: "one number of pixels",
      found: `${pixels.join("×")}`,
      fix: "docs/encoders.md names those that take other frames",
    })
  }
  // tables of positions are the model's own, and follow the frames' shape
  const clipDimensions = family.clipDimensions(T, square ? pixels[0] : preset.resolution)
  for (const key of Object.keys(clipDimensions)) {
    if (!Object.hasOwn(sizes, key)) continue
    throw new FourtierError({ where: `encoder.sizes.${key}`, what: "set frames and resolution of the encoder instead" })
  }
  const parsed = family.schema.safeParse({ ...preset.dimensions, ...sizes, ...clipDimensions })
  if (!parsed.success) {
    throw new FourtierError({
      where: "encoder.sizes",
      what: `not the sizes of a ${family.kind}`,
      found: parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; "),
    })
  }
  const normalisation = { mean: mean ?? preset.normalisation.mean, std: std ?? preset.normalisation.std }
  return { network: parsed.data, frames: T, resolution: pixels, normalisation, frameWise: family.frameWise }
}

/** From normalised clips [B,T,H,W,3] to a map [B,T',H',W',D]. */
type Read = (network: VisualNetwork, binder: WeightBinder, clips: Tensor) => Tensor

/** Opens the encoder in float32. Weights are read when its graph is asked for; a missing file is an error at once. */
export async function openFamily(family: VisualFamily, settings: FamilySettings): Promise<VisualEncoder> {
  const plan = planOf(family, settings)
  const { network, frames, resolution, normalisation } = plan
  const weights = await findWeights(settings.checkpoint, "encoder.checkpoint", settings, network.sections)
  const identity = await weights.identity()
  const [height, width] = resolution
  const shape = height === width ? height : resolution
  const key = { weights: identity, dimensions: network.dimensions, frames, resolution: shape, normalisation }
  const name = `${settings.kind} ${settings.model}${weights.seed === null ? "" : " (random weights)"}`
  const id = hashJson({ ...key, ...scaleIdentity(settings.scale) })
  const encoder = encoderOf(plan, weights, { name, id }, (own, binder, clips) =>
    scaledMap(own.featureMap(binder, clips), settings.scale),
  )
  const { joint } = network
  if (!joint) return encoder
  const rows = encoderOf(plan, weights, { name, id: hashJson({ ...key, joint: joint.tower }) }, (_, binder, clips) => {
    const found = joint.rows(binder, clips) // [B,R,E]
    const [B, R, E] = found.shape
    return reshape(found, [B, 1, 1, R, E])
  })
  const { W: R, D: embedding } = rows.size
  return {
    ...encoder,
    joint: {
      tower: joint.tower,
      space: jointSpace(joint.tower, identity),
      width: embedding,
      encoder: rows,
      logits: (clips, texts) => jointLogits(plan.network, weights, [R, embedding], clips, texts),
    },
  }
}

/** The encoder whose map is what `read` makes of clips. */
function encoderOf(
  { network, frames, resolution, normalisation, frameWise }: Plan,
  weights: Weights,
  { name, id }: { name: string; id: string },
  read: Read,
): VisualEncoder {
  const build = (names: ReadonlySet<string> | null, batch: number, time = frames) => {
    const binder = network.binder(names)
    const clips = input(FRAMES, [batch, time, ...resolution, 3])
    return { binder, map: read(network, binder, normalise(clips, normalisation)) }
  }
  const [, T, H, W, D] = build(null, 1).map.shape
  const { whole } = network
  const size: MapSize = { T, H, W, D }
  const modelOf = async (batch: number, time: number, name: string, shape: readonly number[]) => {
    const source = await weights.open(network)
    try {
      const { binder, map } = build(source.shapes && new Set(source.shapes.keys()), batch, time)
      const values = await binder.load(source)
      return toOnnx({ outputs: { [name]: reshape(map, shape) }, weights: values })
    } finally {
      await source.close()
    }
  }
  return {
    name,
    id,
    notes: weights.notes,
    frames,
    resolution,
    size,
    model: (batch) => modelOf(batch, frames, MAP, [batch, T, H * W, D]),
    ...(frameWise && T === frames
      ? {
          frameWise: {
            rows: { N: H * W, D },
            model: () => modelOf(1, 1, ROWS, [1, H * W, D]),
            toMap: (rows: Tensor) => rows,
          },
        }
      : {}),
    async flops(): Promise<Flops> {
      const { binder, map } = build(null, 1)
      return { part: "encoder", weights: binder.weightCount, macs: multiplyAdds([map]) }
    },
    ...(whole && {
      async whole(): Promise<Flops> {
        const binder = network.binder(null)
        const clips = input(FRAMES, [1, frames, ...resolution, 3])
        const vector = whole(binder, normalise(clips, normalisation))
        return { part: "encoder, whole", weights: binder.weightCount, macs: multiplyAdds([vector]) }
      },
    }),
  }
}

/** See `JointSpace.logits`. */
async function jointLogits(
  { joint, binder: binderOver, parameterName, sections }: VisualNetwork,
  weights: Weights,
  [R, E]: readonly [number, number],
  clips: readonly Float32Array[],
  texts: readonly Float32Array[],
): Promise<Float32Array[]> {
  if (!joint) throw new Error("internal error: logits of a network without a text tower")
  const source = await weights.open({ parameterName, sections })
  try {
    const binder = binderOver(source.shapes && new Set(source.shapes.keys()))
    const logits = joint.logits(binder, input("rows", [1, R, E]), input("texts", [texts.length, E]))
    const session = await compileLarge({ logits }, await binder.load(source))
    try {
      const flat = new Float32Array(texts.length * E)
      for (const [c, text] of texts.entries()) flat.set(text, c * E)
      const found: Float32Array[] = []
      for (const rows of clips) {
        found.push(Float32Array.from((await session.run({ rows, texts: flat })).logits, Number))
      }
      return found
    } finally {
      await session.release()
    }
  } finally {
    await source.close()
  }
}
