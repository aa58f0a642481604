/**
 * Recognising in frames that keep coming: a camera, a page's video, a long file.
 *
 * ```
 * frames ─ ring of the last window ─ every step: sample T ─ rows of frames (each computed once) ─ head ─ smooth ─► answers
 * ```
 * A window is answered as a clip of the same frames would be. Frames that no window samples are never computed. With a source that
 * does not wait (`live`), the newest window is answered and what there was no time for is dropped.
 */

import type { Pictures } from "../frames/resize.ts"
import { repeatedFrames, sampleFrames } from "../frames/sampling.ts"
import { transformOf, viewsOfPictures } from "../frames/views.ts"
import type { Bundle } from "../schemas/bundle.ts"
import { answerOf, believed, type Recognition } from "./answer.ts"

/** A frame, and when it is shown. */
export interface TimedFrame {
  /** Seconds, ascending; where time goes back, a new stream begins. */
  time: number
  /** One picture, RGB. All of a window have the same size. */
  picture: Pictures
}

export interface StreamOptions {
  /** Seconds that an answer looks back; default: the median duration of the clips trained on, or 2. */
  window?: number
  /** Seconds from one answer to the next; default: the window over T, so that windows share their frames. */
  step?: number
  /** Guesses of an answer; default 5. */
  top?: number
  /** Seconds over which answers are averaged (exponentially, this is the time constant); default 0: not at all. */
  smoothing?: number
  /** Whether frames come at their own pace: then they are taken as they come, and the newest win. Default: they wait. */
  live?: boolean
  /** Frames held at most, default 1000: a faster source is thinned by what is oldest. */
  most?: number
}

export interface StreamAnswer extends Recognition {
  /** End of the window, in the frames' time. */
  time: number
  /** Seconds from the coming of the window's last frame to the answer. */
  latency: number
  /** Frames so far that went by without having been in any answered window. */
  dropped: number
}

/** A model as streams use it. */
export interface WindowModel {
  readonly bundle: Bundle
  /** What is kept of one view [H,W,3] of a frame: its rows, or the pixels where the encoder sees clips. */
  keep(pixels: Float32Array): Promise<Float32Array>
  /** Probabilities [C] of one view of a window, from what is kept of its T frames, before calibration. */
  judge(kept: readonly Float32Array[]): Promise<Float32Array>
}

/** A frame in the ring; its picture makes room for what is kept of its views. */
export interface HeldFrame {
  time: number
  arrived: number
  picture: Pictures | null
  kept: Float32Array[] | null
  answered: boolean
}

/**
 * The seconds of a stream's windows, and from one to the next.
 * @param options those given
 *
 * @example
 * ```ts
 * import { type Bundle, windowOf } from "@fourtier/core/bundle"
 *
 * const everySecond = (bundle: Bundle) => windowOf(bundle, { step: 1 }) // { window: 2.04, step: 1 }
 * ```
 */
export function windowOf(
  { clipSeconds, input }: Pick<Bundle, "clipSeconds" | "input">,
  { window = clipSeconds ?? 2, step = window / input.shape[1] }: Pick<StreamOptions, "window" | "step">,
): { window: number; step: number } {
  return { window, step }
}

/**
 * Answers of a stream, one every step once the first window is full, and one of what is left at its end.
 *
 * @example
 * ```ts
 * import { type FrameRecognizer, streamWindows, type TimedFrame } from "@fourtier/core/bundle"
 *
 * async function watch(recognizer: FrameRecognizer, camera: AsyncIterable<TimedFrame>) {
 *   for await (const { time, top, unknown } of streamWindows(recognizer, camera, { live: true })) {
 *     console.log(time.toFixed(1), unknown ? "–" : top[0].label)
 *   }
 * }
 * ```
 */
export async function* streamWindows(
  given: WindowModel,
  frames: AsyncIterable<TimedFrame> | Iterable<TimedFrame>,
  options: StreamOptions = {},
): AsyncGenerator<StreamAnswer, void, undefined> {
  const { top = 5, smoothing = 0, live = false, most = 1000 } = options
  const model = live ? givingWay(given) : given
  const { window, step } = windowOf(model.bundle, options)
  const ring = new Ring(window, most)
  const source = live ? ahead(frames, ring) : inTurn(frames, ring)
  let mean: { time: number; row: Float32Array } | null = null
  let due = Number.NaN
  let streams = 0
  const answer = async (end: number): Promise<StreamAnswer | null> => {
    const held = ring.between(end - window, end)
    if (held.length === 0) return null
    const { rows, padded } = await judgeWindow(model, held)
    for (const frame of held) frame.answered = true
    const now = answerOf(model.bundle, rows, top, padded)
    const share = mean === null || smoothing === 0 ? 1 : 1 - Math.exp(-(end - mean.time) / smoothing)
    // calibrated already, and with background behind the classes where the model has learned it
    const own = believed(now)
    const latest = model.bundle.unknown?.learned ? Float32Array.of(...own, now.background) : own
    const before: Float32Array = mean?.row ?? latest
    const row = latest.map((p, c) => before[c] + share * (p - before[c]))
    mean = { time: end, row }
    const smooth = share === 1 ? now : answerOf({ ...model.bundle, calibration: null }, [row], top, padded)
    const latency = (performance.now() - held[held.length - 1].arrived) / 1000
    return { ...smooth, time: end, latency, dropped: ring.dropped }
  }
  for await (const newest of source) {
    if (ring.streams !== streams) {
      streams = ring.streams
      due = ring.began + window
      mean = null
    }
    if (newest < due - SLACK) continue
    // with a source that does not wait, the last window that is full
    if (live) due += Math.max(0, Math.floor((newest - due + SLACK) / step)) * step
    for (; newest >= due - SLACK; due += step) {
      const found = await answer(due)
      if (found) yield found
    }
  }
  const last = ring.newest
  if (last !== null && !last.answered) {
    const found = await answer(last.time + SLACK + Math.max(SLACK, ring.interval / 2))
    if (found) yield found
  }
}

/** A model after each frame of which other events have their turn: an engine on this thread would keep a camera's frames waiting. */
function givingWay(model: WindowModel): WindowModel {
  return {
    bundle: model.bundle,
    async keep(pixels) {
      const kept = await model.keep(pixels)
      await new Promise((resolve) => setTimeout(resolve))
      return kept
    },
    judge: (kept) => model.judge(kept),
  }
}

/** Seconds by which rounded times may differ. */
const SLACK = 1e-4

/**
 * What a model says of a window: probabilities [C] of each view, from frames in the order of time. Frames that no place of the
 * sampling takes are not computed; what is computed of the others stays with them.
 *
 * @example
 * ```ts
 * import { judgeWindow, type WindowModel } from "@fourtier/core/bundle"
 *
 * // The probabilities of the first view of a window of frames.
 * async function firstView(model: WindowModel, held: Parameters<typeof judgeWindow>[1]) {
 *   return (await judgeWindow(model, held)).rows[0]
 * }
 * ```
 */
export async function judgeWindow(
  model: WindowModel,
  held: readonly HeldFrame[],
): Promise<{ rows: Float32Array[]; padded: number }> {
  const { places, padded } = placesOfWindow(
    model.bundle,
    held.map(({ time }) => time),
  )
  const rows: Float32Array[] = []
  for (const clip of places) {
    const views: Float32Array[][] = []
    for (const index of clip) views.push(await keptOf(model, held[index]))
    for (const v of views[0].keys()) rows.push(await model.judge(views.map((kept) => kept[v])))
  }
  return { rows, padded }
}

/**
 * Which frames of a window are looked at.
 * @param times seconds, ascending
 * @returns frame numbers `[clips][T]`, and how many of them stand in for others
 *
 * @example
 * ```ts
 * import { type Bundle, placesOfWindow } from "@fourtier/core/bundle"
 *
 * const first = (bundle: Bundle) => placesOfWindow(bundle, [0, 0.04, 0.08, 0.12]).places[0]
 * ```
 */
export function placesOfWindow(
  { sampling }: Pick<Bundle, "sampling">,
  times: readonly number[],
): { places: number[][]; padded: number } {
  const last = times.length - 1
  const own = Float64Array.from(times, (time) => time - times[0])
  const duration = last > 0 ? own[last] * (1 + 1 / last) : 1
  const drawn = sampleFrames({ times: own, duration }, sampling, null)
  const past = drawn.flat().filter((index) => index > last).length
  const places = drawn.map((clip) => clip.map((index) => Math.min(last, index)))
  return { places, padded: past + repeatedFrames(drawn, times.length) }
}

async function keptOf(model: WindowModel, frame: HeldFrame): Promise<Float32Array[]> {
  if (frame.kept) return frame.kept
  if (!frame.picture) throw new Error("internal error: a frame without picture")
  const { views } = viewsOfPictures(frame.picture, 1, transformOf(model.bundle.steps), null)
  const kept: Float32Array[] = []
  for (const view of views) kept.push(await model.keep(view))
  frame.kept = kept
  frame.picture = null
  return kept
}

/** The frames of the last window. */
class Ring {
  readonly #window: number
  readonly #most: number
  #frames: HeldFrame[] = []
  dropped = 0
  /** Time of the stream's first frame, and how many streams there were: a new one begins where time goes back. */
  began = 0
  streams = 0

  constructor(window: number, most: number) {
    this.#window = window
    this.#most = most
  }

  get newest(): HeldFrame | null {
    return this.#frames.at(-1) ?? null
  }

  /** Seconds between frames, as far as the ring tells. */
  get interval(): number {
    const count = this.#frames.length
    return count > 1 ? (this.#frames[count - 1].time - this.#frames[0].time) / (count - 1) : 0
  }

  push({ time, picture }: TimedFrame): void {
    const newest = this.newest
    if (newest === null || time <= newest.time) {
      this.#forget(this.#frames.length)
      this.began = time
      this.streams++
    }
    this.#frames.push({ time, picture, arrived: performance.now(), kept: null, answered: false })
    // a window may end up to one step before the newest frame: two windows hold whatever step there is
    const first = this.#frames.findIndex((frame) => frame.time >= time - 2 * this.#window - SLACK)
    this.#forget(Math.max(first, this.#frames.length - this.#most))
  }

  between(from: number, to: number): HeldFrame[] {
    return this.#frames.filter(({ time }) => time >= from - SLACK && time < to - SLACK)
  }

  #forget(count: number): void {
    for (const { answered } of this.#frames.splice(0, count)) if (!answered) this.dropped++
  }
}

/** Takes a frame when it is wanted: the source waits, and nothing is lost. Yields the time of each. */
async function* inTurn(
  frames: AsyncIterable<TimedFrame> | Iterable<TimedFrame>,
  ring: Ring,
): AsyncGenerator<number, void, undefined> {
  for await (const frame of frames) {
    ring.push(frame)
    yield frame.time
  }
}

/** Takes frames as they come, also while a window is answered. Yields the newest one's time. */
async function* ahead(
  frames: AsyncIterable<TimedFrame> | Iterable<TimedFrame>,
  ring: Ring,
): AsyncGenerator<number, void, undefined> {
  const state: { newest: number | null; ended: boolean; failure: unknown; stopped: boolean; wake: () => void } = {
    newest: null,
    ended: false,
    failure: null,
    stopped: false,
    wake: () => {},
  }
  const pump = async () => {
    try {
      for await (const frame of frames) {
        if (state.stopped) return
        ring.push(frame)
        state.newest = frame.time
        state.wake()
      }
    } catch (error) {
      state.failure = error
    }
    state.ended = true
    state.wake()
  }
  void pump()
  try {
    while (true) {
      if (state.newest !== null) {
        const { newest } = state
        state.newest = null
        yield newest
      } else if (state.failure !== null) throw state.failure
      else if (state.ended) return
      else
        await new Promise<void>((resolve) => {
          state.wake = resolve
        })
    }
  } finally {
    state.stopped = true
  }
}
