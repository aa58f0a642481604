/**
 * Recognising actions in frames with a bundle. No vision-language model, no text, no training code, no files.
 *
 * ```
 * frames ─ sample ─ transform ─ views [1,T,H,W,3] ─ model.onnx ─ mean over views ─ temperature ─► probabilities [C]
 * ```
 */

import { type Provider, Session, type SessionOptions } from "@fourtier/tensor"
import { type FrameSource, readSampled } from "../frames/source.ts"
import { transformOf, viewsOfPictures } from "../frames/views.ts"
import { type Bundle, type Calibration, PROBABILITIES, type Unknown } from "../schemas/bundle.ts"
import { withTemperature } from "../util/temperature.ts"

export interface Guess {
  label: string
  probability: number
}

export interface Recognition {
  /** Most probable first. */
  top: Guess[]
  /** By class number, [C]; their sum is 1. */
  probabilities: Float32Array
  /** Whether the best guess is not to be believed: see `Bundle.unknown`; always false where the bundle has no threshold. */
  unknown: boolean
  /** Frames of the input that stand in for another: the clip has too few, or one does not decode. */
  padded: number
}

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
  readonly #session: Session

  private constructor(bundle: Bundle, session: Session) {
    this.bundle = bundle
    this.#session = session
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
    const types = {
      inputs: new Map([[bundle.input.name, { shape: bundle.input.shape, dtype: "f32" as const }]]),
      outputs: new Map([[PROBABILITIES, { shape: [1, bundle.labels.length], dtype: "f32" as const }]]),
    }
    return new FrameRecognizer(bundle, await Session.load(model, types, options))
  }

  get labels(): readonly string[] {
    return this.bundle.labels
  }

  /** The device really used. */
  get provider(): Provider {
    return this.#session.provider
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

  /** What the network says of one view, probabilities [C] before calibration: frames [T,H,W,3], RGB 0..255, as `bundle.input` says. */
  async predictView(frames: Float32Array): Promise<Float32Array> {
    const { probabilities } = await this.#session.run({ [this.bundle.input.name]: frames })
    return Float32Array.from(probabilities, Number)
  }

  /** The views' probabilities as an answer with its `top` most probable classes. */
  average(rows: readonly Float32Array[], top: number, padded: number): Recognition {
    return averageViews(this.bundle, rows, top, padded)
  }

  async release(): Promise<void> {
    await this.#session.release()
  }
}

/** What of a bundle makes an answer of probabilities. */
export interface AnsweringBundle {
  labels: readonly string[]
  calibration: Calibration | null
  unknown: Unknown | null
}

/**
 * The views' probabilities as an answer with its `top` most probable classes: their mean, as sure as the bundle's calibration says.
 * @param rows probabilities [C] of each view
 *
 * @example
 * ```ts
 * import { averageViews } from "@fourtier/core/bundle"
 *
 * const bundle = { labels: ["jump", "wave"], calibration: null, unknown: null }
 * averageViews(bundle, [Float32Array.of(0.25, 0.75)], 1, 0).top // [{ label: "wave", probability: 0.75 }]
 * ```
 */
export function averageViews(
  { labels, calibration, unknown }: AnsweringBundle,
  rows: readonly Float32Array[],
  top: number,
  padded: number,
): Recognition {
  const mean = new Float32Array(labels.length)
  for (const row of rows) for (const [c, p] of row.entries()) mean[c] += p / rows.length
  const probabilities = calibration ? withTemperature(mean, calibration.temperature) : mean
  const guesses = labels.map((label, c) => ({ label, probability: probabilities[c] }))
  const sorted = guesses.sort((a, b) => b.probability - a.probability)
  const [best] = sorted
  return {
    top: sorted.slice(0, top),
    probabilities,
    unknown: unknown !== null && best.probability <= unknown.threshold,
    padded,
  }
}
