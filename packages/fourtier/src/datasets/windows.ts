/**
 * Windows of one length all along a labelled video, each labelled by what happens in its middle: what `segment` and `watch` will see of
 * long video, where most windows show a part of an action, or two.
 *
 * ```
 *             ├──── jump ────┤                ├─── wave ───┤
 * ├───────┤ none        ├───────┤ none
 *     ├───────┤ –           ├───────┤ –   (the middle is next to a change: left out)
 *         ├───────┤ jump        ├───────┤ none
 * ```
 */

import { rounded, type Segment, type SegmentedVideo } from "./segment.ts"

export interface LabelledWindow {
  /** Of the label's annotation, or of the video's. */
  where: string
  label: string
  split: string
  /** Seconds, in whole milliseconds. */
  start: number
  end: number
}

export interface WindowRequest {
  /** Seconds of a window, and from one to the next. */
  length: number
  stride: number
  /** Label of windows in whose middle there is none; null: they are left out. */
  background: string | null
}

/** A middle that is nearer to a change than this share of the window is neither the one nor the other. */
const NEAR = 0.1

/**
 * The windows of a video of so many seconds. Where two labels meet in the middle, and where a window reaches into a stretch of another
 * part of the split, there is none.
 */
export function* windowsOf(
  { segments, where, split }: Pick<SegmentedVideo, "segments" | "where" | "split">,
  seconds: number,
  { length, stride, background }: WindowRequest,
): Generator<LabelledWindow> {
  const stretches = segments.map((segment) => ({ ...segment, until: segment.end ?? seconds }))
  for (let k = 0; k * stride + length <= seconds + 1e-6; k++) {
    const [start, end] = [k * stride, k * stride + length]
    const middle = (start + end) / 2
    const near = (at: number) => at > 0 && at < seconds && Math.abs(middle - at) < NEAR * length
    if (stretches.some((one) => near(one.start) || near(one.until))) continue
    const own = stretches.filter((one) => one.start <= middle && middle < one.until)
    if (new Set(own.map(({ label }) => label)).size > 1) continue
    const none = background === null ? [] : [{ where, label: background, split }]
    const [found]: Pick<Segment, "where" | "label" | "split">[] = own.length > 0 ? own : none
    if (found === undefined) continue
    const part = found.split ?? split
    const others = stretches.filter((one) => one.start < end && one.until > start)
    if (others.some((one) => (one.split ?? split) !== part)) continue
    yield { where: found.where, label: found.label, split: part, start: rounded(start), end: rounded(end) }
  }
}
