/**
 * Long videos with known spans from clips: those of each group (a person, a scene, a recording) one after the other, in a drawn order.
 * Before a clip its first picture stands for 1 to 3 s, after it its last one for 0.5 to 2 s: nothing happens there. Pictures are fitted
 * into the frame, the rest is black.
 *
 *     npm run bench && node .fourtier/bench/join_clips.js <data> <out> [split column] [width, 854] [height, 480]
 *
 * Writes <out>/<group>.mp4, 30 frames a second, and segments.csv: path, label, start, end, split. From there on:
 *
 *     fourtier data segments <out> --annotations <out>/segments.csv --background -o <out>/clips.csv
 *     fourtier segment <bundle> <out> --truth <out>/segments.csv
 */

import { existsSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { csvLine } from "@fourtier/core"
import { Rng } from "@fourtier/tensor"
import { eachFrame, type Source, scanSource, VideoEncoder } from "fourtier/video"
import { stop } from "./harness.ts"

const FPS = 30

interface Size {
  width: number
  height: number
}

/** A video that grows picture by picture. */
class Take {
  readonly #encoder: VideoEncoder
  readonly #size: Size
  frames = 0

  constructor(path: string, size: Size) {
    this.#size = size
    this.#encoder = VideoEncoder.open(path, { ...size, fps: FPS, threads: 1 })
  }

  get seconds(): number {
    return this.frames / FPS
  }

  /** @param seconds for which the picture stands, rounded to frames; one frame at least */
  show(picture: Uint8Array, seconds: number): void {
    for (let left = Math.max(1, Math.round(seconds * FPS)); left > 0; left--) {
      this.#encoder.write(picture, this.frames++ / FPS)
    }
  }

  /** A picture of its own, in the middle of a black frame. */
  fitted(data: Uint8Array, own: Size): Uint8Array {
    const { width, height } = this.#size
    const frame = new Uint8Array(width * height * 3)
    const [left, top] = [Math.floor((width - own.width) / 2), Math.floor((height - own.height) / 2)]
    for (let y = 0; y < own.height; y++) {
      frame.set(data.subarray(y * own.width * 3, (y + 1) * own.width * 3), ((top + y) * width + left) * 3)
    }
    return frame
  }

  finish(): void {
    this.#encoder.finish()
  }
}

/** Adds a clip with stillness before and after it; its span, in seconds. */
function addClip(take: Take, { path, start, end }: Source["clips"][number], size: Size, rng: Rng) {
  let begun: number | null = null
  let last: Uint8Array = new Uint8Array(0)
  let shown = 0
  const clip = { path, start, end, frames: 0, fps: 0 }
  eachFrame(
    clip,
    ({ time, data, width, height }) => {
      const picture = take.fitted(data, { width, height })
      if (begun === null) {
        take.show(picture, rng.uniform(1, 3))
        begun = take.seconds
      }
      // a slower clip's pictures stand until the next one is due, a faster one's are left out
      for (; shown <= Math.round(time * FPS); shown++) take.show(picture, 0)
      last = picture
    },
    { size: { within: size } },
  )
  const span = { start: begun ?? 0, end: take.seconds }
  take.show(last, rng.uniform(0.5, 2))
  return span
}

const [data, out, column = "split", width = "854", height = "480"] = process.argv.slice(2)
if (!data || !out) stop("usage: node .fourtier/bench/join_clips.js <data> <out> [split column] [width] [height]")
const size = { width: Number(width), height: Number(height) }
mkdirSync(out, { recursive: true })
const groups = new Map<string, Source["clips"]>()
for (const clip of (await scanSource(data)).clips) {
  const group = clip.group ?? "all"
  groups.set(group, [...(groups.get(group) ?? []), clip])
}
const lines = [csvLine(["path", "label", "start", "end", "split"])]
for (const [group, clips] of [...groups].sort(([a], [b]) => (a < b ? -1 : 1))) {
  const path = `${group}.mp4`
  if (existsSync(join(out, path))) stop(`${join(out, path)} is there already: take another folder`)
  const take = new Take(join(out, path), size)
  const rng = Rng.fork(1, "join", group)
  const drawn = clips.map((clip) => ({ clip, place: rng.next() })).sort((a, b) => a.place - b.place)
  for (const { clip } of drawn) {
    const { start, end } = addClip(take, clip, size, rng)
    // what decoder and encoder hold is given back when the event loop turns
    await new Promise((resolve) => setImmediate(resolve))
    const split = clip.columns[column] ?? clip.split ?? ""
    lines.push(csvLine([path, clip.labels[0] ?? "", start.toFixed(3), end.toFixed(3), split]))
  }
  take.finish()
  process.stderr.write(`${path}: ${clips.length} clips, ${take.seconds.toFixed(1)} s\n`)
}
writeFileSync(join(out, "segments.csv"), lines.join(""))
