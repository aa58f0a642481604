/** Protects: interlaced video, odd colours, turned pictures and files with several streams decode, or the doctor says what not. */

import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { FormatContext, Packet } from "node-av"
import { describe, expect, test } from "vitest"
import { decodeFrames } from "../../src/video/decode.ts"
import { orientationMessage, temporalLayer } from "../../src/video/headers.ts"
import { clipOfFile } from "../../src/video/probe.ts"
import { makeClip, readNumbers, scratchFolder, wholeFile } from "./fixtures.ts"

const folder = scratchFolder()

describe("interlaced video", () => {
  test.each([
    ["h264.mp4", "libx264", { "x264-params": "tff=1", g: "12", bf: "2" }],
    ["h264.ts", "libx264", { "x264-params": "tff=1", g: "12", bf: "2" }],
    ["mpeg2.mpg", "mpeg2video", { flags: "+ildct+ilme", g: "12", bf: "2" }],
  ])("%s: frames as they are, or deinterlaced", (name, codec, options) => {
    const path = makeClip(join(folder, `interlaced-${name}`), { codec, frames: 40, options })
    const clip = clipOfFile(path)
    expect(clip.frames).toBe(40)
    const all = decodeFrames(wholeFile(path), ({ times }) => [...times.keys()])
    expect([readNumbers(all), all.padded]).toEqual([Array.from({ length: 40 }, (_, i) => i), 0])
    const indices = [0, 7, 12, 23, 39]
    expect(readNumbers(decodeFrames(clip, { indices }))).toEqual(indices)
    const deinterlaced = decodeFrames(clip, { indices }, { deinterlace: true })
    expect([readNumbers(deinterlaced), deinterlaced.padded]).toEqual([indices, 0])
    expect(Buffer.from(deinterlaced.data).equals(decodeFrames(clip, { indices }).data)).toBe(false)
    expect(clip.notes).toEqual([expect.stringMatching(/^interlaced/)])
    const singly = indices.map((index) => decodeFrames(clip, { indices: [index] }, { deinterlace: true }).data)
    expect(Buffer.concat(singly).equals(deinterlaced.data), "a pick alone gives the same pixels").toBe(true)
  })
})

describe("YUV matrices that the scaler does not know", () => {
  test.each(["YCgCo", "smpte2085", "chroma-derived-nc", "chroma-derived-c", "ICtCp"])(
    "%s: BT.601, and a note",
    (name) => {
      const options = { "x264-params": `colormatrix=${name}`, crf: "4" }
      const clip = clipOfFile(makeClip(join(folder, `${name}.mp4`), { frames: 3, options }))
      expect(clip.notes).toEqual([expect.stringMatching(/^colours are read as BT\.601: .* \(code \d+\)/)])
      const plain = makeClip(join(folder, "plain.mp4"), { frames: 3, options: { crf: "4" } })
      const [odd, usual] = [clip, wholeFile(plain)].map((one) => decodeFrames(one, { indices: [0, 2] }).data)
      expect(Buffer.from(odd).equals(usual)).toBe(true)
    },
  )

  test("BT.2020 of constant luminance is taken for the other BT.2020, without a note", () => {
    const [constant, other] = ["bt2020c", "bt2020nc"].map((name) => {
      const options = { "x264-params": `colormatrix=${name}` }
      return clipOfFile(makeClip(join(folder, `${name}.mp4`), { frames: 3, options }))
    })
    expect(constant.notes).toBeUndefined()
    const [a, b] = [constant, other].map((clip) => decodeFrames(clip, { indices: [1] }).data)
    expect(Buffer.from(a).equals(b)).toBe(true)
  })
})

describe("display orientation messages", () => {
  /** SEI payload 47: not cancelled, flips, 16 bits of anticlockwise turn, repetition period 1, no extension. */
  const payload = (flips: string, turn: number) =>
    Buffer.from(
      `0${flips}${turn.toString(2).padStart(16, "0")}01001000`
        .match(/.{8}/g)
        ?.map((bits) => Number.parseInt(bits, 2)) ?? [],
    )
  const unit = (flips: string, turn: number) => {
    const bytes = payload(flips, turn)
    return Buffer.concat([Buffer.from([6, 47, bytes.length]), bytes, Buffer.from([0x80])])
  }

  test("a raw H.264 stream is turned as its message says", () => {
    const recipe = { frames: 4, options: { crf: "2", flags: "-global_header" } }
    const path = makeClip(join(folder, "plain.h264"), recipe)
    const bytes = readFileSync(path)
    const at = bytes.indexOf(Buffer.from([0, 0, 1, 0x67]))
    const turned = join(folder, "turned.h264")
    const message = Buffer.concat([Buffer.from([0, 0, 1]), unit("00", 16_384)])
    const slice = bytes.indexOf(Buffer.from([0, 0, 1, 6]), at)
    writeFileSync(turned, Buffer.concat([bytes.subarray(0, slice), message, bytes.subarray(slice)]))
    const clip = clipOfFile(turned)
    expect([clip.width, clip.height, clip.rotation]).toEqual([48, 64, 270])
    const [upright, sideways] = [path, turned].map((name) => decodeFrames(wholeFile(name), { indices: [1] }))
    expect([sideways.width, sideways.height]).toEqual([48, 64])
    const pixel = ({ data, width }: { data: Uint8Array; width: number }, x: number, y: number) => [
      ...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3),
    ]
    for (const [x, y] of [
      [3, 5],
      [40, 20],
      [63, 47],
    ]) {
      expect(pixel(sideways, y, 63 - x)).toEqual(pixel(upright, x, y))
    }
  })

  test("flips come before the turn, in H.264 and HEVC, after start codes and lengths", () => {
    const mirrored = unit("10", 16_384)
    const lengths = Buffer.concat([Buffer.from([0, 0, 0, 2, 9, 16]), Buffer.from([0, 0, 0, mirrored.length]), mirrored])
    const found = { xx: 0, xy: 1, yx: 1, yy: 0 }
    expect(orientationMessage("h264", lengths)).toEqual(found)
    const hevc = Buffer.concat([Buffer.from([0, 0, 0, 1, 0x4e, 1]), mirrored.subarray(1)])
    expect(orientationMessage("hevc", hevc)).toEqual(found)
    expect(orientationMessage("h264", Buffer.from([0, 0, 0, 2, 0x65, 0]))).toBeNull()
    expect(orientationMessage("vp9", lengths)).toBeNull()
  })

  test("the temporal layer of an HEVC packet is read from its first unit", () => {
    expect(temporalLayer(Buffer.from([0, 0, 0, 3, 0x02, 3, 0]))).toBe(2)
    expect(temporalLayer(Buffer.from([0, 0, 1, 0x26, 1, 0]))).toBe(0)
  })
})

test("of several video streams the one that FFmpeg takes is taken, and the doctor says so", () => {
  const recipe = { frames: 5, options: { bf: "0", flags: "-global_header" } }
  const small = makeClip(join(folder, "small.ts"), { ...recipe, width: 32, height: 32 })
  const large = makeClip(join(folder, "large.ts"), { ...recipe, width: 128, height: 96 })
  const both = mux([small, large], join(folder, "both.ts"))
  const clip = clipOfFile(both)
  expect([clip.width, clip.height, clip.frames]).toEqual([128, 96, 5])
  expect(clip.notes).toEqual(["2 video streams: the one of 128×96 is taken, not 32×32"])
  expect(readNumbers(decodeFrames(clip, { indices: [0, 3] }))).toEqual([0, 3])
})

/** Copies the video of several files into one. */
function mux(paths: readonly string[], target: string): string {
  const output = new FormatContext()
  output.allocOutputContext2(null, null, target)
  const inputs = paths.map((path) => {
    const input = new FormatContext()
    input.openInputSync(path, null, null)
    input.findStreamInfoSync(null)
    const stream = output.newStream(null)
    input.streams[0].codecpar.copy(stream.codecpar)
    return { input, from: input.streams[0], stream }
  })
  output.openOutputSync()
  output.writeHeaderSync(null)
  const packet = new Packet()
  packet.alloc()
  for (const { input, from, stream } of inputs) {
    while (input.readFrameSync(packet) >= 0) {
      packet.streamIndex = stream.index
      packet.rescaleTs(from.timeBase, stream.timeBase)
      output.interleavedWriteFrameSync(packet)
    }
    input.closeInputSync()
  }
  output.writeTrailerSync()
  output.closeOutputSync()
  output.freeContext()
  return target
}
