/** Clips for `decode.ts`: a panned texture with moving discs and a little noise, encoded as data sets are. */

import { join } from "node:path"
import { encodeClip } from "../packages/fourtier/tests/video/encode.ts"

export interface BenchKind {
  name: string
  ending: string
  codec: "libx264" | "libvpx-vp9" | "mpeg4"
  width: number
  height: number
  options: Record<string, string>
}

/** Kinetics-like H.264 (x264's defaults), VP9 as in WebM clips of the web, Xvid as in UCF-101 and HMDB51. */
export const KINDS: readonly BenchKind[] = [
  { name: "h264", ending: "mp4", codec: "libx264", width: 340, height: 256, options: { preset: "fast", crf: "23" } },
  {
    name: "vp9",
    ending: "webm",
    codec: "libvpx-vp9",
    width: 340,
    height: 256,
    options: { g: "128", b: "400k", deadline: "realtime", "cpu-used": "6" },
  },
  {
    name: "xvid",
    ending: "avi",
    codec: "mpeg4",
    width: 320,
    height: 240,
    options: { g: "250", bf: "2", b: "500k", mbd: "simple" },
  },
]

/** Encodes one clip of ten seconds; `seed` moves things about. */
export function makeBenchClip(folder: string, kind: BenchKind, seed: number): string {
  const { width, height, codec, options } = kind
  return encodeClip(join(folder, `${kind.name}-${seed}.${kind.ending}`), {
    codec,
    width,
    height,
    options,
    frames: 300,
    fps: 30,
    paint: (frame, pixels, stride) => paintScene(frame, seed, pixels, stride, width, height),
  })
}

function paintScene(
  frame: number,
  seed: number,
  pixels: Uint8Array,
  stride: number,
  width: number,
  height: number,
): void {
  const shift = frame * 0.7 + seed * 31
  let noise = (frame * 7919 + seed * 104_729 + 1) >>> 0
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const u = x + shift
      const texture =
        40 * Math.sin(u * 0.11) * Math.cos(y * 0.07) + 25 * Math.sin((u + 2 * y) * 0.31) + 15 * Math.sin(u * y * 0.0013)
      noise = (Math.imul(noise, 1_664_525) + 1_013_904_223) >>> 0
      const level = 120 + texture + (noise >>> 29)
      const at = y * stride + x * 3
      pixels[at] = level
      pixels[at + 1] = level * 0.9
      pixels[at + 2] = level * 0.7 + 30
    }
  }
  for (let disc = 0; disc < 4; disc++) {
    const angle = frame * (0.02 + 0.015 * disc) + seed + disc
    const cx = width * (0.5 + 0.35 * Math.cos(angle))
    const cy = height * (0.5 + 0.35 * Math.sin(angle * 1.3))
    const radius = height * (0.08 + 0.03 * disc)
    for (let y = Math.max(0, Math.ceil(cy - radius)); y < Math.min(height, cy + radius); y++) {
      const half = Math.sqrt(radius * radius - (y - cy) * (y - cy))
      for (let x = Math.max(0, Math.ceil(cx - half)); x < Math.min(width, cx + half); x++) {
        const at = y * stride + x * 3
        pixels[at] = 60 * disc
        pixels[at + 1] = 200 - 40 * disc
        pixels[at + 2] = 90 + 30 * disc
      }
    }
  }
}
