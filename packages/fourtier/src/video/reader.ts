/** Chosen frames of a long video, decoded in a thread of its own one stretch ahead: memory does not grow with the video's length. */

import { type PictureSize, scaledSize } from "@fourtier/core/frames"
import { WorkerPool, workerUrl } from "@fourtier/core/node"
import type { Picture } from "./draw.ts"
import { type ReaderJob, type ReaderReply, readerReplySchema } from "./reader-jobs.ts"

export interface ReadFrame {
  /** Number of the frame in the video. */
  index: number
  /** Seconds from the first frame. */
  time: number
  picture: Picture
}

export interface ReadOptions {
  /** Scale while decoding. */
  size?: PictureSize
  /** Interlaced frames pass the deinterlacer. */
  deinterlace?: boolean
  signal?: AbortSignal
}

/** Bytes of pixels that are decoded at once; as much again may wait. */
const STRETCH_BYTES = 32e6

/** Seconds of a stretch at most. */
const STRETCH_SECONDS = 20

/**
 * A video to read frames of.
 *
 * @example
 * ```ts
 * import { VideoReader } from "fourtier/video"
 *
 * const reader = await VideoReader.open("hour.mp4")
 * const everyTenth = [...reader.times.keys()].filter((index) => index % 10 === 0)
 * for await (const { time, picture } of reader.frames(everyTenth, { size: { longSide: 320 } })) console.log(time, picture.width)
 * await reader.close()
 * ```
 */
export class VideoReader {
  readonly path: string
  /** When each frame is shown: seconds from the first one, ascending. */
  readonly times: Float64Array
  /** Seconds from the first frame's start to the last one's end. */
  readonly duration: number
  /** Pixels of the upright picture. */
  readonly width: number
  readonly height: number
  readonly #pool: WorkerPool<ReaderJob, ReaderReply>

  private constructor(
    path: string,
    pool: WorkerPool<ReaderJob, ReaderReply>,
    { times, duration, width, height }: Extract<ReaderReply, { times: unknown }>,
  ) {
    this.path = path
    this.times = times
    this.duration = duration
    this.width = width
    this.height = height
    this.#pool = pool
  }

  /** Looks through a file. Throws FourtierError where it cannot be opened or holds no frame that decodes. */
  static async open(path: string): Promise<VideoReader> {
    const entry = workerUrl(import.meta.url, "./reader.worker.ts")
    const pool = new WorkerPool<ReaderJob, ReaderReply>(entry, readerReplySchema, { workers: 1 })
    try {
      const look = await pool.run({ look: path })
      if (!("times" in look)) throw new Error("internal error: no times")
      return new VideoReader(path, pool, look)
    } catch (error) {
      await pool.end()
      throw error
    }
  }

  /** Number of the frame that is shown at a time; the first or last one outside the video. */
  frameAt(time: number): number {
    let [low, high] = [0, this.times.length - 1]
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (this.times[middle] <= time + 1e-6) low = middle
      else high = middle - 1
    }
    return low
  }

  /**
   * Frames in order of time.
   * @param indices numbers of frames, ascending, each once
   */
  async *frames(indices: readonly number[], options: ReadOptions = {}): AsyncGenerator<ReadFrame> {
    const stretches = this.#stretches(indices, options.size)
    let ahead = stretches.length > 0 ? this.#read(stretches[0], options) : null
    for (let s = 0; ahead !== null; s++) {
      const found: ReadFrame[] = await ahead
      ahead = s + 1 < stretches.length ? this.#read(stretches[s + 1], options) : null
      // it is awaited only after this stretch, or never where the reader of these frames stops
      ahead?.catch(() => undefined)
      for (const frame of found) {
        options.signal?.throwIfAborted()
        yield frame
      }
    }
  }

  /** Ends the thread. */
  async close(): Promise<void> {
    await this.#pool.end()
  }

  #stretches(indices: readonly number[], size: PictureSize | undefined): number[][] {
    const { width, height } = scaledSize(this.width, this.height, size)
    const bytes = width * height * 3
    const most = Math.max(1, Math.floor(STRETCH_BYTES / bytes))
    const stretches: number[][] = []
    for (const index of indices) {
      const last = stretches.at(-1)
      const isNear = last !== undefined && this.times[index] - this.times[last[0]] < STRETCH_SECONDS
      if (isNear && last.length < most) last.push(index)
      else stretches.push([index])
    }
    return stretches
  }

  async #read(indices: readonly number[], { size, deinterlace = false }: ReadOptions): Promise<ReadFrame[]> {
    const { path, times } = this
    const [first, last] = [indices[0], indices[indices.length - 1]]
    // the window ends before the frame after the last one, or somewhere behind the video's end
    const end = last + 1 < times.length ? times[last + 1] : times[last] + 3600
    const job = { path, start: times[first], end, indices: indices.map((index) => index - first), deinterlace }
    const reply = await this.#pool.run(size === undefined ? job : { ...job, size })
    if (!("data" in reply)) throw new Error("internal error: no frames")
    const { data, width, height } = reply
    const area = width * height * 3
    return indices.map((index, i) => ({
      index,
      time: times[index],
      picture: { data: data.subarray(i * area, (i + 1) * area), width, height },
    }))
  }
}
