/** Boxes of people in the key frames of a data set, from a detector. */

import { groupBy, plural, type Reporter } from "@fourtier/core"
import type { PlainBox } from "@fourtier/core/metrics"
import { FourtierError } from "@fourtier/tensor"
import type { PersonDetector } from "../people/detector.ts"
import { findPeople } from "../people/find.ts"
import { placeOf } from "../video/place.ts"
import { hashPlace } from "../video/probe.ts"
import { VideoReader } from "../video/reader.ts"
import type { ClippedPart, FramedClip } from "./clips.ts"
import type { DetectionData } from "./data.ts"

export interface DetectedOptions {
  detector: PersonDetector
  /** Least score of a box; the detector's own by default. */
  threshold?: number
  /** Where found people are kept; null: nowhere. */
  folder: string | null
  reporter: Reporter
  signal?: AbortSignal
}

/**
 * The people that a detector finds in the key frames of all parts that are tested. Videos that cannot be decoded are said.
 *
 * @example
 * ```ts
 * import { silent } from "@fourtier/core"
 * import { clipKeyFrames, detectKeyFrames, readAva } from "fourtier/detection"
 * import { openDetector } from "fourtier/people"
 *
 * const [data, detector] = [await readAva("ava"), await openDetector()]
 * const parts = await clipKeyFrames(data, 2, silent)
 * const boxes = await detectKeyFrames(data, parts, { detector, folder: null, reporter: silent })
 * await detector.release()
 * ```
 */
export async function detectKeyFrames(
  { videos }: Pick<DetectionData, "videos">,
  parts: readonly ClippedPart[],
  { detector, threshold = detector.sure, folder, reporter, signal }: DetectedOptions,
): Promise<PlainBox[]> {
  const tested = parts.filter(({ name }) => name !== "train").flatMap(({ clips }) => clips)
  const task = reporter.task(`find people (${detector.name})`, tested.length, "key frames")
  const boxes: PlainBox[] = []
  const broken: string[] = []
  for (const [videoId, clips] of groupBy(tested, ({ keyFrame }) => keyFrame.videoId)) {
    try {
      boxes.push(...(await ofVideo(videos.get(videoId) ?? "", clips)))
    } catch (error) {
      if (!(error instanceof FourtierError)) throw error
      broken.push(error.message)
    }
    task.tick(clips.length)
  }
  task.done(`${plural(boxes.length, "person box", "person boxes")} in ${plural(tested.length, "key frame")}`)
  if (broken.length > 0) reporter.warn(`${plural(broken.length, "video")} cannot be decoded, such as ${broken[0]}`)
  return boxes

  async function ofVideo(path: string, clips: readonly FramedClip[]): Promise<PlainBox[]> {
    const video = await VideoReader.open(path)
    try {
      const frameOf = new Map(clips.map((clip) => [clip, video.frameAt(clip.seconds)]))
      const frames = [...new Set(frameOf.values())].sort((a, b) => a - b)
      const keep = folder === null ? null : { folder, hash: hashPlace(placeOf(path)) }
      const found = await findPeople(video, detector, frames, { keep, signal })
      return clips.flatMap((clip) => {
        const { people = [] } = found[frames.indexOf(frameOf.get(clip) ?? -1)] ?? {}
        const { videoId, timestamp } = clip.keyFrame
        return people
          .filter(({ score }) => score >= threshold)
          .map(({ box, score }) => ({ videoId, timestamp, box, score }))
      })
    } finally {
      await video.close()
    }
  }
}
