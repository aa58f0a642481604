/**
 * Who does what, where, in a video.
 *
 * ```
 * file ─┬─ frames, so many a second ─ person detector ─ boxes ─ tracks ─┐
 *       │                                                              ├─ key times ─ what each person there does
 *       └─ frames around each key time ─ bundle of action detection ───┘
 * ```
 * Decoding runs in a thread of its own; of pixels, only those of some seconds are in memory.
 */

import { type FrameDetector, framesAround } from "@fourtier/core/bundle"
import { leadingSize, transformOf } from "@fourtier/core/frames"
import type { Box } from "@fourtier/core/metrics"
import type { PersonDetector } from "../people/detector.ts"
import { evenFrames, type FindOptions, findPeople } from "../people/find.ts"
import { boxAt, linkTracks, type PeopleAt, type Track } from "../people/track.ts"
import { VideoReader } from "../video/reader.ts"

/** One person at a key time. */
export interface ActingPerson {
  /** Number of the track: the same person has the same at other times. */
  track: number
  /** Corners in shares of the picture. */
  box: Box
  /** Of each class of the bundle, by itself: [C]. */
  probabilities: Float32Array
}

/** What happens at a key time. */
export interface DetectedMoment {
  /** Seconds. */
  time: number
  people: ActingPerson[]
}

export interface DetectOptions extends Partial<FindOptions> {
  /** What finds people; or where they are already. */
  people: PersonDetector | readonly PeopleAt[]
  /** Frames a second in which people are looked for. Default 10. */
  rate?: number
  /** Seconds from one key time to the next. Default 1, as in AVA. Where people are given, the times at which they are count instead. */
  step?: number
  signal?: AbortSignal
}

/** Frames a second in which people are looked for. */
export const DEFAULT_RATE = 10

/** Seconds between key times. */
export const DEFAULT_STEP = 1

/** Boxes that are given are all of people. */
const TRUSTED = { sure: 0, begin: 0, least: 0, confirmed: 1 }

/**
 * What people do in a video, key time after key time. Key times without anybody come as well, with no people.
 * @throws FourtierError when the video cannot be decoded
 *
 * @example
 * ```ts
 * import { detectActions, loadDetector } from "fourtier/deploy"
 * import { openDetector } from "fourtier/people"
 *
 * const [detector, people] = [await loadDetector("runs/company/detection/bundle"), await openDetector()]
 * for await (const { time, people: found } of detectActions(detector, "street.mp4", { people })) {
 *   for (const { track, box, probabilities } of found) console.log(time, track, box, probabilities)
 * }
 * await Promise.all([detector.release(), people.release()])
 * ```
 */
export async function* detectActions(
  detector: FrameDetector,
  file: string,
  options: DetectOptions,
): AsyncGenerator<DetectedMoment> {
  const video = await VideoReader.open(file)
  try {
    const tracks = await trackPeople(video, options)
    yield* judgePeople(detector, video, tracks, keyTimesOf(video, options))
  } finally {
    await video.close()
  }
}

/**
 * The people of a video, over time.
 *
 * @example
 * ```ts
 * import { trackPeople } from "fourtier/deploy"
 * import { openDetector } from "fourtier/people"
 * import { VideoReader } from "fourtier/video"
 *
 * const [video, people] = [await VideoReader.open("street.mp4"), await openDetector()]
 * for (const { id, boxes } of await trackPeople(video, { people })) console.log(id, boxes[0].time, boxes.length)
 * await Promise.all([video.close(), people.release()])
 * ```
 */
export async function trackPeople(video: VideoReader, options: DetectOptions): Promise<Track[]> {
  const { people, rate = DEFAULT_RATE, keep = null, onProgress, signal } = options
  if (!("release" in people)) return linkTracks(people, TRUSTED)
  const frames = evenFrames(video.times, rate)
  const found = await findPeople(video, people, frames, { keep, ...{ onProgress, signal } })
  return linkTracks(found, { sure: people.sure })
}

/**
 * What tracked people do at key times.
 * @param times seconds within the video, ascending
 *
 * @example
 * ```ts
 * import type { FrameDetector } from "@fourtier/core/bundle"
 * import { judgePeople } from "fourtier/deploy"
 * import type { Track } from "fourtier/people"
 * import type { VideoReader } from "fourtier/video"
 *
 * async function print(detector: FrameDetector, video: VideoReader, tracks: Track[]) {
 *   for await (const { time, people } of judgePeople(detector, video, tracks, [1, 2, 3])) console.log(time, people.length)
 * }
 * ```
 */
export async function* judgePeople(
  detector: FrameDetector,
  video: VideoReader,
  tracks: readonly Track[],
  times: readonly number[],
  signal?: AbortSignal,
): AsyncGenerator<DetectedMoment> {
  const { bundle } = detector
  const moments = times.map((time) => {
    const present = tracks.flatMap(({ id, boxes }) => {
      const box = boxAt({ boxes }, time)
      return box === null ? [] : [{ track: id, box }]
    })
    const indices = present.length > 0 ? framesAround(bundle, video.times, video.duration, time).indices : []
    return { time, present, indices }
  })
  const needed = [...new Set(moments.flatMap(({ indices }) => indices))].sort((a, b) => a - b)
  const size = leadingSize(transformOf(bundle.steps))
  const deinterlace = bundle.sampling.deinterlace ?? false
  const frames = video.frames(needed, { ...(size ? { size } : {}), deinterlace, signal })
  const kept = new Map<number, { rows: Float32Array; width: number; height: number }>()
  for (const { time, present, indices } of moments) {
    signal?.throwIfAborted()
    if (present.length === 0) {
      yield { time, people: [] }
      continue
    }
    for (const index of kept.keys()) if (index < indices[0]) kept.delete(index)
    while (!indices.every((index) => kept.has(index))) {
      const next = await frames.next()
      if (next.done === true) throw new Error("internal error: a frame is missing")
      const { index, picture } = next.value
      const { width, height } = picture
      kept.set(index, { rows: await detector.keep({ ...picture, count: 1 }), width, height })
    }
    const own = indices.flatMap((index) => kept.get(index) ?? [])
    const rows = await detector.judge(
      own.map((frame) => frame.rows),
      own[0],
      present.map(({ box }) => box),
    )
    yield { time, people: present.map((person, i) => ({ ...person, probabilities: rows[i] })) }
  }
}

/**
 * The times at which people are judged: those at which they are given, or whole steps; the middle of a video that is shorter than a step.
 *
 * @example
 * ```ts
 * import { keyTimesOf } from "fourtier/deploy"
 *
 * keyTimesOf({ duration: 3.2 }, { people: [], step: 1 }) // [1, 2, 3]
 * ```
 */
export function keyTimesOf(
  { duration }: { duration: number },
  { people, step = DEFAULT_STEP }: Pick<DetectOptions, "people" | "step">,
): number[] {
  if (!("release" in people) && people.length > 0)
    return people.map(({ time }) => time).filter((time) => time < duration)
  const count = Math.ceil(duration / step - 1e-6) - 1
  return count < 1 ? [duration / 2] : Array.from({ length: count }, (_, k) => Number(((k + 1) * step).toFixed(6)))
}
