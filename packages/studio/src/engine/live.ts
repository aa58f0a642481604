/** In a worker: recognises in frames that keep coming, with a bundle that is given by its files. */

import { type Bundle, FrameRecognizer, parseBundle, type StreamAnswer, type TimedFrame } from "@fourtier/core/bundle"
import { leadingSize, type PictureSize, transformOf } from "@fourtier/core/frames"
import type { Provider } from "@fourtier/tensor"
import { openOnBest } from "./device.ts"
import { openVideo } from "./frames.ts"
import { pictureOf } from "./scale.ts"
import type { Planes } from "./yuv.ts"

export interface BundleFiles {
  bundle: string
  model: Uint8Array
  frame: Uint8Array | null
  head: Uint8Array | null
}

export interface LiveAnswer extends Omit<StreamAnswer, "probabilities"> {
  probabilities: number[]
}

export type LiveEvent = { kind: "answer"; answer: LiveAnswer } | { kind: "ended"; failure: string | null }

let recognizer: FrameRecognizer | null = null
let size: PictureSize | undefined
let feed: Feed | null = null

/** Frames from the page, handed on to the stream. */
class Feed implements AsyncIterable<TimedFrame> {
  #waiting: TimedFrame[] = []
  #wake: () => void = () => {}
  #ended = false

  push(frame: TimedFrame): void {
    this.#waiting.push(frame)
    this.#wake()
  }

  end(): void {
    this.#ended = true
    this.#wake()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<TimedFrame> {
    while (true) {
      const next = this.#waiting.shift()
      if (next) yield next
      else if (this.#ended) return
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
    }
  }
}

const plain = ({ probabilities, ...answer }: StreamAnswer): LiveAnswer => ({
  ...answer,
  probabilities: [...probabilities],
})

/** Frames that something can be said of: a ramp of grey. */
function anyClip({ input }: Bundle): Float32Array {
  return Float32Array.from({ length: input.shape.reduce((a, b) => a * b, 1) }, (_, i) => i % 256)
}

/** @param send tells the page */
export const liveFunctions = (send: (event: LiveEvent) => void) => ({
  /** @returns the labels, and on what it runs */
  async load({ bundle, model, frame, head }: BundleFiles): Promise<{ labels: string[]; device: Provider }> {
    await recognizer?.release()
    const parsed = parseBundle(JSON.parse(bundle), "bundle.json")
    size = leadingSize(transformOf(parsed.steps))
    const externalData = [{ path: "model.onnx", data: model }]
    const parts = parsed.stream && frame && head ? { frame, head } : null
    recognizer = await openOnBest(
      (options) =>
        parts
          ? FrameRecognizer.loadParts(parts.frame, parts.head, parsed, { ...options, externalData })
          : FrameRecognizer.load(model, parsed, options),
      (opened) => opened.predictView(anyClip(parsed)),
      (opened) => opened.release(),
    )
    return { labels: [...parsed.labels], device: recognizer.provider }
  },

  /** Answers come as events until `end`. */
  begin(options: { smoothing: number }): void {
    if (!recognizer) throw new Error("internal error: no recogniser")
    feed?.end()
    const own = new Feed()
    feed = own
    const stream = recognizer.stream(own, { live: true, top: 5, ...options })
    const run = async () => {
      for await (const answer of stream) {
        if (feed !== own) return
        send({ kind: "answer", answer: plain(answer) })
      }
    }
    run().then(
      () => send({ kind: "ended", failure: null }),
      (error: unknown) => send({ kind: "ended", failure: error instanceof Error ? error.message : String(error) }),
    )
  },

  /** One frame. Answered when it has been taken: send the next one then. */
  frame(time: number, planes: Planes): void {
    feed?.push({ time, picture: pictureOf(planes, size) })
  },

  end(): void {
    feed?.end()
    feed = null
  },

  /** Answers along a file. */
  async timeline(file: Blob): Promise<{ duration: number; answers: LiveAnswer[] }> {
    if (!recognizer) throw new Error("internal error: no recogniser")
    const video = await openVideo(file)
    try {
      const source = video.clip(null, null, size)
      const frames = async function* (): AsyncGenerator<TimedFrame> {
        const BLOCK = 16
        for (let from = 0; from < source.times.length; from += BLOCK) {
          const indices = Array.from({ length: Math.min(BLOCK, source.times.length - from) }, (_, i) => from + i)
          const { data, width, height } = await source.read(indices)
          const area = width * height * 3
          for (const [i, index] of indices.entries()) {
            const own = data.slice(i * area, (i + 1) * area)
            yield { time: source.times[index], picture: { data: own, count: 1, width, height } }
          }
        }
      }
      const answers: LiveAnswer[] = []
      for await (const answer of recognizer.stream(frames(), { top: 3, smoothing: 0.5 })) answers.push(plain(answer))
      return { duration: source.duration, answers }
    } finally {
      video.close()
    }
  },
})

export type LiveFunctions = ReturnType<typeof liveFunctions>
