/** Frames on their way from the decoder to the caller: what is known of each, and whether the first is what it should be. */

import {
  AV_FRAME_FLAG_CORRUPT,
  AV_FRAME_FLAG_INTERLACED,
  AV_FRAME_FLAG_KEY,
  AV_PICTURE_TYPE_B,
  AV_PICTURE_TYPE_P,
  AV_PICTURE_TYPE_S,
  type Frame,
} from "node-av"
import { ticks } from "./streams.ts"

/** A decoded frame, valid only during the call that hands it over. */
export interface DecodedFrame {
  /** Presentation time in ticks, null where there is none. */
  pts: number | null
  /** Ticks, 0 when unknown. */
  duration: number
  /** Needs no other frame, as far as the decoder says. */
  intra: boolean
  /** Errors were met and concealed, or frames that it refers to are missing. */
  damaged: boolean
  interlaced: boolean
  /** Code of the YUV matrix (ISO/IEC 23091-2). */
  matrix: number
  /** Packets of the stream given to the decoder up to here. */
  fed: number
  /** A number by which the same picture, decoded again without errors, is known. */
  signature(): number
  /** Writes RGB24 rows `[height, width, 3]` of the stored (not rotated) picture, scaled to the given size. */
  writeRgb(target: Uint8Array, width: number, height: number): void
}

type Convert = (frame: Frame, target: Uint8Array, width: number, height: number) => void

/** The frames of one run on their way from the decoder to the caller. */
export class Passage {
  trusted = true
  fed = 0
  readonly #convert: Convert
  #entry: number | null
  readonly #onFrame: (frame: DecodedFrame) => boolean

  /** @param entry presentation time of the key frame at which decoding began; null where it is the file's start or unknown */
  constructor(convert: Convert, entry: number | null, onFrame: (frame: DecodedFrame) => boolean) {
    this.#convert = convert
    this.#entry = entry
    this.#onFrame = onFrame
  }

  /** False, and no longer trusted, when the first frame is not the one of the key packet, or refers to frames before it. */
  admits(frame: Frame): boolean {
    if (this.#entry === null) return true
    const pts = timeOf(frame)
    if (pts !== null && pts < this.#entry) return true
    this.trusted = pts === this.#entry && isIntra(frame)
    this.#entry = null
    return this.trusted
  }

  hand(frame: Frame): boolean {
    const { flags } = frame
    return this.#onFrame({
      pts: timeOf(frame),
      duration: Number(frame.duration),
      intra: isIntra(frame),
      damaged: (flags & AV_FRAME_FLAG_CORRUPT) !== 0 || frame.decodeErrorFlags !== 0,
      interlaced: (flags & AV_FRAME_FLAG_INTERLACED) !== 0,
      matrix: frame.colorSpace,
      fed: this.fed,
      signature: () => signatureOf(frame),
      writeRgb: (target, width, height) => this.#convert(frame, target, width, height),
    })
  }
}

/** FNV-1a over a grid of the first plane's bytes. */
function signatureOf(frame: Frame): number {
  const plane = frame.data?.[0]
  let hash = 0x811c9dc5
  if (plane === undefined) return hash
  for (let y = 0; y < frame.height; y += 8) {
    const row = y * frame.linesize[0]
    for (let x = y % 7; x < frame.width; x += 7) hash = Math.imul(hash ^ plane[row + x], 0x01000193)
  }
  return hash
}

function timeOf(frame: Frame): number | null {
  return ticks(frame.pts) ?? ticks(frame.bestEffortTimestamp)
}

/** Codecs that do not tell types are believed. Of two fields the second may refer to the first: there the key flag counts. */
function isIntra(frame: Frame): boolean {
  const type = frame.pictType
  if (type !== AV_PICTURE_TYPE_P && type !== AV_PICTURE_TYPE_B && type !== AV_PICTURE_TYPE_S) return true
  const both = AV_FRAME_FLAG_INTERLACED | AV_FRAME_FLAG_KEY
  return (frame.flags & both) === both
}
