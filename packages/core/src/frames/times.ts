/** When the frames of a clip are shown. */

export interface FrameTimes {
  /** Start of every frame in seconds from the clip's first frame, ascending. */
  times: Float64Array
  /** Seconds from the first frame's start to the last frame's end. */
  duration: number
}

/**
 * Number of the frame shown at `time`: the last that starts no later.
 *
 * @example
 * ```ts
 * import { evenTimes, frameAt } from "@fourtier/core/frames"
 *
 * frameAt(evenTimes(50, 25).times, 0.5) // 12
 * ```
 */
export function frameAt(times: Float64Array, time: number): number {
  let low = 0
  let high = times.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (times[middle] <= time) low = middle + 1
    else high = middle
  }
  return Math.max(0, low - 1)
}
