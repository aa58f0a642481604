/**
 * Decoded pixels to RGB, with the numbers of FFmpeg's `swscale` as `fourtier` uses it in Node: the matrix that the file names, BT.601
 * where it names none, each colour sample for its four pixels. What browsers make of untagged files differs from that, and among them.
 */

/** Pixels as WebCodecs hands them out. */
export interface Planes {
  format: "I420" | "NV12" | "RGBA"
  data: Uint8Array
  layout: readonly Layout[]
  width: number
  height: number
  matrix: Matrix
  fullRange: boolean
  /** Where a colour sample lies in its four pixels: between all, or between the left ones. */
  siting: Siting
}

/** Where a plane's rows lie in bytes. */
export interface Layout {
  offset: number
  stride: number
}

export type Matrix = "bt601" | "bt709" | "bt2020"
export type Siting = "centre" | "left"

/** Where colour lies in files of a codec, unless they say otherwise; FFmpeg takes it for the centre where nothing is said. */
export function sitingOf(codec: string | null): Siting {
  return codec === "avc" || codec === "hevc" ? "left" : "centre"
}

/** @param name as WebCodecs calls it; null: not told */
export function matrixNamed(name: string | null | undefined): Matrix {
  if (name === "bt709") return "bt709"
  return name?.startsWith("bt2020") ? "bt2020" : "bt601"
}

/**
 * The matrix of a frame. Decoders say BT.709 of whatever names none; FFmpeg takes that for BT.601.
 * @param file what the file names; `decoder`: what the decoder says
 */
export function matrixOf(file: string | null | undefined, decoder: string | null | undefined): Matrix {
  return matrixNamed(file ?? (decoder === "bt709" ? null : decoder))
}

/** Red of V, blue of U, green of U and of V in units of 2^-16, colour of the narrow range to RGB. */
const COLOURS: Record<Matrix, readonly [redV: number, blueU: number, greenU: number, greenV: number]> = {
  bt601: [104597, 132201, -25675, -53279],
  bt709: [117489, 138438, -13975, -34925],
  bt2020: [110013, 140363, -12277, -42626],
}

/** Of luma, red of V, blue of U, green of U and of V, in units of 2^-16. */
export function factorsOf(matrix: Matrix, fullRange: boolean): number[] {
  const colours = COLOURS[matrix]
  if (fullRange) return [2 ** 16, ...colours.map((own) => Math.trunc((own * 224) / 255))]
  return [Math.trunc((2 ** 16 * 255) / 219), ...colours]
}

/** RGB [height,width,3] of the size that it has. */
export function rgbOf(planes: Planes): Uint8Array {
  return planes.format === "RGBA" ? withoutAlpha(planes) : converted(planes)
}

/** As vector instructions do it: products of 16 bits, of which the upper half is kept. */
function converted({ format, data, layout, width, height, matrix, fullRange }: Planes): Uint8Array {
  const table = (factor: number, zero: number) => {
    const short = (factor * 2 ** 13 + 2 ** 15) >> 16
    return Int16Array.from({ length: 256 }, (_, value) => ((value - zero) * 8 * short) >> 16)
  }
  const [gain, ...colours] = factorsOf(matrix, fullRange)
  const light = table(gain, fullRange ? 0 : 16)
  const [redOfV, blueOfU, greenOfU, greenOfV] = colours.map((own) => table(own, 128))
  const [luma, first, second] = layout
  const step = format === "NV12" ? 2 : 1
  const [u, v] = format === "NV12" ? [first.offset, first.offset + 1] : [first.offset, second.offset]
  const out = new Uint8ClampedArray(width * height * 3)
  for (let y = 0, to = 0; y < height; y++) {
    const row = luma.offset + y * luma.stride
    const chroma = (y >> 1) * first.stride
    for (let x = 0; x < width; x++, to += 3) {
      const at = chroma + (x >> 1) * step
      const [cb, cr] = [data[u + at], data[v + at]]
      const own = light[data[row + x]]
      out[to] = own + redOfV[cr]
      out[to + 1] = own + greenOfU[cb] + greenOfV[cr]
      out[to + 2] = own + blueOfU[cb]
    }
  }
  return new Uint8Array(out.buffer)
}

function withoutAlpha({ data, width, height }: Planes): Uint8Array {
  const rgb = new Uint8Array(width * height * 3)
  for (let from = 0, to = 0; to < rgb.length; from += 4, to += 3) {
    rgb[to] = data[from]
    rgb[to + 1] = data[from + 1]
    rgb[to + 2] = data[from + 2]
  }
  return rgb
}

/** A frame's pixels as they lie, where that is a form known here, else as RGBA. */
export async function planesOf(frame: PixelSource, matrix: Matrix, siting: Siting): Promise<Planes> {
  const { width, height } = frame.visibleRect ?? { width: frame.codedWidth, height: frame.codedHeight }
  const own = frame.format === "I420" || frame.format === "NV12" ? frame.format : null
  const options = own === null ? { format: "RGBA" as const } : {}
  const data = new Uint8Array(own === null ? width * height * 4 : frame.allocationSize())
  const layout = await frame.copyTo(data, options)
  const fullRange = frame.colorSpace.fullRange ?? false
  return { format: own ?? "RGBA", data, layout, width, height, matrix, fullRange, siting }
}

/** What `VideoFrame` and `VideoSample` have in common. */
interface PixelSource {
  readonly format: string | null
  readonly visibleRect: { width: number; height: number } | null
  readonly codedWidth: number
  readonly codedHeight: number
  readonly colorSpace: { readonly fullRange: boolean | null }
  allocationSize(): number
  copyTo(target: Uint8Array<ArrayBuffer>, options: { format?: "RGBA" }): Promise<{ offset: number; stride: number }[]>
}
