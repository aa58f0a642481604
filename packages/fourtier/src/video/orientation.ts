/**
 * Display matrices: how a decoded picture must be turned and mirrored before it is shown (ISO/IEC 14496-12, 6.2.2).
 */

/** Where the stored picture's axes go: `X = xx·x + xy·y`, `Y = yx·x + yy·y` with y pointing down; entries are 0, 1 or -1. */
export interface Orientation {
  xx: number
  xy: number
  yx: number
  yy: number
}

export const UPRIGHT: Orientation = { xx: 1, xy: 0, yx: 0, yy: 1 }

/** Reads a display matrix of nine 32-bit little-endian numbers; other angles go to the nearest quarter turn. */
export function orientationOf(matrix: Buffer): Orientation {
  if (matrix.length < 36) return UPRIGHT
  const [a, b, c, d] = [0, 4, 12, 16].map((offset) => matrix.readInt32LE(offset) / 65536)
  if (Math.abs(a * d - b * c) < 1e-6) return UPRIGHT
  const mirror = a * d - b * c < 0 ? -1 : 1
  const quarter = ((Math.round(Math.atan2(b, a) / (Math.PI / 2)) % 4) + 4) % 4
  const [cosine, sine] = [
    [1, 0],
    [0, 1],
    [-1, 0],
    [0, -1],
  ][quarter]
  return { xx: cosine, yx: sine, xy: -sine * mirror + 0, yy: cosine * mirror + 0 }
}

/** Degrees clockwise by which the stored picture is turned. */
export function rotationOf({ xx, yx }: Orientation): number {
  return xx === 1 ? 0 : yx === 1 ? 90 : xx === -1 ? 180 : 270
}

/** Whether height and width change places. */
export function swapsSides(orientation: Orientation): boolean {
  return orientation.xx === 0
}

/**
 * Turns one RGB picture.
 *
 * @param source `[height, width, 3]`
 * @param target `[height, width, 3]`, or `[width, height, 3]` where the sides swap
 */
export function orient(
  source: Uint8Array,
  target: Uint8Array,
  width: number,
  height: number,
  orientation: Orientation,
): void {
  const { xx, xy, yx, yy } = orientation
  const columns = swapsSides(orientation) ? height : width
  const left = xx + xy < 0 ? columns - 1 : 0
  const top = yx + yy < 0 ? (swapsSides(orientation) ? width : height) - 1 : 0
  const stepX = (yx * columns + xx) * 3
  const stepY = (yy * columns + xy) * 3
  let from = 0
  for (let y = 0; y < height; y++) {
    let to = (top * columns + left) * 3 + y * stepY
    for (let x = 0; x < width; x++, from += 3, to += stepX) {
      target[to] = source[from]
      target[to + 1] = source[from + 1]
      target[to + 2] = source[from + 2]
    }
  }
}
