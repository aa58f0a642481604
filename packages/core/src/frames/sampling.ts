/**
 * Which frames of a clip are looked at: pure functions of the frame times, the options and a generator.
 *
 * Positions are fractions of the clip's duration; each takes the frame shown at that moment, so that clips of variable
 * frame rate are sampled evenly in time. Where frames are evenly spaced this is plain arithmetic on frame numbers.
 */

import type { Rng } from "@fourtier/tensor"
import type { Sampling } from "../schemas/sampling.ts"
import { type FrameTimes, frameAt } from "./times.ts"

/**
 * Frames of a clip, by number.
 * @param rng random places as in training; null for the fixed places of evaluation
 * @returns frame numbers `[clips][T]`, ascending within a clip
 *
 * @example
 * ```ts
 * import { evenTimes, sampleFrames } from "@fourtier/core/frames"
 *
 * sampleFrames(evenTimes(16, 25), { kind: "segments", frames: 4, clips: 1 }, null) // [[2, 6, 10, 14]]
 * ```
 */
export function sampleFrames(frames: FrameTimes, sampling: Sampling, rng: Rng | null): number[][] {
  const locate = locator(frames)
  return Array.from({ length: sampling.clips }, (_, clip) => {
    const within = (clip + 0.5) / sampling.clips
    if (sampling.kind === "segments") {
      return Array.from({ length: sampling.frames }, (_, t) => locate(t + (rng?.next() ?? within), sampling.frames))
    }
    return denseFrames(frames, sampling.frames, sampling.stride, clip, sampling.clips, rng)
  })
}

/**
 * How many places hold a frame that another place of the same clip holds already, because the clip has fewer frames than places.
 *
 * @param drawn frame numbers `[clips][T]`
 * @param total frames of the clip
 *
 * @example
 * ```ts
 * import { evenTimes, repeatedFrames, sampleFrames } from "@fourtier/core/frames"
 *
 * const drawn = sampleFrames(evenTimes(1, 25), { kind: "segments", frames: 8, clips: 1 }, null)
 * repeatedFrames(drawn, 1) // 7
 * ```
 */
export function repeatedFrames(drawn: readonly (readonly number[])[], total: number): number {
  const repeated = drawn.map((frames) => (total < frames.length ? frames.length - new Set(frames).size : 0))
  return repeated.reduce((sum, count) => sum + count, 0)
}

/**
 * Centres of `count` equal segments: the key frames of a strip.
 *
 * @example
 * ```ts
 * import { evenTimes, keyFrameIndices } from "@fourtier/core/frames"
 *
 * keyFrameIndices(evenTimes(100, 25), 5) // [10, 30, 50, 70, 90]
 * ```
 */
export function keyFrameIndices(frames: FrameTimes, count: number): number[] {
  const locate = locator(frames)
  return Array.from({ length: count }, (_, k) => locate(k + 0.5, count))
}

/**
 * Frame times of a clip with an even rate.
 *
 * @example
 * ```ts
 * import { evenTimes } from "@fourtier/core/frames"
 *
 * evenTimes(50, 25).duration // 2
 * ```
 */
export function evenTimes(frames: number, fps: number): FrameTimes {
  return { times: Float64Array.from({ length: frames }, (_, i) => i / fps), duration: frames / fps }
}

/** A function from the place `part / parts` of the clip's duration to the number of the frame shown there. */
function locator({ times, duration }: FrameTimes): (part: number, parts: number) => number {
  const count = times.length
  if (isEven(times)) return (part, parts) => Math.min(count - 1, Math.floor((part * count) / parts + 1e-9))
  return (part, parts) => frameAt(times, (part / parts) * duration + 1e-6)
}

function denseFrames(
  { times, duration }: FrameTimes,
  count: number,
  stride: number,
  clip: number,
  clips: number,
  rng: Rng | null,
): number[] {
  const total = times.length
  const span = (count - 1) * stride + 1
  const room = Math.max(0, total - span)
  const share = rng !== null ? rng.next() * (room + 1) : clips === 1 ? room / 2 : (room * clip) / (clips - 1)
  const start = Math.min(room, Math.floor(share))
  const steps = Array.from({ length: count }, (_, t) => start + t * stride)
  if (isEven(times)) return steps
  const step = duration / total
  return steps.map((index) => (index >= total ? index : frameAt(times, index * step + 1e-6)))
}

/** Whether no frame is as much as half a step away from an even grid. */
function isEven(times: Float64Array): boolean {
  const count = times.length
  if (count < 3) return true
  const step = (times[count - 1] - times[0]) / (count - 1)
  return times.every((time, i) => Math.abs(time - times[0] - i * step) < step / 2)
}
