import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { decodeFrames } from "../../src/video/decode.ts"
import { type ClipRecipe, makeClip, readNumbers, scratchFolder, wholeFile } from "./fixtures.ts"

const folder = scratchFolder()

/** name → recipe; the ending is the container. */
const kinds: Record<string, ClipRecipe> = {
  "h264.mp4": { options: { g: "12", bf: "3" } },
  "h264-open-gop.mkv": { options: { g: "12", bf: "3", "x264-params": "open-gop=1" } },
  "h264.ts": { options: { g: "12", bf: "2" } },
  "h264-long-gop.mp4": { frames: 120, options: { g: "250", bf: "3" } },
  "hevc.mp4": {
    codec: "libx265",
    width: 128,
    height: 96,
    options: { g: "12", bf: "3", "x265-params": "log-level=none" },
  },
  "vp9.webm": { codec: "libvpx-vp9", options: { g: "10", deadline: "realtime", "cpu-used": "8" } },
  "vp9-hidden.webm": {
    codec: "libvpx-vp9",
    options: { g: "30", "lag-in-frames": "16", "auto-alt-ref": "1", "cpu-used": "5" },
  },
  "vp8-hidden.webm": {
    codec: "libvpx",
    options: { g: "30", "lag-in-frames": "16", "auto-alt-ref": "1", "cpu-used": "5" },
  },
  "xvid.avi": { codec: "mpeg4", options: { g: "12", bf: "2" } },
  "xvid-no-b.avi": { codec: "mpeg4", options: { g: "12", bf: "0" } },
  "mpeg4.mp4": { codec: "mpeg4", options: { g: "12", bf: "2" } },
  "mpeg2.mpg": { codec: "mpeg2video", options: { g: "12", bf: "2" } },
  "mjpeg.avi": { codec: "mjpeg", pixelFormat: "yuvj420p" },
  "ffv1-odd.mkv": { codec: "ffv1", width: 67, height: 49 },
  "h264-odd-444.mp4": { width: 67, height: 49, pixelFormat: "yuv444p" },
  "h264-gray.mp4": { pixelFormat: "gray" },
  "h264-10-bit.mp4": { pixelFormat: "yuv420p10le" },
  "h264-422-10-bit.mp4": { pixelFormat: "yuv422p10le" },
  "alpha.mov": { codec: "qtrle", pixelFormat: "argb" },
  "vp9-alpha.webm": {
    codec: "libvpx-vp9",
    pixelFormat: "yuva420p",
    options: { deadline: "realtime", "cpu-used": "8" },
  },
}

describe("every kind of file gives the frames asked for", () => {
  test.each(Object.entries(kinds))("%s", (name, recipe) => {
    const path = makeClip(join(folder, name), recipe)
    const count = recipe.frames ?? 30
    const all = decodeFrames(wholeFile(path), ({ times }) => [...times.keys()])
    expect(readNumbers(all)).toEqual(Array.from({ length: count }, (_, i) => i))
    expect(all.padded).toBe(0)
    expect([all.width, all.height]).toEqual([recipe.width ?? 64, recipe.height ?? 48])
  })
})
