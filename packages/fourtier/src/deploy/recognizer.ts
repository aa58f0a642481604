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
import { resolve } from "node:path"
import { answerOf, type Bundle, type Recognition } from "@fourtier/core/bundle"
import { transformOf, type ViewGrid, withViewGrid } from "@fourtier/core/frames"
import { WorkerPool, workerUrl } from "@fourtier/core/node"
import { FourtierError, messageOf, type Provider, type SessionOptions } from "@fourtier/tensor"
import { usableCores } from "@fourtier/tensor/node"
import type { Clip } from "../video/manifest.ts"
import { type LoadableClip, namingClip } from "../video/pool.ts"
import { clipOfProbe, type FileProbe, type ProbeJob, probeSchema, type Window } from "../video/probe.ts"
import { modelPath, readBundle } from "./folder.ts"
import {
  type Decoded,
  type DecodeJob,
  decodedSchema,
  type ModelJob,
  type ModelReply,
  modelReplySchema,
} from "./jobs.ts"

export interface RecognizerOptions extends Pick<SessionOptions, "provider" | "threads"> {
  /** Threads that decode, and processes that look through files, at most; all cores by default. */
  workers?: number
  /** Views of each clip, instead of the bundle's: temporal clips × crops. */
  views?: ViewGrid
}

export interface RecognizeOptions {
  /** Guesses returned; default 5. */
  top?: number
  /** Seconds into the file. */
  start?: number
  end?: number
}

/**
 * A bundle that recognises video files. Decoding and the model run in threads of their own, so that the event loop of a server goes
 * on; any number of calls may be under way, of which as many as there are threads are worked on, and the others wait. A file that
 * nobody has measured is looked through in a child process before: a decoder that crashes costs that file alone.
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
  /** The device really used. */
  readonly provider: Provider
  readonly #model: WorkerPool<ModelJob, ModelReply>
  readonly #decoders: WorkerPool<DecodeJob, Decoded>
  readonly #probes: WorkerPool<ProbeJob, FileProbe>
  /** Clips between their file and their answer: what is decoded and not yet seen by the model takes memory. */
  #free: number
  readonly #waiting: (() => void)[] = []

  private constructor(
    bundle: Bundle,
    provider: Provider,
    model: WorkerPool<ModelJob, ModelReply>,
    decoders: WorkerPool<DecodeJob, Decoded>,
  ) {
    this.bundle = bundle
    this.provider = provider
    this.#model = model
    this.#decoders = decoders
    const { size: workers } = decoders
    this.#probes = new WorkerPool(workerUrl(import.meta.url, "../video/probe.worker.ts"), probeSchema, {
      workers,
      processes: true,
    })
    this.#free = decoders.size + 1
  }

  /** @param folder a bundle. Throws FourtierError when it is not one, or when the device asked for is not there. */
  static async load(folder: string, options: RecognizerOptions = {}): Promise<Recognizer> {
    const exported = await readBundle(folder)
    const bundle = options.views ? withViewGrid(exported, options.views, "views") : exported
    const path = modelPath(folder)
    if (!existsSync(path)) {
      throw new FourtierError({ where: path, what: "the bundle's model is missing", fix: "export the model again" })
    }
    const { provider, threads, workers = usableCores() } = options
    const model = new WorkerPool<ModelJob, ModelReply>(
      workerUrl(import.meta.url, "./model.worker.ts"),
      modelReplySchema,
      { workers: 1 },
    )
    try {
      const reply = await model.run({ load: path, folder, options: { provider, threads } })
      if (reply === null || !("provider" in reply))
        throw new Error("internal error: the model's thread did not load it")
      const decoders = new WorkerPool<DecodeJob, Decoded>(
        workerUrl(import.meta.url, "./decode.worker.ts"),
        decodedSchema,
        { workers },
      )
      return new Recognizer(bundle, reply.provider, model, decoders)
    } catch (error) {
      await model.end()
      throw error
    }
  }

  get labels(): readonly string[] {
    return this.bundle.labels
  }

  /** What a video file shows. Throws FourtierError where it cannot be decoded. */
  async predict(file: string, { top = 5, start, end }: RecognizeOptions = {}): Promise<Recognition> {
    return this.#recognize({ file, start: start ?? null, end: end ?? null }, top)
  }

  /**
   * Many clips or files, in their order. One that cannot be read yields its error.
   * @param options `workers`: clips worked on at a time; as many as there are decoding threads by default
   */
  async *predictAll<C extends Clip | string>(
    clips: readonly C[],
    { top = 5, workers = this.#decoders.size }: { top?: number; workers?: number } = {},
  ): AsyncGenerator<{ clip: C; recognition: Recognition } | { clip: C; error: FourtierError }> {
    const outcome = async (clip: C) => {
      try {
        return { clip, recognition: await this.#recognize(typeof clip === "string" ? wholeFile(clip) : clip, top) }
      } catch (error) {
        if (!(error instanceof Error)) throw error
        return { clip, error: naming(clip, error) }
      }
    }
    const underWay: ReturnType<typeof outcome>[] = []
    for (const clip of clips) {
      underWay.push(outcome(clip))
      const first = underWay.length > workers ? underWay.shift() : undefined
      if (first !== undefined) yield await first
    }
    for (const rest of underWay) yield await rest
  }

  /** What the network says of one view, probabilities [C] before calibration: frames [T,H,W,3], RGB 0..255, as `bundle.input` says. */
  async predictFrames(frames: Float32Array): Promise<Float32Array> {
    return this.#view(Float32Array.from(frames))
  }

  /** Ends the threads and frees the memory. */
  async release(): Promise<void> {
    await this.#model.run({ release: true })
    await Promise.all([this.#model.end(), this.#decoders.end(), this.#probes.end()])
  }

  async #recognize(clip: LoadableClip | FileWindow, top: number): Promise<Recognition> {
    const { sampling, steps } = this.bundle
    if (this.#free > 0) this.#free--
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    try {
      const { views, padded } = await this.#decoders.run({
        clip: plain("file" in clip ? await this.#measured(clip) : clip),
        sampling,
        transform: transformOf(steps),
      })
      const rows: Float32Array[] = []
      for (const frames of views) rows.push(await this.#view(frames))
      return answerOf(this.bundle, rows, top, padded)
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#free++
      else next()
    }
  }

  async #measured({ file, ...window }: FileWindow): Promise<Clip> {
    const path = resolve(file)
    try {
      return clipOfProbe(path, await this.#probes.run({ path, windows: [window] }), window)
    } catch (error) {
      if (error instanceof FourtierError && error.complaint.where !== undefined) throw error
      throw new FourtierError(
        { where: path, what: "cannot be looked through", found: messageOf(error) },
        { cause: error },
      )
    }
  }

  /** The thread takes the frames over. */
  async #view(frames: Float32Array<ArrayBuffer>): Promise<Float32Array> {
    const reply = await this.#model.run({ frames }, [frames.buffer])
    if (reply === null || !("probabilities" in reply))
      throw new Error("internal error: the model's thread did not answer")
    return reply.probabilities
  }
}

interface FileWindow extends Window {
  file: string
}

const wholeFile = (file: string): FileWindow => ({ file, start: null, end: null })

/** What a thread must know of a clip, and nothing else. */
function plain(clip: LoadableClip): LoadableClip {
  const { id, path, start, end, frames, fps } = clip
  return { id, path, start, end, frames, fps }
}

function naming(clip: Clip | string, error: Error): FourtierError {
  if (typeof clip !== "string") return namingClip(clip, error)
  return error instanceof FourtierError
    ? error
    : new FourtierError({ where: clip, what: error.message }, { cause: error })
}
