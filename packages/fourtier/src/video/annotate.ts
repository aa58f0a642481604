/**
 * Boxes with labels, and captions, drawn on every frame of a video.
 *
 * ```
 * file ─ decode ─ draw ─ H.264 ─► file      in one thread, frame by frame: memory does not grow with the length
 * ```
 * Frames keep their times. The sound is not taken over.
 */

import { WorkerPool, workerUrl } from "@fourtier/core/node"
import { type AnnotateJob, type AnnotateReply, annotateReplySchema } from "./annotate-jobs.ts"
import type { Colour } from "./draw.ts"
import { Lettering, letteringSize, type TextMask } from "./lettering.ts"

/** What is drawn on a frame. */
export type Mark =
  | {
      /** Corners in shares of the picture. */
      box: readonly [x1: number, y1: number, x2: number, y2: number]
      colour: Colour
      /** One a line, at the box's upper left corner. */
      texts: readonly string[]
    }
  /** In the middle of the lower edge, broken into lines where it is long. */
  | { caption: string }

/** A video as `VideoReader` knows it. */
export interface MarkedVideo {
  path: string
  /** Of every frame, seconds. */
  times: Float64Array
  duration: number
  /** Pixels of the upright picture. */
  width: number
  height: number
}

export interface AnnotateOptions {
  /** Told of frames that are done, of all. */
  onProgress?: (frames: number, of: number) => void
  signal?: AbortSignal
}

/** How often progress is looked at, milliseconds. */
const GLANCE_MS = 200

/** Hours that drawing on one video may take. */
const LONGEST_HOURS = 240

/** Share of the picture's width that a caption takes at most. */
const CAPTION_WIDTH = 0.9

/**
 * Writes a copy of a video, as H.264 in MP4, with marks drawn on it. The file appears once it is whole.
 * @param marksAt what is drawn on the frame that is shown at these seconds
 * @throws FourtierError where the video cannot be decoded, or the file not be written
 *
 * @example
 * ```ts
 * import { annotateVideo, VideoReader } from "fourtier/video"
 *
 * const video = await VideoReader.open("jump.mp4")
 * await annotateVideo(video, "jump.drawn.mp4", (time) => (time < 2 ? [{ caption: "run" }] : [{ caption: "jump" }]))
 * await video.close()
 * ```
 */
export async function annotateVideo(
  { path, times, duration, width, height }: MarkedVideo,
  out: string,
  marksAt: (time: number) => readonly Mark[],
  { onProgress, signal }: AnnotateOptions = {},
): Promise<void> {
  const texts = new TextMasks(width, height)
  const marks: AnnotateJob["marks"] = []
  for (const time of times) {
    const row: AnnotateJob["marks"][number] = []
    for (const mark of marksAt(time)) row.push(await texts.numbered(mark))
    marks.push(row)
  }
  signal?.throwIfAborted()
  const state = new SharedArrayBuffer(8)
  const shared = new Int32Array(state)
  const fps = times.length / duration
  const pool = new WorkerPool<AnnotateJob, AnnotateReply>(
    workerUrl(import.meta.url, "./annotate.worker.ts"),
    annotateReplySchema,
    { workers: 1, timeout: LONGEST_HOURS * 3600 },
  )
  const stop = () => void Atomics.store(shared, 1, 1)
  signal?.addEventListener("abort", stop)
  const glance = setInterval(() => onProgress?.(Atomics.load(shared, 0), times.length), GLANCE_MS)
  try {
    await pool.run({ path, out, fps, marks, masks: texts.masks, state })
    onProgress?.(times.length, times.length)
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  } finally {
    clearInterval(glance)
    signal?.removeEventListener("abort", stop)
    await pool.end()
  }
}

/** Each text of a video once, as a mask with a number. */
class TextMasks {
  readonly masks: TextMask[] = []
  readonly #numbers = new Map<string, number>()
  readonly #lettering: Lettering
  readonly #captionWidth: number

  constructor(width: number, height: number) {
    this.#lettering = new Lettering(letteringSize(width, height))
    this.#captionWidth = CAPTION_WIDTH * width
  }

  async numbered(mark: Mark): Promise<AnnotateJob["marks"][number][number]> {
    if ("caption" in mark) return { caption: await this.#number(mark.caption, this.#captionWidth) }
    const { box, colour, texts } = mark
    const numbers: number[] = []
    for (const text of texts) numbers.push(await this.#number(text))
    return { box: [...box], colour: [...colour], texts: numbers }
  }

  async #number(text: string, width?: number): Promise<number> {
    const key = `${width ?? ""} ${text}`
    const known = this.#numbers.get(key)
    if (known !== undefined) return known
    this.masks.push(await this.#lettering.mask(text, width === undefined ? {} : { width }))
    this.#numbers.set(key, this.masks.length - 1)
    return this.masks.length - 1
  }
}
