/**
 * Recognising actions in frames with a bundle. No vision-language model, no text, no training code, no files.
 *
 * ```
 * frames ─ sample ─ transform ─ views [1,T,H,W,3] ─ model.onnx ─ mean over views ─ temperature ─► probabilities [C]
 * ```
 */

import { FourtierError, type Provider, Session, type SessionOptions } from "@fourtier/tensor"
import { type FrameSource, readSampled } from "../frames/source.ts"
import { transformOf, viewsOfPictures } from "../frames/views.ts"
import { type Bundle, FRAMES, outputsOf, PROBABILITIES, ROWS } from "../schemas/bundle.ts"
import { answerOf, type Recognition } from "./answer.ts"
import { type StreamAnswer, type StreamOptions, streamWindows, type TimedFrame } from "./stream.ts"

/**
 * A loaded bundle.
 *
 * @example
 * ```ts
 * import { FrameRecognizer, parseBundle } from "@fourtier/core/bundle"
 * import { framesInMemory, type Pictures } from "@fourtier/core/frames"
 *
 * async function recognise(pictures: Pictures) {
 *   const bundle = parseBundle(await (await fetch("bundle/bundle.json")).json(), "bundle.json")
 *   const model = new Uint8Array(await (await fetch("bundle/model.onnx")).arrayBuffer())
 *   const recognizer = await FrameRecognizer.load(model, bundle)
 *   const { top } = await recognizer.recognize(framesInMemory(pictures, 25))
 *   await recognizer.release()
 *   return top[0].label
 * }
 * ```
 */
export class FrameRecognizer {
  readonly bundle: Bundle
  readonly #model: { whole: Session } | { frame: Session; head: Session }

  private constructor(bundle: Bundle, model: { whole: Session } | { frame: Session; head: Session }) {
    this.bundle = bundle
    this.#model = model
  }

  /**
   * @param model bytes of `model.onnx`, or its path (its address in a page)
   * @throws FourtierError when ONNX Runtime cannot load the model, or the device asked for is not there
   */
  static async load(
    model: string | Uint8Array,
    bundle: Bundle,
    options: SessionOptions = {},
  ): Promise<FrameRecognizer> {
    const whole = await Session.load(model, types(FRAMES, bundle.input.shape, PROBABILITIES, answers(bundle)), options)
    return new FrameRecognizer(bundle, { whole })
  }

  /**
   * Loads the two parts of a bundle that has them (`Bundle.stream`), for streams: each frame is computed once.
   * @param frame path of `frame.onnx`; or its bytes, with `model.onnx` among `options.externalData`
   * @param head the same of `head.onnx`
   *
   * @example
   * ```ts
   * import { type Bundle, FrameRecognizer } from "@fourtier/core/bundle"
   *
   * async function loadInPage(bundle: Bundle, file: (name: string) => Promise<Uint8Array>) {
   *   const externalData = [{ path: "model.onnx", data: await file("model.onnx") }]
   *   return FrameRecognizer.loadParts(await file("frame.onnx"), await file("head.onnx"), bundle, { externalData })
   * }
   * ```
   */
  static async loadParts(
    frame: string | Uint8Array,
    head: string | Uint8Array,
    bundle: Bundle,
    options: SessionOptions = {},
  ): Promise<FrameRecognizer> {
    if (bundle.stream === null) {
      throw new FourtierError({
        where: "bundle.json, stream",
        what: "this bundle has no parts: its encoder sees clips",
        fix: "load model.onnx",
      })
    }
    const [, T, H, W] = bundle.input.shape
    const rows = [1, T, ...bundle.stream.rows]
    const first = await Session.load(frame, types(FRAMES, [1, 1, H, W, 3], ROWS, [1, ...bundle.stream.rows]), options)
    try {
      const second = await Session.load(head, types(ROWS, rows, PROBABILITIES, answers(bundle)), options)
      return new FrameRecognizer(bundle, { frame: first, head: second })
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

  /** What a clip's frames show. */
  async recognize(source: FrameSource, top = 5): Promise<Recognition> {
    const { sampling, steps } = this.bundle
    const { pictures, padded } = await readSampled(source, sampling)
    const { views } = viewsOfPictures(pictures, sampling.clips, transformOf(steps), null)
    const rows: Float32Array[] = []
    for (const view of views) rows.push(await this.predictView(view))
    return this.average(rows, top, padded)
  }

  /** What the network says of one view, probabilities [C] before calibration, with that of background behind them where it has learned it: frames [T,H,W,3], RGB 0..255, as `bundle.input` says. */
  async predictView(frames: Float32Array): Promise<Float32Array> {
    if ("whole" in this.#model) {
      const { probabilities } = await this.#model.whole.run({ [FRAMES]: frames })
      return Float32Array.from(probabilities, Number)
    }
    const size = frames.length / this.bundle.input.shape[1]
    const kept: Float32Array[] = []
    for (let at = 0; at < frames.length; at += size) kept.push(await this.keep(frames.subarray(at, at + size)))
    return this.judge(kept)
  }

  /** See `WindowModel.keep`. */
  async keep(pixels: Float32Array): Promise<Float32Array> {
    if ("whole" in this.#model) return pixels
    const { rows } = await this.#model.frame.run({ [FRAMES]: pixels })
    return Float32Array.from(rows, Number)
  }

  /** See `WindowModel.judge`. */
  async judge(kept: readonly Float32Array[]): Promise<Float32Array> {
    const joined = new Float32Array(kept.length * kept[0].length)
    for (const [t, own] of kept.entries()) joined.set(own, t * own.length)
    if ("whole" in this.#model) return this.predictView(joined)
    const { probabilities } = await this.#model.head.run({ [ROWS]: joined })
    return Float32Array.from(probabilities, Number)
  }

  /** Answers about frames that keep coming: see `streamWindows`. */
  stream(
    frames: AsyncIterable<TimedFrame> | Iterable<TimedFrame>,
    options: StreamOptions = {},
  ): AsyncGenerator<StreamAnswer, void, undefined> {
    return streamWindows(this, frames, options)
  }

  /** The views' probabilities as an answer with its `top` most probable classes. */
  average(rows: readonly Float32Array[], top: number, padded: number): Recognition {
    return answerOf(this.bundle, rows, top, padded)
  }

  async release(): Promise<void> {
    for (const session of Object.values(this.#model)) await session.release()
  }
}

const answers = (bundle: Bundle) => [1, outputsOf(bundle)]

const types = (input: string, inputShape: readonly number[], output: string, outputShape: readonly number[]) => ({
  inputs: new Map([[input, { shape: inputShape, dtype: "f32" as const }]]),
  outputs: new Map([[output, { shape: outputShape, dtype: "f32" as const }]]),
})
