/**
 * From decoded pictures to a network's input: a list of steps that can be written as JSON, the same code in training,
 * evaluation and inference.
 *
 * ```
 * [T,H,W,3] uint8 ── steps (resize, crop, flip, colours) ── views, [T,S,S,3] uint8 each ── (x/255 − mean)/std ── float32
 * ```
 *
 * Random steps draw once a clip, so that all its frames are treated alike.
 */

import { FourtierError, type Rng } from "@fourtier/tensor"
import type { Step, Transform } from "../schemas/transform.ts"
import { frameOf } from "./boxes.ts"
import { colorFactors, jitterColors } from "./color.ts"
import { type Area, crop, type PictureSize, type Pictures, resize, scaledSize } from "./resize.ts"

export interface TransformedViews {
  /** One a view: `[T,H,W,3]` for NHWC, `[T,3,H,W]` for NCHW. */
  views: Float32Array<ArrayBuffer>[]
  /** Of one view, for example `[8, 192, 192, 3]`. */
  shape: number[]
}

/**
 * Applies a transform to the frames of one clip.
 *
 * @param rng drawn from by the random steps; null where there are none
 * @throws FourtierError when a crop is larger than the picture, or a random step has no generator
 *
 * @example
 * ```ts
 * import { applyTransform } from "@fourtier/core/frames"
 * import { transformSchema } from "@fourtier/core/schemas"
 *
 * const frames = { data: new Uint8Array(8 * 240 * 320 * 3), count: 8, height: 240, width: 320 }
 * const transform = transformSchema.parse({ steps: [{ step: "letterbox", size: 192 }] })
 * applyTransform(frames, transform, null).shape // [8, 192, 192, 3]
 * ```
 */
export function applyTransform(frames: Pictures, transform: Transform, rng: Rng | null): TransformedViews {
  let views = [frames]
  for (const step of transform.steps) views = applyStep(views, step, rng)
  const [{ count, height, width }] = views
  const shape = transform.layout === "NHWC" ? [count, height, width, 3] : [count, 3, height, width]
  return { views: views.map((view) => normalise(view, transform)), shape }
}

/**
 * Views a transform makes of one clip: 1, 3 or 10 for each crop step, 2 for each mirrored step.
 *
 * @example
 * ```ts
 * import { transformOf, viewsOf } from "@fourtier/core/frames"
 *
 * viewsOf(transformOf([{ step: "crop", size: 224, views: "three" }, { step: "mirrored" }])) // 6
 * ```
 */
export function viewsOf(transform: Transform): number {
  const counts = { center: 1, three: 3, ten: 10 }
  return transform.steps.reduce((views, step) => {
    if (step.step === "crop") return views * counts[step.views]
    return step.step === "mirrored" ? 2 * views : views
  }, 1)
}

/**
 * Whether any step draws at random.
 *
 * @example
 * ```ts
 * import { isRandom, transformOf } from "@fourtier/core/frames"
 *
 * isRandom(transformOf([{ step: "flip", probability: 0.5 }])) // true
 * ```
 */
export function isRandom(transform: Transform): boolean {
  return transform.steps.some(({ step }) => ["multiScaleCrop", "flip", "colorJitter"].includes(step))
}

/**
 * The size to which a transform first resizes, which decoding can do on the way; undefined where it starts otherwise.
 *
 * @example
 * ```ts
 * import { leadingSize, transformOf } from "@fourtier/core/frames"
 *
 * leadingSize(transformOf([{ step: "shortSide", size: 256 }])) // { shortSide: 256 }
 * ```
 */
export function leadingSize(transform: Transform): PictureSize | undefined {
  const step = transform.steps[0]
  if (step?.step === "shortSide") return { shortSide: step.size }
  if (step?.step === "letterbox") return { within: frameOf(step) }
  if (step?.step === "stretch") return { width: step.width, height: step.height }
  return undefined
}

function applyStep(views: Pictures[], step: Step, rng: Rng | null): Pictures[] {
  switch (step.step) {
    case "shortSide":
      return views.map((view) => resizeTo(view, { shortSide: step.size }))
    case "stretch":
      return views.map((view) => resizeTo(view, { width: step.width, height: step.height }))
    case "letterbox":
      return views.map((view) => letterbox(resizeTo(view, { within: frameOf(step) }), frameOf(step), step.fill))
    case "crop":
      return views.flatMap((view) => cropViews(view, step.size, step.views))
    case "mirrored":
      return views.flatMap((view) => [view, mirror(view)])
    case "multiScaleCrop":
      return views.map((view) => {
        const area = multiScaleArea(view, step.scales, step.distortion, step.fixed, needed(rng, step.step))
        return resize(view, step.size, step.size, area)
      })
    case "flip":
      return views.map((view) => (needed(rng, step.step).next() < step.probability ? mirror(view) : view))
    case "colorJitter":
      return views.map((view) => {
        const random = needed(rng, step.step)
        const apply = random.next() < step.probability
        const factors = colorFactors(step, random)
        return apply ? jitterColors(view, factors) : view
      })
  }
}

function needed(rng: Rng | null, step: string): Rng {
  if (rng !== null) return rng
  throw new FourtierError({
    where: `transform step ${step}`,
    what: "a random step where nothing may be random",
    fix: "leave it out of the transform for evaluation",
  })
}

function resizeTo(view: Pictures, size: PictureSize): Pictures {
  const { width, height } = scaledSize(view.width, view.height, size)
  return resize(view, width, height)
}

function letterbox(
  view: Pictures,
  { width, height }: { width: number; height: number },
  fill: readonly [number, number, number],
): Pictures {
  if (view.width === width && view.height === height) return view
  const data = new Uint8Array(view.count * width * height * 3)
  if (fill.some((value) => value !== 0)) for (let i = 0; i < data.length; i++) data[i] = fill[i % 3]
  const left = (width - view.width) >> 1
  const top = (height - view.height) >> 1
  const row = view.width * 3
  for (let t = 0; t < view.count; t++) {
    for (let y = 0; y < view.height; y++) {
      const from = (t * view.height + y) * row
      data.set(view.data.subarray(from, from + row), ((t * height + top + y) * width + left) * 3)
    }
  }
  return { data, count: view.count, height, width }
}

function cropViews(view: Pictures, size: number, kind: "center" | "three" | "ten"): Pictures[] {
  const { width, height } = view
  if (width < size || height < size) {
    throw new FourtierError({
      where: "transform step crop",
      what: "the crop is larger than the picture",
      expected: `${size}×${size} or more`,
      found: `${width}×${height}`,
      fix: `put {step: "shortSide", size: ${size}} before it`,
    })
  }
  const right = width - size
  const bottom = height - size
  const centre = { x: right >> 1, y: bottom >> 1 }
  const at = ({ x, y }: { x: number; y: number }) => crop(view, { x, y, width: size, height: size })
  if (kind === "center") return [at(centre)]
  if (kind === "three") {
    const ends =
      width >= height
        ? [{ x: 0, y: centre.y }, centre, { x: right, y: centre.y }]
        : [{ x: centre.x, y: 0 }, centre, { x: centre.x, y: bottom }]
    return ends.map(at)
  }
  const five = [{ x: 0, y: 0 }, { x: right, y: 0 }, { x: 0, y: bottom }, { x: right, y: bottom }, centre].map(at)
  return [...five, ...five.map(mirror)]
}

function multiScaleArea(
  { width, height }: Pictures,
  scales: readonly number[],
  distortion: number,
  fixed: boolean,
  rng: Rng,
): Area {
  const short = Math.min(width, height)
  const sides = scales.map((scale) => Math.max(1, Math.floor(short * scale)))
  const pairs = sides.flatMap((h, i) =>
    sides.flatMap((w, j) => (Math.abs(i - j) <= distortion ? [{ width: w, height: h }] : [])),
  )
  const size = rng.pick(pairs)
  const roomX = width - size.width
  const roomY = height - size.height
  if (!fixed) return { ...size, x: rng.int(roomX + 1), y: rng.int(roomY + 1) }
  const [column, row] = rng.pick(FIXED_PLACES)
  return { ...size, x: Math.floor((roomX * column) / 4), y: Math.floor((roomY * row) / 4) }
}

/** The 13 places of TSN, in quarters of the room there is: corners, centre, edges' middles, and halfway to the corners. */
const FIXED_PLACES: readonly (readonly [number, number])[] = [
  [0, 0],
  [4, 0],
  [0, 4],
  [4, 4],
  [2, 2],
  [0, 2],
  [4, 2],
  [2, 4],
  [2, 0],
  [1, 1],
  [3, 1],
  [1, 3],
  [3, 3],
]

function mirror(view: Pictures): Pictures {
  const { width, height, count } = view
  const source = view.data
  const data = new Uint8Array(source.length)
  for (let row = 0, lines = count * height; row < lines; row++) {
    let from = row * width * 3
    let to = from + (width - 1) * 3
    for (let x = 0; x < width; x++, from += 3, to -= 3) {
      data[to] = source[from]
      data[to + 1] = source[from + 1]
      data[to + 2] = source[from + 2]
    }
  }
  return { ...view, data }
}

function normalise(
  { data, count, height, width }: Pictures,
  { mean, std, layout }: Transform,
): Float32Array<ArrayBuffer> {
  const tables = mean.map((m, c) => Float32Array.from({ length: 256 }, (_, value) => (value / 255 - m) / std[c]))
  const [red, green, blue] = tables
  const out = new Float32Array(data.length)
  const pixels = height * width
  const [step, channel, frame] = layout === "NHWC" ? [3, 1, pixels * 3] : [1, pixels, pixels * 3]
  let from = 0
  for (let t = 0; t < count; t++) {
    let to = t * frame
    for (let i = 0; i < pixels; i++, from += 3, to += step) {
      out[to] = red[data[from]]
      out[to + channel] = green[data[from + 1]]
      out[to + 2 * channel] = blue[data[from + 2]]
    }
  }
  return out
}
