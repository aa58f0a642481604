/**
 * Who does what, where: a bundle of action detection on frames and boxes. Finding the people is not its task.
 *
 * ```
 * frames around a key frame ─ sample ─ letterbox ─ view [1,T,H,W,3] ─┐
 *                                                                    ├─ model.onnx ─► probabilities [K,C], each class by itself
 * boxes of people, shares of the picture ─ on the view ─ [K,4] ──────┘
 * ```
 */

import { FourtierError, type Provider, Session, type SessionOptions } from "@fourtier/tensor"
import { boxOnView, type Corners, heldBox } from "../frames/boxes.ts"
import type { Pictures } from "../frames/resize.ts"
import { repeatedFrames, sampleFrames } from "../frames/sampling.ts"
import { transformOf, viewsOfPictures } from "../frames/views.ts"
import { FRAMES, PROBABILITIES, ROWS } from "../schemas/bundle.ts"
import { BOXES, type DetectionBundle } from "../schemas/detection-bundle.ts"

/** Seconds by which rounded times may differ. */
const SLACK = 1e-4

/**
 * Which frames of a video a key time is judged by: those that training saw of such a window.
 * @param times seconds of every frame of the video, ascending
 * @param duration of the video, seconds
 * @param seconds the key time: the window is around it, as far as the video goes
 * @returns T frame numbers, ascending, and how many places hold a stand-in, because the window has too few frames
 * @throws FourtierError for a time that is not in the video
 *
 * @example
 * ```ts
 * import { framesAround } from "@fourtier/core/bundle"
 *
 * const bundle = { sampling: { kind: "segments" as const, frames: 4, clips: 1 }, window: 2 }
 * const times = Float64Array.from({ length: 250 }, (_, i) => i / 25)
 * framesAround(bundle, times, 10, 5).indices // [106, 118, 131, 143]
 * ```
 */
export function framesAround(
  { sampling, window }: Pick<DetectionBundle, "sampling" | "window">,
  times: ArrayLike<number>,
  duration: number,
  seconds: number,
): { indices: number[]; padded: number } {
  if (!(seconds >= 0 && seconds < duration)) {
    throw new FourtierError({
      where: "key time",
      what: "not a time of the video",
      expected: `seconds from 0 to ${duration.toFixed(2)}`,
      found: String(seconds),
    })
  }
  const start = Math.max(0, seconds - window / 2) - SLACK
  const end = Math.min(duration, seconds + window / 2) - SLACK
  const from = firstAt(times, start)
  const to = Math.max(from + 1, firstAt(times, end))
  if (from >= times.length) {
    const found = `${from} frames, the last at ${(times[times.length - 1] ?? 0).toFixed(2)} s`
    throw new FourtierError({ where: `key time ${seconds}`, what: "no frame in the window around it", found })
  }
  const own = Float64Array.from({ length: to - from }, (_, i) => times[from + i] - times[from])
  const last = own.length - 1
  const length = last > 0 ? own[last] * (1 + 1 / last) : 1
  const drawn = sampleFrames({ times: own, duration: length }, sampling, null)
  const past = drawn.flat().filter((index) => index > last).length
  const indices = drawn.flat().map((index) => from + Math.min(last, index))
  return { indices, padded: past + repeatedFrames(drawn, own.length) }
}

/** Number of the first frame at or after a time. */
function firstAt(times: ArrayLike<number>, time: number): number {
  let [low, high] = [0, times.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (times[middle] < time) low = middle + 1
    else high = middle
  }
  return low
}

/**
 * A loaded bundle of action detection.
 *
 * @example
 * ```ts
 * import { FrameDetector, parseDetectionBundle } from "@fourtier/core/bundle"
 * import type { Corners, Pictures } from "@fourtier/core/frames"
 *
 * // What each person of a key frame does, from the frames that `framesAround` names.
 * async function actions(frames: Pictures, people: Corners[]) {
 *   const bundle = parseDetectionBundle(await (await fetch("bundle/bundle.json")).json(), "bundle.json")
 *   const model = new Uint8Array(await (await fetch("bundle/model.onnx")).arrayBuffer())
 *   const detector = await FrameDetector.load(model, bundle)
 *   const rows = await detector.answer(frames, people)
 *   await detector.release()
 *   return rows.map((row) => detector.labels.filter((_, c) => row[c] > 0.5))
 * }
 * ```
 */
export class FrameDetector {
  readonly bundle: DetectionBundle
  readonly #model: { whole: Session } | { frame: Session; head: Session }

  private constructor(bundle: DetectionBundle, model: { whole: Session } | { frame: Session; head: Session }) {
    this.bundle = bundle
    this.#model = model
  }

  /**
   * @param model bytes of `model.onnx`, or its path (its address in a page)
   * @throws FourtierError when ONNX Runtime cannot load the model, or the device asked for is not there
   */
  static async load(
    model: string | Uint8Array,
    bundle: DetectionBundle,
    options: SessionOptions = {},
  ): Promise<FrameDetector> {
    return new FrameDetector(bundle, {
      whole: await Session.load(model, typesOf(bundle, { [FRAMES]: bundle.input.frames.shape }), options),
    })
  }

  /**
   * Loads the two parts of a bundle that has them (`DetectionBundle.stream`): what is computed of a frame serves all windows and
   * any number of boxes.
   * @param frame path of `frame.onnx`; or its bytes, with `model.onnx` among `options.externalData`
   * @param head the same of `head.onnx`
   *
   * @example
   * ```ts
   * import { type DetectionBundle, FrameDetector } from "@fourtier/core/bundle"
   *
   * const inParts = (bundle: DetectionBundle) => FrameDetector.loadParts("bundle/frame.onnx", "bundle/head.onnx", bundle)
   * ```
   */
  static async loadParts(
    frame: string | Uint8Array,
    head: string | Uint8Array,
    bundle: DetectionBundle,
    options: SessionOptions = {},
  ): Promise<FrameDetector> {
    if (bundle.stream === null) {
      throw new FourtierError({
        where: "bundle.json, stream",
        what: "this bundle has no parts: its encoder sees clips",
        fix: "load model.onnx",
      })
    }
    const [, T, H, W] = bundle.input.frames.shape
    const { rows } = bundle.stream
    const types = {
      inputs: new Map([[FRAMES, { shape: [1, 1, H, W, 3], dtype: "f32" as const }]]),
      outputs: new Map([[ROWS, { shape: [1, ...rows], dtype: "f32" as const }]]),
    }
    const first = await Session.load(frame, types, options)
    try {
      const second = await Session.load(head, typesOf(bundle, { [ROWS]: [1, T, ...rows] }), options)
      return new FrameDetector(bundle, { frame: first, head: second })
    } catch (error) {
      await first.release()
      throw error
    }
  }

  get labels(): readonly string[] {
    return this.bundle.labels
  }

  /** The device really used. */
  get provider(): Provider {
    return "whole" in this.#model ? this.#model.whole.provider : this.#model.frame.provider
  }

  /**
   * What each person does.
   * @param pictures the T frames that `framesAround` names, whole; they may have been scaled down while decoding
   * @param boxes people of the key frame, as shares of the picture: none, one or a thousand. Parts outside are cut off.
   * @returns for each box, in order, the probabilities [C], each class by itself: they do not add up to 1
   * @throws FourtierError that names the number of a box with a NaN, swapped corners, no area, or wholly outside the picture
   */
  async answer(pictures: Pictures, boxes: readonly Corners[]): Promise<Float32Array[]> {
    const { shape } = this.bundle.input.frames
    if (pictures.count !== shape[1]) {
      throw new FourtierError({
        where: "pictures",
        what: "not the number of frames that the bundle takes",
        expected: `${shape[1]}, those that framesAround names`,
        found: String(pictures.count),
      })
    }
    const onView = this.#onView(boxes, pictures)
    if (boxes.length === 0) return []
    const { views } = viewsOfPictures(pictures, 1, transformOf(this.bundle.steps), null)
    const [view] = views
    const size = view.length / shape[1]
    const kept: Float32Array[] = []
    for (let at = 0; at < view.length; at += size) kept.push(await this.#rows(view.subarray(at, at + size)))
    return this.#run(kept, onView)
  }

  /**
   * What is kept of one frame, to judge any window that holds it: its rows, or its pixels where the encoder sees clips.
   * @param picture one frame, whole
   */
  async keep(picture: Pictures): Promise<Float32Array> {
    const { views } = viewsOfPictures(picture, 1, transformOf(this.bundle.steps), null)
    return this.#rows(views[0])
  }

  /**
   * `answer`, from what is kept of T frames.
   * @param size width and height of the pictures
   */
  async judge(
    kept: readonly Float32Array[],
    size: { width: number; height: number },
    boxes: readonly Corners[],
  ): Promise<Float32Array[]> {
    return this.#run(kept, this.#onView(boxes, size))
  }

  async release(): Promise<void> {
    for (const session of Object.values(this.#model)) await session.release()
  }

  #onView(boxes: readonly Corners[], size: { width: number; height: number }): Corners[] {
    const { steps } = this.bundle
    return boxes.map((box, i) => boxOnView(heldBox(box, `box ${i + 1} of ${boxes.length}`), size, steps))
  }

  /** Of one view [H,W,3]. */
  async #rows(pixels: Float32Array): Promise<Float32Array> {
    if ("whole" in this.#model) return pixels
    const { rows } = await this.#model.frame.run({ [FRAMES]: pixels })
    return Float32Array.from(rows, Number)
  }

  /** As many runs as the boxes need. */
  async #run(kept: readonly Float32Array[], boxes: readonly Corners[]): Promise<Float32Array[]> {
    const [K] = this.bundle.input.boxes.shape
    const C = this.labels.length
    const joined = new Float32Array(kept.length * kept[0].length)
    for (const [t, own] of kept.entries()) joined.set(own, t * own.length)
    const found: Float32Array[] = []
    for (let first = 0; first < boxes.length; first += K) {
      const own = boxes.slice(first, first + K)
      const corners = new Float32Array(K * 4)
      corners.set(own.flat())
      const { probabilities } = await ("whole" in this.#model
        ? this.#model.whole.run({ [FRAMES]: joined, [BOXES]: corners })
        : this.#model.head.run({ [ROWS]: joined, [BOXES]: corners }))
      for (const k of own.keys()) {
        found.push(Float32Array.from({ length: C }, (_, c) => Number(probabilities[k * C + c])))
      }
    }
    return found
  }
}

function typesOf({ labels, input: { boxes } }: DetectionBundle, shapes: Record<string, readonly number[]>) {
  const [K] = boxes.shape
  const inputs = { ...shapes, [BOXES]: boxes.shape }
  return {
    inputs: new Map(Object.entries(inputs).map(([name, shape]) => [name, { shape, dtype: "f32" as const }])),
    outputs: new Map([[PROBABILITIES, { shape: [K, labels.length], dtype: "f32" as const }]]),
  }
}
