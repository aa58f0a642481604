/** A copy of a video with its people's boxes, numbers and actions drawn on it. */

import { boxAt, type Track } from "../people/track.ts"
import { type AnnotateOptions, annotateVideo, type Mark, type MarkedVideo } from "../video/annotate.ts"
import { colourOf } from "../video/draw.ts"
import type { DetectedMoment } from "./detect.ts"

export interface DrawOptions extends AnnotateOptions {
  /** Of the bundle. */
  labels: readonly string[]
  /** Actions from this probability on are written. */
  threshold: number
  /** Actions of a person that are written at most. Default 3. */
  most?: number
}

/**
 * Draws every person's box on every frame in which the track goes on, with its number and the actions of the nearest key time at which
 * the person was there.
 *
 * @example
 * ```ts
 * import { type DetectedMoment, drawDetections } from "fourtier/deploy"
 * import type { Track } from "fourtier/people"
 * import type { VideoReader } from "fourtier/video"
 *
 * const draw = (video: VideoReader, tracks: Track[], moments: DetectedMoment[], labels: string[]) =>
 *   drawDetections(video, "street.drawn.mp4", tracks, moments, { labels, threshold: 0.5 })
 * ```
 */
export async function drawDetections(
  video: MarkedVideo,
  out: string,
  tracks: readonly Track[],
  moments: readonly DetectedMoment[],
  { labels, threshold, most = 3, ...options }: DrawOptions,
): Promise<void> {
  const written = new Map<number, Written[]>()
  for (const { time, people } of moments) {
    for (const { track, probabilities } of people) {
      const top = topLabels(labels, probabilities, threshold).slice(0, most)
      const own = written.get(track) ?? []
      own.push({ time, texts: top.map(({ label, score }) => `${label} ${percent(score)}`) })
      written.set(track, own)
    }
  }
  const marksAt = (time: number): Mark[] =>
    tracks.flatMap(({ id, boxes }) => {
      const box = boxAt({ boxes }, time)
      if (box === null) return []
      const [first = "", ...others] = nearestTo(written.get(id) ?? [], time)?.texts ?? []
      return [{ box, colour: colourOf(id), texts: [`${id} ${first}`.trim(), ...others] }]
    })
  await annotateVideo(video, out, marksAt, options)
}

/**
 * Labels from a probability on, the likeliest first.
 *
 * @example
 * ```ts
 * import { topLabels } from "fourtier/deploy"
 *
 * topLabels(["stand", "walk"], [0.2, 0.9], 0.5) // [{ label: "walk", score: 0.9 }]
 * ```
 */
export function topLabels(
  labels: readonly string[],
  probabilities: ArrayLike<number>,
  threshold: number,
): { label: string; score: number }[] {
  return labels
    .map((label, c) => ({ label, score: probabilities[c] }))
    .filter(({ score }) => score >= threshold)
    .sort((a, b) => b.score - a.score)
}

const percent = (score: number) => `${Math.round(100 * score)} %`

/** What is written at a person's box around a key time. */
interface Written {
  time: number
  texts: string[]
}

/** @param items in order of time */
function nearestTo(items: readonly Written[], time: number): Written | undefined {
  let [low, high] = [0, items.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (items[middle].time < time) low = middle + 1
    else high = middle
  }
  const [before, after] = [items[low - 1], items[low]]
  if (before === undefined || after === undefined) return before ?? after
  return time - before.time <= after.time - time ? before : after
}
