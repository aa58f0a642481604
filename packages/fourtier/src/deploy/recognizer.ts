/**
 * Recognising actions with a bundle. No vision-language model, no text, no training code.
 *
 * ```ts
 * const recognizer = await Recognizer.load("runs/mine/bundle")
 * const [best] = (await recognizer.predict("clip.mp4")).top
 * console.log(best.label, best.probability)
 * ```
 */

import { existsSync } from "node:fs"
import { type Bundle, FrameRecognizer, type Recognition } from "@fourtier/core/bundle"
import { transformOf } from "@fourtier/core/frames"
import { FourtierError, type Provider, type SessionOptions } from "@fourtier/tensor"
import type { Clip } from "../video/manifest.ts"
import { loadClips } from "../video/pool.ts"
import { clipOfFile } from "../video/probe.ts"
import { loadViews } from "../video/views.ts"
import { modelPath, readBundle } from "./folder.ts"

export interface RecognizeOptions {
  /** Guesses returned; default 5. */
  top?: number
  /** Seconds into the file. */
  start?: number
  end?: number
}

/**
 * A bundle that recognises video files.
 *
 * @example
 * ```ts
 * import { Recognizer } from "fourtier/deploy"
 *
 * const recognizer = await Recognizer.load("runs/mine/bundle")
 * const { top } = await recognizer.predict("jump.mp4")
 * console.log(top[0].label, top[0].probability)
 * await recognizer.release()
 * ```
 */
export class Recognizer {
  readonly bundle: Bundle
  readonly #frames: FrameRecognizer

  private constructor(frames: FrameRecognizer) {
    this.bundle = frames.bundle
    this.#frames = frames
  }

  /** @param folder a bundle. Throws FourtierError when it is not one, or when the device asked for is not there. */
  static async load(folder: string, options: SessionOptions = {}): Promise<Recognizer> {
    const bundle = await readBundle(folder)
    const path = modelPath(folder)
    if (!existsSync(path)) {
      throw new FourtierError({ where: path, what: "the bundle's model is missing", fix: "export the model again" })
    }
    return new Recognizer(await FrameRecognizer.load(path, bundle, options))
  }

  get labels(): readonly string[] {
    return this.bundle.labels
  }

  /** The device really used. */
  get provider(): Provider {
    return this.#frames.provider
  }

  /** What a video file shows. Decoding blocks this thread for some milliseconds; `predictAll` decodes in worker threads. */
  async predict(file: string, { top = 5, start, end }: RecognizeOptions = {}): Promise<Recognition> {
    const clip = clipOfFile(file, { start: start ?? null, end: end ?? null })
    const { sampling, steps } = this.bundle
    const job = { clip, sampling, transform: transformOf(steps), seed: null, scaleWhileDecoding: true }
    const { views, padded } = loadViews(job)
    const rows: Float32Array[] = []
    for (const frames of views) rows.push(await this.predictFrames(frames))
    return this.#frames.average(rows, top, padded)
  }

  /** Many clips, decoded in worker threads, in their order. A clip that cannot be read yields its error. */
  async *predictAll<C extends Clip>(
    clips: readonly C[],
    { top = 5, workers }: { top?: number; workers?: number } = {},
  ): AsyncGenerator<{ clip: C; recognition: Recognition } | { clip: C; error: FourtierError }> {
    const { sampling, steps } = this.bundle
    const errors = new Map<string, FourtierError>()
    const jobs = clips.map((clip) => ({ clip, sampling, transform: transformOf(steps), seed: null }))
    const onError = (clip: { id: string }, error: FourtierError) => void errors.set(clip.id, error)
    let rows: Float32Array[] = []
    let next = 0
    for await (const { clip, view, views, frames, padded } of loadClips(jobs, { workers, onError })) {
      rows.push(await this.predictFrames(frames))
      if (view < views - 1) continue
      while (clips[next] !== clip) yield* failed(clips[next++], errors)
      next++
      yield { clip, recognition: this.#frames.average(rows, top, padded) }
      rows = []
    }
    while (next < clips.length) yield* failed(clips[next++], errors)
  }

  /** Probabilities [C] of one view: frames [T,H,W,3], RGB 0..255, as `bundle.input` says. */
  async predictFrames(frames: Float32Array): Promise<Float32Array> {
    return this.#frames.predictView(frames)
  }

  async release(): Promise<void> {
    await this.#frames.release()
  }
}

function* failed<C extends Clip>(clip: C, errors: ReadonlyMap<string, FourtierError>) {
  const error = errors.get(clip.id) ?? new FourtierError({ where: clip.path, what: "cannot be decoded" })
  yield { clip, error }
}
