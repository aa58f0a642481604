/** A copy of a video with the actions of its spans written on it. */

import type { FoundSpan } from "@fourtier/core/bundle"
import { type AnnotateOptions, annotateVideo, type MarkedVideo } from "../video/annotate.ts"

/**
 * Writes a copy of a video, as H.264 in MP4, with a caption on every frame of a span: its action, and how probable it is.
 * @param spans in order of time; where two overlap, both are written
 * @throws FourtierError where the video cannot be decoded, or the file not be written
 *
 * @example
 * ```ts
 * import { drawSpans, loadForStream, segmentVideo } from "fourtier/deploy"
 * import { VideoReader } from "fourtier/video"
 *
 * const recognizer = await loadForStream("runs/mine/bundle")
 * const { spans } = await segmentVideo(recognizer, "hour.mp4")
 * const video = await VideoReader.open("hour.mp4")
 * await drawSpans(video, "hour.captioned.mp4", spans)
 * await video.close()
 * await recognizer.release()
 * ```
 */
export async function drawSpans(
  video: MarkedVideo,
  out: string,
  spans: readonly FoundSpan[],
  options: AnnotateOptions = {},
): Promise<void> {
  let [from, to] = [0, 0]
  await annotateVideo(
    video,
    out,
    (time) => {
      while (to < spans.length && spans[to].start <= time) to++
      while (from < to && spans[from].end <= time) from++
      const shown = spans.slice(from, to).filter(({ end }) => end > time)
      if (shown.length === 0) return []
      return [{ caption: shown.map(({ label, score }) => `${label} ${Math.round(100 * score)} %`).join(" · ") }]
    },
    options,
  )
}
