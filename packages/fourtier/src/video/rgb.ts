/** Decoded frames to RGB24, and the texts of FFmpeg's error codes. */

import { FourtierError } from "@fourtier/tensor"
import {
  AV_FRAME_FLAG_INTERLACED,
  AV_FRAME_FLAG_TOP_FIELD_FIRST,
  AV_PIX_FMT_RGB24,
  AVCOL_PRI_UNSPECIFIED,
  AVCOL_SPC_BT470BG,
  AVCOL_SPC_BT709,
  AVCOL_SPC_BT2020_CL,
  AVCOL_SPC_BT2020_NCL,
  AVCOL_SPC_FCC,
  AVCOL_SPC_RGB,
  AVCOL_SPC_SMPTE170M,
  AVCOL_SPC_SMPTE240M,
  AVCOL_SPC_UNSPECIFIED,
  AVCOL_TRC_UNSPECIFIED,
  FFmpegError,
  Frame,
  SoftwareScaleContext,
} from "node-av"

/** YUV matrices that the scaler knows; FFmpeg takes the constant-luminance form of BT.2020 for the other one. */
const MATRICES = new Set<number>([
  AVCOL_SPC_RGB,
  AVCOL_SPC_BT709,
  AVCOL_SPC_UNSPECIFIED,
  AVCOL_SPC_FCC,
  AVCOL_SPC_BT470BG,
  AVCOL_SPC_SMPTE170M,
  AVCOL_SPC_SMPTE240M,
  AVCOL_SPC_BT2020_NCL,
  AVCOL_SPC_BT2020_CL,
])

/** Whether the matrix of this code (ISO/IEC 23091-2) is known; frames of others are read as BT.601. */
export function knowsMatrix(code: number): boolean {
  return MATRICES.has(code)
}

/**
 * Converts frames of any pixel format to RGB24 as `ffmpeg -pix_fmt rgb24` does, scaling where sizes differ. Primaries
 * and transfer are left as they are: no gamut or tone mapping. Interlaced frames are taken as whole ones.
 */
export class RgbConverter {
  #scaler = new SoftwareScaleContext()
  #picture = new Frame()
  #filter = ""

  constructor() {
    this.#scaler.allocContext()
    this.#picture.alloc()
  }

  convert(source: Frame, target: Uint8Array, width: number, height: number, path: string): void {
    const filter = source.width === width && source.height === height ? "bicubic" : "bilinear"
    if (filter !== this.#filter) {
      this.#scaler.setOption("sws_flags", filter)
      this.#filter = filter
    }
    if (this.#picture.width !== width || this.#picture.height !== height) {
      this.#picture.unref()
      this.#picture.format = AV_PIX_FMT_RGB24
      this.#picture.width = width
      this.#picture.height = height
      checkCode(path, "no memory for a picture", this.#picture.getBuffer(0))
    }
    source.colorPrimaries = AVCOL_PRI_UNSPECIFIED
    source.colorTrc = AVCOL_TRC_UNSPECIFIED
    source.clearFlags(AV_FRAME_FLAG_INTERLACED, AV_FRAME_FLAG_TOP_FIELD_FIRST)
    if (source.colorSpace === AVCOL_SPC_BT2020_CL) source.colorSpace = AVCOL_SPC_BT2020_NCL
    else if (!knowsMatrix(source.colorSpace)) source.colorSpace = AVCOL_SPC_UNSPECIFIED
    checkCode(path, "a frame's pixels cannot be converted", this.#scaler.scaleFrameSync(this.#picture, source))
    const plane = this.#picture.data?.[0]
    const stride = this.#picture.linesize[0]
    if (plane === undefined) throw new FourtierError({ where: path, what: "a frame has no pixels" })
    const row = width * 3
    if (stride === row) target.set(plane.subarray(0, row * height))
    else for (let y = 0; y < height; y++) target.set(plane.subarray(y * stride, y * stride + row), y * row)
  }

  close(): void {
    this.#scaler.freeContext()
    this.#picture.free()
  }
}

/** @throws FourtierError for a negative code, with FFmpeg's text for it */
export function checkCode(path: string, what: string, code: number): void {
  if (code < 0) throw new FourtierError({ where: path, what, found: codeText(code) })
}

/** FFmpeg's text for an error code. */
export function codeText(code: number): string {
  return FFmpegError.strerror(code)
}
