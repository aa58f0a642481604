/**
 * The people of a video's frames. What was found once is kept, frame by frame: another rate, another window or an interruption costs no
 * frame twice.
 *
 * ```
 * <folder>/<key>.jsonl   key: of the detector and the video's content; a line a frame:
 *                        { frame, people: [[x1, y1, x2, y2, score], …], looks: [[red, green, blue, red, green, blue], …] }
 * ```
 */

import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { hashJson, notWritten } from "@fourtier/tensor/node"
import { z } from "zod"
import { markUsed } from "../util/cache-folders.ts"
import type { VideoReader } from "../video/reader.ts"
import type { PersonBox } from "./boxes.ts"
import type { PersonDetector } from "./detector.ts"
import { lookOf } from "./look.ts"
import type { PeopleAt } from "./track.ts"

export interface FindOptions {
  /** Where finds are kept, and the content hash of the video; null: nowhere. */
  keep: { folder: string; hash: string } | null
  /** Told of frames that are done, of all. */
  onProgress?: (frames: number, of: number) => void
  signal?: AbortSignal
}

/** Digits of corners and scores that are kept: a hundredth of a pixel of the largest picture. */
const DIGITS = 6

/** Frames whose finds are written at once. */
const FLUSH = 16

const lineSchema = z.object({
  frame: z.int().nonnegative(),
  people: z.array(z.tuple([z.number(), z.number(), z.number(), z.number(), z.number()])),
  looks: z.array(z.array(z.number())),
})

/**
 * Finds the people of chosen frames.
 * @param frames numbers of frames, ascending
 *
 * @example
 * ```ts
 * import { evenFrames, findPeople, linkTracks, openDetector } from "fourtier/people"
 * import { VideoReader } from "fourtier/video"
 *
 * const [video, detector] = [await VideoReader.open("street.mp4"), await openDetector()]
 * const people = await findPeople(video, detector, evenFrames(video.times, 10), { keep: null })
 * console.log(linkTracks(people, { sure: detector.sure }).length)
 * await Promise.all([video.close(), detector.release()])
 * ```
 */
export async function findPeople(
  video: VideoReader,
  detector: PersonDetector,
  frames: readonly number[],
  { keep, onProgress, signal }: FindOptions,
): Promise<PeopleAt[]> {
  const kept = keep && FoundPeople.open(keep.folder, hashJson([detector.id, keep.hash]))
  const found = new Map<number, readonly PersonBox[]>()
  for (const frame of frames) {
    const before = kept?.known.get(frame)
    if (before !== undefined) found.set(frame, before)
  }
  const missing = frames.filter((frame) => !found.has(frame))
  onProgress?.(found.size, frames.length)
  try {
    for await (const { index, picture } of video.frames(missing, { size: detector.sizeOf(video), signal })) {
      const people = (await detector.find(picture)).map(rounded).map((person) => {
        return { ...person, look: lookOf(picture, person.box) }
      })
      found.set(index, people)
      kept?.add(index, people)
      onProgress?.(found.size, frames.length)
    }
  } finally {
    kept?.flush()
  }
  return frames.map((frame) => ({ time: video.times[frame], people: found.get(frame) ?? [] }))
}

/**
 * Frames so many a second, or all where the video has fewer.
 *
 * @example
 * ```ts
 * import { evenFrames } from "fourtier/people"
 *
 * evenFrames([0, 0.1, 0.2, 0.3, 0.4], 5) // [0, 2, 4]
 * ```
 */
export function evenFrames(times: ArrayLike<number>, rate: number): number[] {
  const frames: number[] = []
  let next = Number.NEGATIVE_INFINITY
  for (let frame = 0; frame < times.length; frame++) {
    if (times[frame] < next - 1e-6) continue
    frames.push(frame)
    // from the clock, not from this frame: frames between two ticks do not add up
    next = (Math.floor(times[frame] * rate + 1e-6) + 1) / rate
  }
  return frames
}

function rounded({ box, score }: PersonBox): PersonBox {
  const round = (value: number) => Number(value.toFixed(DIGITS))
  const [x1, y1, x2, y2] = box
  return { box: [round(x1), round(y1), round(x2), round(y2)], score: round(score) }
}

/** What was found in the frames of one video, in a file to which lines are added. */
class FoundPeople {
  readonly known = new Map<number, readonly PersonBox[]>()
  readonly #path: string
  #lines: string[] = []

  private constructor(path: string) {
    this.#path = path
  }

  static open(folder: string, key: string): FoundPeople {
    const path = join(folder, `${key}.jsonl`)
    const people = new FoundPeople(path)
    if (existsSync(path)) {
      void markUsed(path)
      for (const line of readFileSync(path, "utf8").split("\n")) people.#read(line)
    } else {
      try {
        mkdirSync(folder, { recursive: true })
      } catch (error) {
        throw notWritten(folder, error, "found people")
      }
    }
    return people
  }

  add(frame: number, people: readonly PersonBox[]): void {
    const looks = people.map(({ look = [] }) => look)
    this.#lines.push(JSON.stringify({ frame, people: people.map(({ box, score }) => [...box, score]), looks }))
    if (this.#lines.length >= FLUSH) this.flush()
  }

  flush(): void {
    if (this.#lines.length === 0) return
    try {
      // a line that a kill has torn must not swallow the next one
      appendFileSync(this.#path, `\n${this.#lines.join("\n")}\n`)
    } catch (error) {
      throw notWritten(this.#path, error, "found people")
    }
    this.#lines = []
  }

  #read(line: string): void {
    if (line === "") return
    let json: unknown
    try {
      json = JSON.parse(line)
    } catch {
      return
    }
    const { success, data } = lineSchema.safeParse(json)
    if (!success) return
    this.known.set(
      data.frame,
      data.people.map(([x1, y1, x2, y2, score], i) => ({ box: [x1, y1, x2, y2], score, look: data.looks[i] })),
    )
  }
}
