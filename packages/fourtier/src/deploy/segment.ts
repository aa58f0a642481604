/**
 * What happens from when to when in a long video.
 *
 * ```
 * file ─ times ─ windows, a step apart ─ frames that they sample, decoded stretch by stretch ─ each encoded once ─ head ─► spans
 * ```
 * A window is judged as `predict` judges a clip from its start to its end. Decoding runs in a thread of its own, one stretch ahead;
 * memory does not grow with the length of the video.
 */

import {
  answerOf,
  type Bundle,
  believed,
  type FoundSpan,
  type FrameRecognizer,
  findSpans,
  type HeldFrame,
  judgeWindow,
  placesOfWindow,
  type StreamOptions,
  type WindowScores,
  windowOf,
} from "@fourtier/core/bundle"
import { transformOf } from "@fourtier/core/frames"
import { WorkerPool, workerUrl } from "@fourtier/core/node"
import { type StretchJob, type StretchReply, stretchReplySchema } from "./segment-jobs.ts"

export interface SegmentOptions extends Pick<StreamOptions, "window" | "step"> {
  /** From which probability on an action is believed; default: the bundle's threshold of unknown, or 0.7. */
  threshold?: number
  /** By how much an action stands out from what is around it, at least: see `findSpans`. */
  contrast?: number
  /** Seconds that a span lasts at least; default: half a window. */
  least?: number
  /** Told of seconds that are done, of all. */
  onProgress?: (seconds: number, of: number) => void
  signal?: AbortSignal
}

export interface SegmentedVideo {
  /** Seconds. */
  duration: number
  spans: FoundSpan[]
}

/** Seconds of a stretch that is decoded at once. */
const STRETCH = 20

/**
 * The spans of a video.
 * @throws FourtierError when it cannot be decoded
 *
 * @example
 * ```ts
 * import { loadForStream, segmentVideo } from "fourtier/deploy"
 *
 * const recognizer = await loadForStream("runs/mine/bundle")
 * const { spans } = await segmentVideo(recognizer, "hour.mp4")
 * for (const { label, start, end, score } of spans) console.log(label, start, end, score)
 * await recognizer.release()
 * ```
 */
export async function segmentVideo(
  recognizer: FrameRecognizer,
  path: string,
  options: SegmentOptions = {},
): Promise<SegmentedVideo> {
  const { window, step } = windowOf(recognizer.bundle, options)
  const judged = await judgeVideo(recognizer, path, { ...options, window, step })
  return { duration: judged.duration, spans: spansOfVideo(recognizer.bundle, judged, options) }
}

/** What the windows of a video show, and its length in seconds. */
export interface JudgedWindows {
  windows: WindowScores[]
  duration: number
}

/**
 * The spans of a video from its windows. What the first and the last one show goes on to the ends of the video.
 * @param options those that `judgeVideo` was given, and how spans are found
 *
 * @example
 * ```ts
 * import { type FrameRecognizer, windowOf } from "@fourtier/core/bundle"
 * import { judgeVideo, spansOfVideo } from "fourtier/deploy"
 *
 * // With several thresholds, and judged once.
 * async function compare(recognizer: FrameRecognizer) {
 *   const { bundle } = recognizer
 *   const judged = await judgeVideo(recognizer, "hour.mp4", windowOf(bundle, {}))
 *   return [0.5, 0.7, 0.9].map((threshold) => spansOfVideo(bundle, judged, { threshold }).length)
 * }
 * ```
 */
export function spansOfVideo(
  bundle: Pick<Bundle, "labels" | "unknown" | "clipSeconds" | "input">,
  { windows, duration }: JudgedWindows,
  options: SegmentOptions = {},
): FoundSpan[] {
  const { window, step } = windowOf(bundle, options)
  const threshold = options.threshold ?? bundle.unknown?.threshold ?? 0.7
  const { contrast, least = window / 2 } = options
  const found = findSpans(windows, { labels: bundle.labels, step, threshold, contrast, least })
  const [first, last] = [(windows[0]?.time ?? 0) - step / 2, (windows.at(-1)?.time ?? 0) + step / 2]
  return found.map((span) => ({
    ...span,
    start: span.start <= first ? 0 : span.start,
    end: span.end >= last ? duration : span.end,
  }))
}

/**
 * What the windows of a video show, each at its middle.
 *
 * @example
 * ```ts
 * import { type FrameRecognizer, windowOf } from "@fourtier/core/bundle"
 * import { judgeVideo } from "fourtier/deploy"
 *
 * const curves = async (recognizer: FrameRecognizer) =>
 *   (await judgeVideo(recognizer, "hour.mp4", windowOf(recognizer.bundle, {}))).windows
 * ```
 */
export async function judgeVideo(
  recognizer: FrameRecognizer,
  path: string,
  { window, step, onProgress, signal }: SegmentOptions & { window: number; step: number },
): Promise<JudgedWindows> {
  const decoder = new WorkerPool<StretchJob, StretchReply>(
    workerUrl(import.meta.url, "./segment.worker.ts"),
    stretchReplySchema,
    { workers: 1 },
  )
  try {
    const table = await decoder.run({ times: path })
    if (!("times" in table)) throw new Error("internal error: no times")
    const { times, duration } = table
    // frames that are looked at, by number; of the others nothing but their time is known
    const held = new Map<number, HeldFrame>()
    const frameAt = (index: number) => held.get(index) ?? newFrame(times[index], null)
    const plan = planWindows(recognizer, times, duration, window, step)
    const windows: WindowScores[] = []
    let ahead = plan.length > 0 ? decodeStretch(decoder, recognizer, path, times, plan[0]) : null
    for (const [s, stretch] of plan.entries()) {
      const decoded = await ahead
      ahead = s + 1 < plan.length ? decodeStretch(decoder, recognizer, path, times, plan[s + 1]) : null
      ahead?.catch(() => undefined)
      for (const { index, picture } of decoded ?? []) held.set(index, newFrame(times[index], picture))
      for (const { from, to, middle } of stretch.windows) {
        const { rows, padded } = await judgeWindow(
          recognizer,
          Array.from({ length: to - from }, (_, i) => frameAt(from + i)),
        )
        windows.push({ time: middle, probabilities: believed(answerOf(recognizer.bundle, rows, 1, padded)) })
        for (const index of held.keys()) if (index < from) held.delete(index)
        signal?.throwIfAborted()
      }
      onProgress?.(Math.min(duration, stretch.until), duration)
    }
    return { windows, duration }
  } finally {
    await decoder.end()
  }
}

const newFrame = (time: number, picture: HeldFrame["picture"]): HeldFrame => {
  return { time, arrived: 0, picture, kept: null, answered: false }
}

interface PlannedWindow {
  /** Frames from and up to these numbers. */
  from: number
  to: number
  middle: number
}

interface Stretch {
  windows: PlannedWindow[]
  /** Frames that its windows look at and no window before, ascending. */
  indices: number[]
  /** Seconds of the video that are done after it. */
  until: number
}

/** Windows in stretches, with the frames that each looks at. Frames of one stretch lie between those of the others. */
function planWindows(
  { bundle }: FrameRecognizer,
  times: Float64Array,
  duration: number,
  window: number,
  step: number,
): Stretch[] {
  const plan: Stretch[] = []
  const seen = new Set<number>()
  let [from, to] = [0, 0]
  const count = Math.max(1, Math.floor((duration - window) / step + 1e-6) + 1)
  for (let k = 0; k < count; k++) {
    const start = k * step
    const end = count === 1 ? Math.max(duration, window) : start + window
    while (from < times.length && times[from] < start - 1e-4) from++
    while (to < times.length && times[to] < end - 1e-4) to++
    if (to <= from) continue
    const last = plan.at(-1)
    const stretch = last && end <= last.until ? last : { windows: [], indices: [], until: end + STRETCH }
    if (stretch !== last) plan.push(stretch)
    const middle = count === 1 ? duration / 2 : start + window / 2
    stretch.windows.push({ from, to, middle })
    for (const index of placesOfWindow(bundle, Array.from(times.subarray(from, to))).places.flat()) {
      if (seen.has(from + index)) continue
      seen.add(from + index)
      stretch.indices.push(from + index)
    }
  }
  for (const { indices } of plan) indices.sort((a, b) => a - b)
  return plan
}

async function decodeStretch(
  decoder: WorkerPool<StretchJob, StretchReply>,
  { bundle }: FrameRecognizer,
  path: string,
  times: Float64Array,
  { indices }: Stretch,
) {
  if (indices.length === 0) return []
  const [first, last] = [indices[0], indices[indices.length - 1]]
  const end = last + 1 < times.length ? times[last + 1] : times[last] + 3600
  const { sampling, steps } = bundle
  const found = await decoder.run({
    ...{ path, start: times[first], end, indices: indices.map((index) => index - first) },
    ...{ transform: transformOf(steps), deinterlace: sampling.deinterlace ?? false },
  })
  if (!("data" in found)) throw new Error("internal error: no frames")
  const { data, width, height } = found
  const area = width * height * 3
  return indices.map((index, i) => ({
    index,
    picture: { data: data.subarray(i * area, (i + 1) * area), count: 1, width, height },
  }))
}
