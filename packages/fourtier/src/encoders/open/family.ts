/**
 * Opens a family's network as frozen visual encoder: frames in, map out, the rest of the network left out.
 *
 *   frames [B,T,H,W,3] 0..255 ─ (x/255 − mean)/std ─ the family's feature map ─ m [B,T',N,D]
 */

import type { MapSize } from "@fourtier/core/model"
import { FRAMES } from "@fourtier/core/schemas"
import { type Flops, FourtierError, input, multiplyAdds, reshape } from "@fourtier/tensor"
import { hashJson } from "@fourtier/tensor/node"
import { toOnnx } from "@fourtier/tensor/onnx"
import { findWeights } from "../checkpoint/source.ts"
import { MAP, type VisualEncoder } from "../encoder.ts"
import type { VisualFamily, VisualNetwork } from "../family.ts"
import { normalise } from "../graph.ts"
import { type Normalisation, presetOf } from "../presets.ts"
import { scaledMap, scaleIdentity } from "../scale.ts"
import type { FamilySettings } from "../settings/family.ts"

/** What is known of an encoder before its weights are read. */
interface Plan {
  network: VisualNetwork
  frames: number
  resolution: number
  normalisation: Normalisation
}

function planOf(family: VisualFamily, { model, frames, resolution, mean, std, sizes }: FamilySettings): Plan {
  const preset = presetOf(family, model)
  const T = frames ?? preset.frames
  const pixels = resolution ?? preset.resolution
  const clipDimensions = family.clipDimensions(T, pixels)
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
  return { network: parsed.data, frames: T, resolution: pixels, normalisation }
}

/** Opens the encoder in float32. Weights are read when its graph is asked for; a missing file is an error at once. */
export async function openFamily(family: VisualFamily, settings: FamilySettings): Promise<VisualEncoder> {
  const { network, frames, resolution, normalisation } = planOf(family, settings)
  const weights = await findWeights(settings.checkpoint, "encoder.checkpoint", settings, network.sections)
  const build = (names: ReadonlySet<string> | null, batch: number) => {
    const binder = network.binder(names)
    const clips = input(FRAMES, [batch, frames, resolution, resolution, 3])
    return { binder, map: scaledMap(network.featureMap(binder, normalise(clips, normalisation)), settings.scale) }
  }
  const [, T, H, W, D] = build(null, 1).map.shape
  const size: MapSize = { T, H, W, D }
  const { dimensions } = network
  const scale = scaleIdentity(settings.scale)
  return {
    name: `${settings.kind} ${settings.model}${weights.seed === null ? "" : " (random weights)"}`,
    id: hashJson({ weights: await weights.identity(), dimensions, frames, resolution, normalisation, ...scale }),
    notes: weights.notes,
    frames,
    resolution: [resolution, resolution],
    size,
    async model(batch) {
      const source = await weights.open(network)
      try {
        const { binder, map } = build(source.shapes && new Set(source.shapes.keys()), batch)
        const values = await binder.load(source)
        return toOnnx({ outputs: { [MAP]: reshape(map, [batch, T, H * W, D]) }, weights: values })
      } finally {
        await source.close()
      }
    },
    async flops(): Promise<Flops> {
      const { binder, map } = build(null, 1)
      return { part: "encoder", weights: binder.weightCount, macs: multiplyAdds([map]) }
    },
  }
}
