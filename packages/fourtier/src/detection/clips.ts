/** Clips around key frames: the seconds before and after each, with boxes on the square picture that the encoder sees. */

import { plural, type Reporter } from "@fourtier/core"
import { frameKey } from "@fourtier/core/metrics"
import type { Clip } from "../video/manifest.ts"
import { clipOfProbe, probeFile } from "../video/probe.ts"
import type { DetectionData, KeyFrame, Part } from "./data.ts"

/** A key frame with the clip around it. */
export interface FramedClip {
  keyFrame: KeyFrame
  /** Time of the key frame in the video's file. */
  seconds: number
  clip: Clip
}

export interface ClippedPart extends Pick<Part, "name" | "excluded"> {
  clips: FramedClip[]
}

/** Seconds at which AVA's videos are cut before they are distributed by others: annotations keep the film's own time. */
const AVA_START = 900

/**
 * Measures the videos and cuts the window of each key frame. Key frames beyond a video's end, and those of videos that cannot be
 * used, are left out, counted and said. Videos that begin at second 900 of the film, as AVA is often cut, are told by
 * their length.
 * @param window seconds, the key frame in the middle
 *
 * @example
 * ```ts
 * import { silent } from "@fourtier/core"
 * import { clipKeyFrames, readAva } from "fourtier/detection"
 *
 * const [train] = await clipKeyFrames(await readAva("ava"), 2, silent)
 * ```
 */
export async function clipKeyFrames(data: DetectionData, window: number, reporter: Reporter): Promise<ClippedPart[]> {
  const times = new Map<string, Set<number>>()
  for (const { keyFrames } of data.parts) {
    for (const { videoId, timestamp } of keyFrames) {
      times.set(videoId, (times.get(videoId) ?? new Set()).add(timestamp))
    }
  }
  const clips = new Map<string, Omit<FramedClip, "keyFrame">>()
  const late: string[] = []
  const broken: string[] = []
  const task = reporter.task("measure", times.size, "videos")
  for (const [videoId, seconds] of times) {
    const path = data.videos.get(videoId) ?? ""
    const whole = probeFile(path, [{ start: null, end: null }])
    const [measured] = whole.measures
    if ("reason" in measured) broken.push(`${videoId} (${measured.reason})`)
    else {
      const all = [...seconds]
      const isCut = Math.min(...all) >= AVA_START && Math.max(...all) > measured.duration
      const start = isCut ? AVA_START : 0
      const inside = all.filter((second) => second - start < measured.duration)
      for (const second of all) if (!inside.includes(second)) late.push(`${videoId} at ${second} s`)
      const windows = inside.map((second) => ({
        start: Math.max(0, second - start - window / 2),
        end: Math.min(measured.duration, second - start + window / 2),
      }))
      const { measures } = probeFile(path, windows)
      for (const [i, second] of inside.entries()) {
        const measure = measures[i]
        if ("reason" in measure) broken.push(`${videoId} at ${second} s (${measure.reason})`)
        else {
          const clip = clipOfProbe(path, { ...whole, measures: [measure] }, windows[i])
          clips.set(frameKey({ videoId, timestamp: second }), {
            seconds: second - start,
            clip: { ...clip, ...namedAs(`${videoId}@${second}`) },
          })
        }
      }
    }
    task.tick()
    // codecs give their memory back when the event loop turns
    await new Promise((turn) => setImmediate(turn))
  }
  task.done()
  if (late.length > 0) reporter.warn(`${plural(late.length, "key frame")} beyond the end of the video: ${shown(late)}`)
  if (broken.length > 0) reporter.warn(`cannot be used: ${shown(broken)}`)
  return data.parts.map(({ name, excluded, keyFrames }) => ({
    name,
    excluded,
    clips: keyFrames.flatMap((keyFrame) => {
      const framed = clips.get(frameKey(keyFrame))
      return framed ? [{ keyFrame, ...framed }] : []
    }),
  }))
}

/** A clip around a key frame, or a person in it, is called by its id alone: several may have the same file and window. */
export const namedAs = (id: string) => ({ id, relative: id })

const shown = (items: readonly string[]) =>
  `${items.slice(0, 3).join(", ")}${items.length > 3 ? ` and ${items.length - 3} more` : ""}`
