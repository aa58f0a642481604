/** What stage 1 learns from where answers are about single people: the mean of the map over each person's region and over time. */

import { cast, input, mean, reshape, Session, transpose } from "@fourtier/tensor"
import { type Corners, heldBox } from "../frames/boxes.ts"
import { type MapSize, placesOf } from "../model/map.ts"
import { regionCells } from "../model/regions.ts"
import { type Example, type FeatureSet, readBatch } from "./features.ts"

/** Boxes of one run. */
const BOXES = 8

/** People of a clip's key frame. */
export interface Peopled extends Example {
  /** Shares of the picture that the clip's map is of. */
  boxes: readonly Corners[]
}

/**
 * Means over the 7×7 cells of each box of the map's own mean over time (of its first view): [boxes][D] for each example. Processors that
 * share their weights over places are linear: what they say of such a mean is the mean of what they say of its places, which is what
 * RoIAlign finds in the fused map at this box.
 * @throws FourtierError that names the clip of a box that holds nothing of the picture
 *
 * @example
 * ```ts
 * import { MemoryFeatures, regionMeans } from "@fourtier/core/train"
 *
 * const source = new MemoryFeatures("camera", { T: 8, N: 48, D: 64 })
 * source.add({ clip: "a", view: 0 }, new Float32Array(8 * 48 * 64).fill(1))
 * const examples = [{ id: "a", hash: "a", views: [0], boxes: [[0, 0, 0.5, 1] as const] }]
 * await regionMeans({ source, examples }, { T: 8, H: 6, W: 8, D: 64 }) // [[64 ones]]
 * ```
 */
export async function regionMeans({ source, examples }: FeatureSet<Peopled>, size: MapSize): Promise<Float32Array[][]> {
  const { H, W, D } = size
  const rows = cast(input("t", [1, placesOf(size), D], "f16"), "f32")
  const map = reshape(transpose(rows, [0, 2, 1]), [1, D, H, W])
  const means = mean(regionCells(map, input("boxes", [1, BOXES, 4])), [2, 3])
  const session = await Session.compile({ outputs: { means } })
  const found: Float32Array[][] = []
  try {
    for (const { id, hash, views, boxes } of examples) {
      const own: Float32Array[] = []
      const t = await readBatch(source, [{ clip: hash, view: views[0] }], "t")
      for (let first = 0; first < boxes.length; first += BOXES) {
        const part = boxes.slice(first, first + BOXES).map((box) => heldBox(box, `clip ${id}`))
        const corners = new Float32Array(BOXES * 4)
        corners.set(part.flat())
        const { means } = await session.run({ t, boxes: corners })
        for (const k of part.keys()) own.push(Float32Array.from(means.subarray(k * D, (k + 1) * D), Number))
      }
      found.push(own)
    }
  } finally {
    await session.release()
  }
  return found
}
