/** Boxes with labels, and captions, on one picture; labels keep out of each other's way where there is room. */

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

/** Of a label, pixels. */
interface Plate {
  x: number
  y: number
  width: number
  height: number
}

/**
 * Draws boxes, then their labels, then captions. A box that holds nothing of the picture is left out, with its labels.
 * @param masks of all texts
 */
export function drawMarks(picture: Picture, marks: readonly PlacedMark[], masks: readonly TextMask[]): void {
  const { width, height } = picture
  const boxes = marks.flatMap((mark) => {
    if (!("box" in mark)) return []
    const [x1, y1, x2, y2] = mark.box
    if (!(x1 < x2 && y1 < y2 && x1 < 1 && y1 < 1 && x2 > 0 && y2 > 0)) return []
    return [{ ...mark, corners: [x1 * width, y1 * height, x2 * width, y2 * height] as const }]
  })
  for (const { corners, colour } of boxes) drawBox(picture, corners, { colour })
  const taken: Plate[] = []
  for (const { corners, colour, texts } of boxes) {
    const lines = texts.map((number) => masks[number])
    const plate = placeFor(lines, corners, picture, taken)
    taken.push(plate)
    let y = plate.y
    for (const line of lines) {
      drawLabel(picture, line, { x: plate.x, y }, { paper: colour })
      y += labelSize(line).height
    }
  }
  for (const mark of marks) {
    if (!("caption" in mark)) continue
    const place = { x: width / 2, y: height - Math.round(0.03 * height), anchor: "bottom" as const }
    drawLabel(picture, masks[mark.caption], place)
  }
}

/** Above the box, or else within its top, below it, within its bottom: where the labels so far leave room. */
function placeFor(
  lines: readonly TextMask[],
  [x1, y1, , y2]: readonly [number, number, number, number],
  picture: Picture,
  taken: readonly Plate[],
): Plate {
  const sizes = lines.map(labelSize)
  const width = Math.max(0, ...sizes.map((size) => size.width))
  const height = sizes.reduce((sum, size) => sum + size.height, 0)
  const x = Math.max(0, Math.min(x1, picture.width - width))
  const fits = (y: number) => y >= 0 && y + height <= picture.height
  const isFree = (y: number) =>
    taken.every(
      (other) =>
        x + width <= other.x || other.x + other.width <= x || y + height <= other.y || other.y + other.height <= y,
    )
  const places = [y1 - height, y1, y2, y2 - height].map(Math.round)
  const y = places.find((place) => fits(place) && isFree(place)) ?? places.find(fits) ?? places[1]
  return { x, y: Math.max(0, Math.min(y, picture.height - height)), width, height }
}
