/** Decoded frames to upright RGB pictures of one size. */

import { type PictureSize, scaledSize } from "@fourtier/core/frames"
import { type Orientation, orient, swapsSides, UPRIGHT } from "./orientation.ts"

/** Converts the frames of one stream. */
export class PictureWriter {
  /** Of the upright picture. */
  readonly width: number
  readonly height: number
  readonly #orientation: Orientation
  readonly #stored: { width: number; height: number }
  readonly #scratch: Uint8Array | null

  /** @param stored pixels of the stream's frames, before they are turned */
  constructor(
    { width, height }: { width: number; height: number },
    orientation: Orientation = UPRIGHT,
    size?: PictureSize,
  ) {
    this.#orientation = orientation
    const upright = swapsSides(orientation) ? { width: height, height: width } : { width, height }
    const scaled = scaledSize(upright.width, upright.height, size)
    this.width = scaled.width
    this.height = scaled.height
    this.#stored = swapsSides(orientation) ? { width: scaled.height, height: scaled.width } : scaled
    const turned = Object.entries(UPRIGHT).some(([key, value]) => Reflect.get(orientation, key) !== value)
    this.#scratch = turned ? new Uint8Array(scaled.width * scaled.height * 3) : null
  }

  /** Writes a frame as RGB [height, width, 3]. */
  write(frame: { writeRgb(target: Uint8Array, width: number, height: number): void }, target: Uint8Array): void {
    const { width, height } = this.#stored
    frame.writeRgb(this.#scratch ?? target, width, height)
    if (this.#scratch !== null) orient(this.#scratch, target, width, height, this.#orientation)
  }
}
