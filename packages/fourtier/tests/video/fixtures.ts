/**
 * Small clips made with node-av's encoders. Every frame carries its own number as eight black or white blocks, so that a
 * test can read from pixels which frame it got, whatever the codec did to them.
 */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterAll } from "vitest"
import { type EncodeRecipe, encodeClip } from "./encode.ts"

export interface ClipRecipe extends Omit<EncodeRecipe, "paint"> {
  /** RGB of the lower half, by default a grey that changes slowly. */
  background?: (frame: number) => readonly [number, number, number]
}

/** A folder that is removed after the tests of the file. */
export function scratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "fourtier-video-"))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Makes data folders of given files in a scratch folder. Nothing is opened as video by those who use it, so any content will do. */
export function dataFolders(folder: string): (files: Record<string, string>) => string {
  let made = 0
  return (files) => {
    const root = join(folder, `data-${made++}`)
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, name)), { recursive: true })
      writeFileSync(join(root, name), text)
    }
    return root
  }
}

/** Writes a clip; the ending of the path chooses the container. */
export function makeClip(path: string, recipe: ClipRecipe = {}): string {
  const { width = 64, height = 48, background = (i) => [90 + (i % 60), 110, 130] } = recipe
  return encodeClip(path, {
    ...recipe,
    paint: (frame, pixels, stride) => paint(frame, pixels, stride, width, height, background(frame)),
  })
}

/** The number painted into a picture, read from its eight blocks; `[height, width, 3]` RGB. */
export function readNumber(rgb: Uint8Array, width: number, height: number): number {
  let number = 0
  for (let bit = 0; bit < 8; bit++) {
    const x = Math.floor(((bit % 4) + 0.5) * (width / 4))
    const y = Math.floor(((bit < 4 ? 0 : 1) + 0.5) * (height / 4))
    if (rgb[(y * width + x) * 3 + 1] > 128) number |= 1 << bit
  }
  return number
}

/** Numbers of all pictures of a decoded result. */
export function readNumbers(decoded: { data: Uint8Array; width: number; height: number }): number[] {
  const area = decoded.width * decoded.height * 3
  return Array.from({ length: decoded.data.length / area }, (_, t) =>
    readNumber(decoded.data.subarray(t * area, (t + 1) * area), decoded.width, decoded.height),
  )
}

/** One second of silence, as a WAV file. */
export function makeSound(path: string): string {
  const samples = Buffer.alloc(16_000)
  const head = Buffer.alloc(44)
  head.write("RIFF", 0)
  head.writeUInt32LE(36 + samples.length, 4)
  head.write("WAVEfmt ", 8)
  head.writeUInt32LE(16, 16)
  head.writeUInt16LE(1, 20)
  head.writeUInt16LE(1, 22)
  head.writeUInt32LE(8000, 24)
  head.writeUInt32LE(16_000, 28)
  head.writeUInt16LE(2, 32)
  head.writeUInt16LE(16, 34)
  head.write("data", 36)
  head.writeUInt32LE(samples.length, 40)
  writeFileSync(path, Buffer.concat([head, samples]))
  return path
}

/** A clip description for decoding a whole file whose counts are not known. */
export function wholeFile(path: string): { path: string; start: null; end: null; frames: number; fps: number } {
  return { path, start: null, end: null, frames: 0, fps: 0 }
}

function paint(
  number: number,
  pixels: Uint8Array,
  stride: number,
  width: number,
  height: number,
  color: readonly number[],
): void {
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const bit = Math.floor((x * 4) / width) + (y * 4 < height ? 0 : 4)
      const level = y * 2 < height ? ((number >> bit) & 1) * 255 : null
      for (let c = 0; c < 3; c++) pixels[y * stride + x * 3 + c] = level ?? color[c]
    }
  }
}
