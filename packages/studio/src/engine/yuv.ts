/**
 * Decoded pixels to RGB, by the numbers that `fourtier` uses in Node: the matrix that the file names, BT.601 where it names none, each
 * colour sample for its four pixels. What browsers make of untagged files differs from that, and among them.
 */

/** Pixels as WebCodecs hands them out. */
export interface Planes {
  format: "I420" | "NV12" | "RGBA"
  data: Uint8Array
  layout: readonly { offset: number; stride: number }[]
  width: number
  height: number
  matrix: Matrix
  fullRange: boolean
}

/** Shares of red and blue in luma. */
export type Matrix = "bt601" | "bt709" | "bt2020"
const SHARES: Record<Matrix, [red: number, blue: number]> = {
  bt601: [0.299, 0.114],
  bt709: [0.2126, 0.0722],
  bt2020: [0.2627, 0.0593],
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

/** RGB [height,width,3]. */
export function rgbOf(planes: Planes): Uint8Array {
  return planes.format === "RGBA" ? withoutAlpha(planes) : converted(planes)
}

function converted({ format, data, layout, width, height, matrix, fullRange }: Planes): Uint8Array {
  const [kr, kb] = SHARES[matrix]
  const kg = 1 - kr - kb
  const [black, gain, spread] = fullRange ? [0, 1, 1] : [16, 255 / 219, 255 / 224]
  const table = (factor: number) => Float32Array.from({ length: 256 }, (_, value) => factor * spread * (value - 128))
  const [redOfV, blueOfU] = [table(2 * (1 - kr)), table(2 * (1 - kb))]
  const [greenOfU, greenOfV] = [table((-2 * kb * (1 - kb)) / kg), table((-2 * kr * (1 - kr)) / kg)]
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
      const light = gain * (data[row + x] - black)
      out[to] = light + redOfV[cr]
      out[to + 1] = light + greenOfU[cb] + greenOfV[cr]
      out[to + 2] = light + blueOfU[cb]
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
export async function planesOf(frame: PixelSource, matrix: Matrix): Promise<Planes> {
  const { width, height } = frame.visibleRect ?? { width: frame.codedWidth, height: frame.codedHeight }
  const own = frame.format === "I420" || frame.format === "NV12" ? frame.format : null
  const options = own === null ? { format: "RGBA" as const } : {}
  const data = new Uint8Array(own === null ? width * height * 4 : frame.allocationSize())
  const layout = await frame.copyTo(data, options)
  const fullRange = frame.colorSpace.fullRange ?? false
  return { format: own ?? "RGBA", data, layout, width, height, matrix, fullRange }
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
