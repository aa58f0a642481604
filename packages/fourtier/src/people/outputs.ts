/**
 * What detectors put out, as data: one row a family of exports says what goes in, where boxes, scores and classes stand, and in which
 * units. `readOutputs` reads the people of a picture by such a row.
 */

import type { Box } from "@fourtier/core/metrics"
import { FourtierError } from "@fourtier/tensor"
import { type PersonBox, suppress, withinPicture } from "./boxes.ts"
import { type Fit, type FittedPicture, unfitted } from "./fit.ts"

/** An output of the network. */
export interface OutputArray {
  dims: readonly number[]
  data: ArrayLike<number | bigint>
}

export interface OutputFormat {
  /** Which exports put out like this. */
  title: string
  /** How the picture goes in. */
  fit: Fit
  /** Values are (x/255 − mean) / std. */
  mean: readonly [number, number, number]
  std: readonly [number, number, number]
  /** Whether the input has an axis for pictures before [3, height, width]. */
  batch: boolean
  /**
   * Where things stand. `table`: one output, each candidate a row (or a column, with `across`) of box, scores, classes; `pair`: boxes
   * and a score for each class; `lists`: boxes, their scores and their classes.
   */
  layout: "table" | "pair" | "lists"
  across: boolean
  /** Middle and size, or two corners. */
  box: "center" | "corners"
  /** Pixels of what goes in, or shares of it. */
  unit: "pixels" | "shares"
  /**
   * How sure a candidate is. `class`: the person's score; `objectness`: that times the score of being anything; `sigmoid`, `softmax`:
   * of the classes' logits, the last class of the latter being nothing; `given`: a score and the number of a class.
   */
  score: "class" | "objectness" | "sigmoid" | "softmax" | "given"
  /** Number of the class "person". */
  person: number
  /** Largest overlap of two boxes that both stay; null where the network has seen to it. */
  suppress: number | null
}

const ZERO = [0, 0, 0] as const
const ONE = [1, 1, 1] as const
/** Mean and standard deviation of ImageNet's pixels. */
const IMAGENET = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] } as const
const YOLO = { fit: "letterbox", mean: ZERO, std: ONE, batch: true, unit: "pixels", person: 0 } as const

/** Largest overlap of boxes that YOLO's own tools keep side by side. */
const YOLO_OVERLAP = 0.6

export const FORMATS = {
  yolov5: {
    ...{ title: "YOLOv5 to YOLOv7: [1, N, 5 + classes]", ...YOLO, layout: "table", across: false },
    ...{ box: "center", score: "objectness", suppress: YOLO_OVERLAP },
  },
  yolov8: {
    ...{ title: "YOLOv8, v9, v11, v12: [1, 4 + classes, N]", ...YOLO, layout: "table", across: true },
    ...{ box: "center", score: "class", suppress: YOLO_OVERLAP },
  },
  "yolo-nms": {
    ...{ title: "YOLO exported with NMS, YOLOv10: [1, N, 6]", ...YOLO, layout: "table", across: false },
    ...{ box: "corners", score: "given", suppress: null },
  },
  "rt-detr": {
    ...{ title: "RT-DETR of Transformers: logits [1, N, classes], boxes [1, N, 4]", fit: "stretch" },
    ...{ mean: ZERO, std: ONE, batch: true, layout: "pair", across: false },
    ...{ box: "center", unit: "shares", score: "sigmoid", person: 0, suppress: null },
  },
  "rt-detr-lists": {
    ...{ title: "RT-DETR of its authors: labels, boxes, scores, by orig_target_sizes", fit: "stretch" },
    ...{ mean: ZERO, std: ONE, batch: true, layout: "lists", across: false },
    ...{ box: "corners", unit: "pixels", score: "given", person: 0, suppress: null },
  },
  "rt-detr-ultralytics": {
    ...{ title: "RT-DETR of Ultralytics: [1, N, 4 + classes]", fit: "stretch" },
    ...{ mean: ZERO, std: ONE, batch: true, layout: "table", across: false },
    ...{ box: "center", unit: "shares", score: "class", person: 0, suppress: null },
  },
  detr: {
    ...{ title: "DETR: logits [1, N, classes + 1], boxes [1, N, 4]", fit: "stretch", ...IMAGENET },
    ...{ batch: true, layout: "pair", across: false },
    ...{ box: "center", unit: "shares", score: "softmax", person: 1, suppress: null },
  },
  torchvision: {
    ...{ title: "Faster R-CNN, SSD, RetinaNet, FCOS of torchvision: boxes, labels, scores", fit: "free" },
    ...{ mean: ZERO, std: ONE, batch: false, layout: "lists", across: false },
    ...{ box: "corners", unit: "pixels", score: "given", person: 1, suppress: null },
  },
} as const satisfies Record<string, OutputFormat>

export type FormatName = keyof typeof FORMATS
export const FORMAT_NAMES = Object.keys(FORMATS).filter((name): name is FormatName => Object.hasOwn(FORMATS, name))

/** Rows of a table that a network with a fixed number of answers has at most; grids have more. */
const QUERIES = 1000

/** Candidates that are compared with one another, best first. */
const MOST = 3000

/**
 * The people that a network's outputs name.
 * @param least score below which candidates are left out
 * @returns boxes within the picture, best first; candidates with a NaN are left out
 * @throws FourtierError where the outputs do not fit the format, or hold nothing but NaN
 *
 * @example
 * ```ts
 * import { FORMATS, readOutputs } from "fourtier/people"
 *
 * // one candidate in the middle of a 640×640 picture, 320 high and 160 wide
 * const output = { dims: [1, 5, 1], data: [320, 320, 160, 320, 0.9] }
 * const fitted = { area: { x: 0, y: 0, width: 640, height: 640 }, width: 640, height: 640 }
 * readOutputs(new Map([["output0", output]]), FORMATS.yolov8, fitted, 0.1) // [{ box: [0.375, 0.25, 0.625, 0.75], score: 0.9 }]
 * ```
 */
export function readOutputs(
  outputs: ReadonlyMap<string, OutputArray>,
  format: OutputFormat,
  fitted: Pick<FittedPicture, "area" | "width" | "height">,
  least: number,
): PersonBox[] {
  const { count, box, score } = candidatesOf(outputs, format)
  return peopleAmong({ count, score, box: (n) => inPixels(box(n), format, fitted) }, fitted, least, format.suppress)
}

/** What a network has seen, be it a person or not. */
export interface Candidates {
  count: number
  /** Of the picture that went in: corners in pixels. */
  box: (n: number) => Box
  /** How sure it is that this is a person. */
  score: (n: number) => number
}

/**
 * The people among candidates, as `readOutputs` gives them.
 * @param limit largest overlap of two boxes that both stay; null: any
 * @throws FourtierError where all candidates are NaN
 */
export function peopleAmong(
  { count, box, score }: Candidates,
  fitted: Pick<FittedPicture, "area">,
  least: number,
  limit: number | null,
): PersonBox[] {
  const found: PersonBox[] = []
  let broken = 0
  for (let n = 0; n < count; n++) {
    const [sure, corners] = [score(n), box(n)]
    if (Number.isNaN(sure) || corners.some(Number.isNaN)) broken++
    if (!(sure >= least)) continue
    const place = withinPicture(unfitted(corners, fitted))
    if (place !== null) found.push({ box: place, score: Math.min(1, sure) })
  }
  if (broken > 0 && broken === count) {
    throw new FourtierError({
      where: "detector",
      what: "puts out nothing but NaN",
      found: `${broken} candidates`,
      fix: "export the model in float32, and check what it takes",
    })
  }
  const best = found.sort((a, b) => b.score - a.score).slice(0, MOST)
  return limit === null ? best : suppress(best, limit)
}

function inPixels([a, b, c, d]: Box, format: OutputFormat, { width, height }: { width: number; height: number }): Box {
  const corners: Box = format.box === "corners" ? [a, b, c, d] : [a - c / 2, b - d / 2, a + c / 2, b + d / 2]
  if (format.unit === "pixels") return corners
  const [x1, y1, x2, y2] = corners
  return [x1 * width, y1 * height, x2 * width, y2 * height]
}

function candidatesOf(outputs: ReadonlyMap<string, OutputArray>, format: OutputFormat): Candidates {
  switch (format.layout) {
    case "table":
      return tableOf(outputs, format)
    case "pair":
      return pairOf(outputs, format)
    case "lists":
      return listsOf(outputs, format)
  }
}

function tableOf(
  outputs: ReadonlyMap<string, OutputArray>,
  { across, score, person, title }: OutputFormat,
): Candidates {
  const table = [...outputs.values()].find(({ dims }) => lengths(dims).length === 2)
  if (table === undefined) throw noFit(outputs, title)
  const [rows, columns] = lengths(table.dims)
  const [count, width] = across ? [columns, rows] : [rows, columns]
  const first = score === "given" ? 4 : score === "objectness" ? 5 : 4
  if (width < first + (score === "given" ? 2 : person + 1)) throw noFit(outputs, title)
  const at = (n: number, field: number) => Number(table.data[across ? field * count + n : n * width + field])
  return {
    count,
    box: (n) => [at(n, 0), at(n, 1), at(n, 2), at(n, 3)],
    score: (n) => {
      if (score === "given") return at(n, 5) === person ? at(n, 4) : other(at(n, 4))
      return at(n, first + person) * (score === "objectness" ? at(n, 4) : 1)
    },
  }
}

/** The score of something that is no person: none, but a NaN stays one. */
const other = (score: number) => (Number.isNaN(score) ? score : Number.NEGATIVE_INFINITY)

function pairOf(outputs: ReadonlyMap<string, OutputArray>, { score, person, title }: OutputFormat): Candidates {
  const corners = [...outputs].filter(([, { dims }]) => lengths(dims).length === 2 && dims.at(-1) === 4)
  const boxes = (corners.find(([name]) => /box/i.test(name)) ?? corners[0])?.[1]
  const [count] = boxes ? lengths(boxes.dims) : [0]
  const logits = [...outputs.values()].find((output) => {
    const [rows, classes] = lengths(output.dims)
    return output !== boxes && lengths(output.dims).length === 2 && rows === count && classes > person
  })
  if (boxes === undefined || logits === undefined) throw noFit(outputs, title)
  const classes = lengths(logits.dims)[1]
  const at = (n: number, c: number) => Number(logits.data[n * classes + c])
  return {
    count,
    box: (n) => boxOf(boxes, n),
    score: (n) => {
      if (score === "sigmoid") return 1 / (1 + Math.exp(-at(n, person)))
      let largest = Number.NEGATIVE_INFINITY
      for (let c = 0; c < classes; c++) largest = Math.max(largest, at(n, c))
      let sum = 0
      for (let c = 0; c < classes; c++) sum += Math.exp(at(n, c) - largest)
      return Math.exp(at(n, person) - largest) / sum
    },
  }
}

function listsOf(outputs: ReadonlyMap<string, OutputArray>, { person, title }: OutputFormat): Candidates {
  const entries = [...outputs]
  const boxes = entries.find(([, { dims }]) => lengths(dims).length === 2 && dims.at(-1) === 4)
  const flat = entries.filter(([, { dims }]) => lengths(dims).length === 1)
  const labels = flat.find(([name, { data }]) => /label|class/i.test(name) || data instanceof BigInt64Array)
  const scores = flat.find((entry) => entry !== labels && (/score|conf/i.test(entry[0]) || flat.length === 2))
  if (boxes === undefined || labels === undefined || scores === undefined) throw noFit(outputs, title)
  return {
    count: lengths(boxes[1].dims)[0],
    box: (n) => boxOf(boxes[1], n),
    score: (n) => {
      const score = Number(scores[1].data[n])
      return Number(labels[1].data[n]) === person ? score : other(score)
    },
  }
}

function boxOf({ data }: OutputArray, n: number): Box {
  return [Number(data[4 * n]), Number(data[4 * n + 1]), Number(data[4 * n + 2]), Number(data[4 * n + 3])]
}

/** Lengths of the axes, without a leading one for a single picture. */
function lengths(dims: readonly number[]): readonly number[] {
  return dims.length > 1 && dims[0] === 1 && (dims.length === 3 || dims.length === 2) ? dims.slice(1) : dims
}

function noFit(outputs: ReadonlyMap<string, OutputArray>, title: string): FourtierError {
  return new FourtierError({
    where: "detector",
    what: "its outputs are not those of the format",
    expected: title,
    found: shownOutputs(outputs),
    fix: `name another format: ${FORMAT_NAMES.join(", ")}`,
  })
}

const shownOutputs = (outputs: ReadonlyMap<string, OutputArray>) =>
  [...outputs].map(([name, { dims }]) => `${name} [${dims.join(", ")}]`).join("; ")

/**
 * The format that inputs and outputs of a network look like.
 * @throws FourtierError where they look like none
 *
 * @example
 * ```ts
 * import { tellFormat } from "fourtier/people"
 *
 * tellFormat(["images"], new Map([["output0", { dims: [1, 84, 8400], data: [] }]])) // "yolov8"
 * ```
 */
export function tellFormat(inputs: readonly string[], outputs: ReadonlyMap<string, OutputArray>): FormatName {
  if (inputs.some((name) => /orig.*size/i.test(name))) return "rt-detr-lists"
  const shapes = [...outputs.values()].map(({ dims }) => dims)
  const boxes = shapes.find((dims) => dims.length >= 2 && dims.at(-1) === 4)
  const logits = shapes.find((dims) => dims !== boxes && dims.length === 3 && dims[1] === boxes?.at(-2))
  if (boxes?.length === 3 && logits !== undefined) return Number(logits.at(-1)) > 90 ? "detr" : "rt-detr"
  if (boxes?.length === 2 && shapes.filter((dims) => dims.length === 1).length >= 2) return "torchvision"
  const table = shapes.find((dims) => dims.length === 3)
  if (table !== undefined) {
    const [, rows, columns] = table
    if (rows < columns && columns !== 6) return "yolov8"
    // a list of what was found rather than every place of three grids
    if (rows <= QUERIES) return columns === 6 ? "yolo-nms" : "rt-detr-ultralytics"
    return "yolov5"
  }
  throw new FourtierError({
    where: "detector",
    what: "its outputs are of no known format",
    expected: FORMAT_NAMES.map((name) => `${name} (${FORMATS[name].title})`).join("; "),
    found: shownOutputs(outputs),
    fix: "export it in one of these forms",
  })
}
