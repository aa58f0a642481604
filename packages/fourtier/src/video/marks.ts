/**
 * Boxes with labels, and captions, on pictures. Labels keep out of each other's way as long as the picture has room, and stay on the
 * side of their boxes from frame to frame.
 */

import { type Colour, drawBox, drawLabel, labelSize, type Picture } from "./draw.ts"
import type { TextMask } from "./lettering.ts"

/** What is drawn on a picture, its texts by their numbers among the masks. */
export type PlacedMark =
  | {
      /** Corners in shares of the picture. */
      box: readonly [x1: number, y1: number, x2: number, y2: number]
      colour: Colour
      /** One a line. */
      texts: readonly number[]
    }
  | { caption: number }

/** Of the labels of a box, pixels. */
export interface Plate {
  x: number
  y: number
  width: number
  height: number
}

/** Sides of boxes on which labels stood in the frame before, by the box's colour. */
export type LabelSides = Map<string, number>

/**
 * Draws boxes, then their labels, then captions. A box that holds nothing of the picture is left out, with its labels.
 * @param masks of all texts
 * @param sides of the frames before; changed
 */
export function drawMarks(
  picture: Picture,
  marks: readonly PlacedMark[],
  masks: readonly TextMask[],
  sides: LabelSides = new Map(),
): void {
  const { width, height } = picture
  const boxes = marks.flatMap((mark) => {
    if (!("box" in mark)) return []
    const [x1, y1, x2, y2] = mark.box
    if (!(x1 < x2 && y1 < y2 && x1 < 1 && y1 < 1 && x2 > 0 && y2 > 0)) return []
    return [{ ...mark, corners: [x1 * width, y1 * height, x2 * width, y2 * height] as const }]
  })
  for (const { corners, colour } of boxes) drawBox(picture, corners, { colour })
  const plates = placeLabels(
    boxes.map(({ corners, colour, texts }) => ({
      corners,
      key: colour.join(),
      lines: texts.map((number) => labelSize(masks[number])),
    })),
    picture,
    sides,
  )
  for (const [i, { colour, texts }] of boxes.entries()) {
    let { y } = plates[i]
    for (const number of texts) {
      drawLabel(picture, masks[number], { x: plates[i].x, y }, { paper: colour })
      y += labelSize(masks[number]).height
    }
  }
  for (const mark of marks) {
    if (!("caption" in mark)) continue
    const place = { x: width / 2, y: height - Math.round(0.03 * height), anchor: "bottom" as const }
    drawLabel(picture, masks[mark.caption], place)
  }
}

/** Labels of a box, to be placed. */
export interface LabelledBox {
  /** Of the box, pixels. */
  corners: readonly [x1: number, y1: number, x2: number, y2: number]
  /** By which the box is known from frame to frame. */
  key: string
  /** Pixels of each line. */
  lines: readonly { width: number; height: number }[]
}

/** Labels beyond which no room is looked for away from the boxes. */
const CROWD = 100

/** The upper part of a box, in which a person's head is. */
const HEAD = 0.25

/**
 * Where each box's labels stand: on the side of the box where they stood before, or else above the box, within its top, below it,
 * within its bottom, on its left edge or its right one, rather where they cover no head; or else as near to the box as the labels so far
 * leave room. Where they leave none, where they cover least of them.
 * @param sides of the frames before; changed
 * @returns of each box, pixels
 */
export function placeLabels(
  boxes: readonly LabelledBox[],
  picture: { width: number; height: number },
  sides: LabelSides,
): Plate[] {
  const taken: Plate[] = []
  const heads = boxes.map(({ corners: [x1, y1, x2, y2] }): Plate => {
    return { x: x1, y: y1, width: x2 - x1, height: HEAD * (y2 - y1) }
  })
  for (const { corners, key, lines } of boxes) {
    const size = {
      width: Math.max(0, ...lines.map((line) => line.width)),
      height: lines.reduce((sum, line) => sum + line.height, 0),
    }
    const { plate, side } = placeFor(size, corners, picture, { taken, heads }, sides.get(key) ?? 0)
    sides.set(key, side)
    taken.push(plate)
  }
  return taken
}

function placeFor(
  { width, height }: { width: number; height: number },
  [x1, y1, x2, y2]: LabelledBox["corners"],
  picture: { width: number; height: number },
  { taken, heads }: { taken: readonly Plate[]; heads: readonly Plate[] },
  before: number,
): { plate: Plate; side: number } {
  const [right, bottom] = [Math.max(0, picture.width - width), Math.max(0, picture.height - height)]
  const plateAt = (x: number, y: number): Plate => ({
    x: Math.round(Math.max(0, Math.min(x, right))),
    y: Math.round(y),
    ...{ width, height },
  })
  const fits = ({ y }: Plate) => y >= 0 && y <= bottom
  const covered = (plate: Plate) => taken.reduce((sum, other) => sum + shared(plate, other), 0)
  const isFree = (plate: Plate) => fits(plate) && covered(plate) === 0
  const heights = [y1 - height, y1, y2, y2 - height]
  const beside = [x1, x2 - width].flatMap((x) => heights.map((y) => plateAt(x, y)))
  const hides = (plate: Plate) => heads.some((head) => shared(plate, head) > 0)
  const free = [before, ...beside.keys()].filter((one) => isFree(beside[one]))
  const side = free.find((one) => !hides(beside[one])) ?? free[0]
  if (free.length > 0) return { plate: beside[side], side }
  const within = beside.map(({ x, y }) => plateAt(x, Math.max(0, Math.min(y, bottom))))
  if (taken.length >= CROWD) return { plate: least(within, covered), side: before }
  const rows = stepsBetween(bottom, y1 - height, Math.max(1, height / 4))
  const away = [x1, x2 - width, (x1 + x2 - width) / 2, x1 - width, x2]
    .flatMap((x) => rows.map((y) => plateAt(x, y)))
    .sort((a, b) => distance(a, x1, y1 - height) - distance(b, x1, y1 - height))
  return { plate: away.find(isFree) ?? least([...within, ...away], covered), side: before }
}

/** Heights from 0 to `last`, of which one is `through` where it lies between. */
function stepsBetween(last: number, through: number, step: number): number[] {
  const first = through - step * Math.floor(through / step)
  const inside: number[] = []
  for (let y = first; y <= last; y += step) inside.push(y)
  return [...inside, last]
}

const distance = ({ x, y }: Plate, x0: number, y0: number) => Math.hypot(x - x0, y - y0)

/** Pixels that two plates share. */
function shared(a: Plate, b: Plate): number {
  const across = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x)
  const down = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y)
  return Math.max(0, across) * Math.max(0, down)
}

/** The first of those for which the value is least. */
function least(plates: readonly Plate[], value: (plate: Plate) => number): Plate {
  let [best, lowest] = [plates[0], value(plates[0])]
  for (const plate of plates) {
    const own = value(plate)
    if (own < lowest) [best, lowest] = [plate, own]
  }
  return best
}
