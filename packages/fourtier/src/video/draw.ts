/** Boxes and texts on RGB pictures, in place. What a text looks like comes from `lettering.ts`. */

import { FourtierError } from "@fourtier/tensor"
import type { TextMask } from "./lettering.ts"

/** One picture: RGB, 8 bits, `[height, width, 3]`. */
export interface Picture {
  data: Uint8Array
  width: number
  height: number
}

/** 0 to 255 each. */
export type Colour = readonly [red: number, green: number, blue: number]

const BLACK: Colour = [0, 0, 0]
const WHITE: Colour = [255, 255, 255]

/** Degrees of hue from one colour to the next: the golden angle keeps any number of them apart. */
const GOLDEN_ANGLE = 137.508

/**
 * A colour that tells one thing from others, the same for the same number or name at any time.
 *
 * @example
 * ```ts
 * import { colourOf } from "fourtier/video"
 *
 * colourOf("walk") // the same in every video
 * ```
 */
export function colourOf(key: number | string): Colour {
  const number =
    typeof key === "number" ? key : [...key].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 997, 7)
  const hue = (((number * GOLDEN_ANGLE) % 360) + 360) % 360
  const channel = (offset: number) => {
    const place = (offset + hue / 30) % 12
    return Math.round(255 * (0.56 - 0.36 * Math.max(-1, Math.min(place - 3, 9 - place, 1))))
  }
  return [channel(0), channel(8), channel(4)]
}

/** Black or white, whichever is easier to read on `paper`. */
function inkOn([red, green, blue]: Colour): Colour {
  return 0.299 * red + 0.587 * green + 0.114 * blue > 140 ? BLACK : WHITE
}

/**
 * A pixel's width of lines for boxes in a picture of this size.
 *
 * @example
 * ```ts
 * import { lineWidth } from "fourtier/video"
 *
 * lineWidth(320, 240) // 2
 * ```
 */
export function lineWidth(width: number, height: number): number {
  return Math.max(1, Math.round(Math.min(width, height) / 150))
}

/**
 * Draws the outline of a box. Parts outside the picture are cut off; a box with a side that is no number draws nothing.
 * @param box corners in pixels
 * @throws FourtierError where the picture's length is not that of its size
 *
 * @example
 * ```ts
 * import { drawBox } from "fourtier/video"
 *
 * const picture = { data: new Uint8Array(240 * 320 * 3), width: 320, height: 240 }
 * drawBox(picture, [40, 20, 120, 220], { colour: [255, 80, 0] })
 * ```
 */
export function drawBox(
  picture: Picture,
  box: readonly [x1: number, y1: number, x2: number, y2: number],
  { colour, thickness = lineWidth(picture.width, picture.height) }: { colour: Colour; thickness?: number },
): void {
  checkPicture(picture)
  if (!box.every(Number.isFinite)) return
  const [x1, y1, x2, y2] = box.map(Math.round)
  fill(picture, x1, y1, x2, y1 + thickness, colour)
  fill(picture, x1, y2 - thickness, x2, y2, colour)
  fill(picture, x1, y1, x1 + thickness, y2, colour)
  fill(picture, x2 - thickness, y1, x2, y2, colour)
}

export interface LabelStyle {
  /** Of the letters; default: black or white, whichever is easier to read on `paper`. */
  ink?: Colour
  /** Of the plate behind them; black by default. */
  paper?: Colour
  /** Of the plate, 0 to 1; default 0.8. */
  opacity?: number
}

/** Where a label stands: the point that its `anchor` lies on. `bottom` is the middle of its lower edge. */
export interface LabelPlace {
  x: number
  y: number
  anchor?: "top-left" | "bottom-left" | "bottom"
}

/** Space around the letters of a label, in shares of their height. */
const MARGIN = 0.2

/**
 * The size of a label's plate in pixels.
 *
 * @example
 * ```ts
 * import { labelSize, Lettering } from "fourtier/video"
 *
 * labelSize(await new Lettering(16).mask("walk 83 %"))
 * ```
 */
export function labelSize({ width, height, line }: TextMask): { width: number; height: number } {
  if (width === 0) return { width: 0, height: 0 }
  const margin = Math.round(MARGIN * line)
  return { width: width + 2 * margin, height: height + 2 * Math.round(margin / 2) }
}

/**
 * Draws a text on a plate. Where the plate would stick out of the picture, it is moved inside. An empty text draws nothing.
 * @throws FourtierError where the picture's length is not that of its size
 *
 * @example
 * ```ts
 * import { drawLabel, Lettering } from "fourtier/video"
 *
 * const picture = { data: new Uint8Array(240 * 320 * 3), width: 320, height: 240 }
 * const lettering = new Lettering(16)
 * drawLabel(picture, await lettering.mask("walk 83 %"), { x: 160, y: 232, anchor: "bottom" })
 * ```
 */
export function drawLabel(picture: Picture, text: TextMask, place: LabelPlace, style: LabelStyle = {}): void {
  checkPicture(picture)
  const { width, height } = labelSize(text)
  if (width === 0 || !Number.isFinite(place.x) || !Number.isFinite(place.y)) return
  const { paper = BLACK, ink = inkOn(paper), opacity = 0.8 } = style
  const { x, y, anchor = "top-left" } = place
  const left = inside(anchor === "bottom" ? x - width / 2 : x, width, picture.width)
  const top = inside(anchor === "top-left" ? y : y - height, height, picture.height)
  fill(picture, left, top, left + width, top + height, paper, opacity)
  stamp(picture, text, left + (width - text.width) / 2, top + (height - text.height) / 2, ink)
}

/** The place of a stretch of this length that keeps it between 0 and `room`, or begins it at 0 where it is longer. */
function inside(start: number, length: number, room: number): number {
  return Math.round(Math.max(0, Math.min(start, room - length)))
}

function fill(
  { data, width, height }: Picture,
  x1: number,
  y1: number,
  x2: number,
  y2: number,
  colour: Colour,
  opacity = 1,
): void {
  const [left, right] = [Math.max(0, x1), Math.min(width, x2)]
  for (let y = Math.max(0, y1); y < Math.min(height, y2); y++) {
    for (let x = left; x < right; x++) mix(data, (y * width + x) * 3, colour, opacity)
  }
}

/** Mixes a colour into the picture as far as the mask covers each pixel. */
function stamp({ data, width, height }: Picture, mask: TextMask, x: number, y: number, colour: Colour): void {
  const [left, top] = [Math.floor(x), Math.floor(y)]
  for (let row = Math.max(0, -top); row < Math.min(mask.height, height - top); row++) {
    for (let column = Math.max(0, -left); column < Math.min(mask.width, width - left); column++) {
      const cover = mask.data[row * mask.width + column] / 255
      if (cover > 0) mix(data, ((top + row) * width + left + column) * 3, colour, cover)
    }
  }
}

function mix(data: Uint8Array, at: number, colour: Colour, share: number): void {
  for (let channel = 0; channel < 3; channel++) {
    data[at + channel] = Math.round(data[at + channel] * (1 - share) + colour[channel] * share)
  }
}

function checkPicture({ data, width, height }: Picture): void {
  if (data.length === width * height * 3) return
  throw new FourtierError({
    where: "picture",
    what: "its pixels do not fit its size",
    expected: `${height}·${width}·3 bytes`,
    found: `${data.length}`,
  })
}
