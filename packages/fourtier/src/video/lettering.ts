/**
 * Texts as masks to draw with: sharp lays them out (Pango), in DejaVu Sans from an npm package, so that letters look alike on every
 * machine. Scripts that the font lacks come from the machine's own fonts.
 */

import { createRequire } from "node:module"
import { FourtierError } from "@fourtier/tensor"
import sharp from "sharp"

/** How much of each pixel a text covers, 0 to 255: `[height, width]`. */
export interface TextMask {
  data: Uint8Array<ArrayBuffer>
  width: number
  height: number
  /** Height of one line in pixels. */
  line: number
}

/** Masks that are kept. */
const KEPT = 2000

/** Characters of a text that are drawn. */
const LONGEST = 500

/** Reaches as high and as low as letters do, so that all lines are of one height; it is laid out, and not seen. */
const STRUT = '<span alpha="1">Åjg|</span>'

const fontFile = () => createRequire(import.meta.url).resolve("dejavu-fonts-ttf/ttf/DejaVuSans-Bold.ttf")

/**
 * The size of letters that is easily read in a picture of this size.
 * @returns pixels
 *
 * @example
 * ```ts
 * import { letteringSize } from "fourtier/video"
 *
 * letteringSize(1920, 1080) // 36
 * ```
 */
export function letteringSize(width: number, height: number): number {
  return Math.max(11, Math.round(Math.min(width, height) / 30))
}

/**
 * Texts of one size. What was laid out once is kept.
 *
 * @example
 * ```ts
 * import { Lettering } from "fourtier/video"
 *
 * const lettering = new Lettering(16)
 * const { width, height } = await lettering.mask("walk 83 %")
 * ```
 */
export class Lettering {
  readonly size: number
  readonly #masks = new Map<string, Promise<TextMask>>()

  /** @param size height of the letters' em, pixels. Throws FourtierError for a size that is not above 0. */
  constructor(size: number) {
    if (!(size > 0 && Number.isFinite(size))) {
      throw new FourtierError({
        where: "lettering",
        what: "no size for letters",
        expected: "above 0",
        found: `${size}`,
      })
    }
    this.size = size
  }

  /**
   * A text as a mask. Line breaks and control characters count as spaces; an empty text has an empty mask.
   * @param options `width`: pixels at which lines are broken; without it, a text is one line
   */
  mask(text: string, options: { width?: number } = {}): Promise<TextMask> {
    const shown = shownText(text)
    const key = `${options.width ?? ""} ${shown}`
    const known = this.#masks.get(key)
    const mask = known ?? this.#lay(shown, options.width)
    // the one used last stands last
    if (known) this.#masks.delete(key)
    this.#masks.set(key, mask)
    const [oldest] = this.#masks.keys()
    if (this.#masks.size > KEPT) this.#masks.delete(oldest)
    return mask
  }

  async #lay(text: string, width: number | undefined): Promise<TextMask> {
    const line = Math.round(1.25 * this.size)
    if (text === "") return { data: new Uint8Array(0), width: 0, height: 0, line }
    const escaped = text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
    const lines = width === undefined ? {} : { width: Math.max(1, Math.round(width)), wrap: "word-char" as const }
    const layout = {
      text: width === undefined ? STRUT + escaped : escaped,
      font: `DejaVu Sans Bold ${this.size}`,
      fontfile: fontFile(),
      ...{ dpi: 72, rgba: true, align: "centre" as const },
      ...lines,
    }
    const { data, info } = await sharp({ text: layout })
      .extractChannel("alpha")
      .raw()
      .toBuffer({ resolveWithObject: true })
    return { ...trimmed(new Uint8Array(data), info.width, info.height), line }
  }
}

/** What of a text is drawn: one line, without what has no shape, and not without end. */
function shownText(text: string): string {
  const line = text.replaceAll(/[\p{Cc}\p{Cs}\u2028\u2029\s]+/gu, " ").trim()
  const letters = [...line]
  return letters.length > LONGEST ? `${letters.slice(0, LONGEST).join("")}…` : line
}

/** Without the columns on both sides that are empty. */
function trimmed(data: Uint8Array, width: number, height: number): Omit<TextMask, "line"> {
  const covered = (column: number) => {
    for (let row = 0; row < height; row++) if (data[row * width + column] > 0) return true
    return false
  }
  let [first, last] = [0, width - 1]
  while (first < width && !covered(first)) first++
  while (last > first && !covered(last)) last--
  const kept = Math.max(0, last - first + 1)
  const result = new Uint8Array(kept * height)
  for (let row = 0; row < height; row++) {
    result.set(data.subarray(row * width + first, row * width + first + kept), row * kept)
  }
  return { data: result, width: kept, height: kept === 0 ? 0 : height }
}
