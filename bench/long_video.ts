/**
 * Long video and live frames with a bundle: how much faster than real time `fourtier segment` is, with how much memory and where the
 * time goes, beside every window by itself; how late answers of a live source are, over time, and with a source that is four times as
 * fast as the machine.
 *
 *     npm run bench && node .fourtier/bench/long_video.js <bundle> <video> [parts] [minutes of live, 10] [threads, 2]
 *
 * Parts, separated by commas: segment, decode (alone), predict (window by window), live (the video as a camera would show it), flood
 * (its frames in a ring, four times as fast as they are answered); all by default. Each runs in a process of its own. An hour of video
 * from a clip: ffmpeg -stream_loop -1 -i clip.avi -t 3600 -vf scale=854:480 -r 30 -c:v libx264 hour.mp4, or, from one that is
 * encoded like that, -stream_loop 400 -c copy. Renews its rows of bench/long_video.csv.
 */

import { fileURLToPath } from "node:url"
import { type FrameRecognizer, windowOf } from "@fourtier/core/bundle"
import type { Pictures } from "@fourtier/core/frames"
import { liveConnections, loadForStream, Recognizer, segmentVideo, streamPictureSize } from "fourtier/deploy"
import { decodeFrames, frameTimesOf } from "fourtier/video"
import { z } from "zod"
import { answerLines, BENCH, type Cost, Partner, peakMemory, stop, Table, timed } from "./harness.ts"

const setupSchema = z.object({
  part: z.enum(["segment", "decode", "predict", "live", "flood"]),
  bundle: z.string(),
  video: z.string(),
  threads: z.number(),
  /** Seconds that a live part goes on for. */
  seconds: z.number(),
})

type Setup = z.infer<typeof setupSchema>

/** Figures by name. */
type Figures = Record<string, number>

const figuresSchema = z.record(z.string(), z.number())

const costs = (seconds: number, { clock, processor }: Cost): Figures => ({
  "seconds of video": seconds,
  seconds: clock,
  "seconds of processor": processor,
  "times real time": seconds / clock,
  "peak memory, MB": peakMemory() / 1e6,
})

/** What `segment` takes of a whole video, and of that the encoder and the head. */
async function segmentPart({ bundle, video, threads }: Setup): Promise<Figures> {
  const recognizer = await loadForStream(bundle, { threads })
  const spent = { keep: 0, judge: 0 }
  const keep = recognizer.keep.bind(recognizer)
  const judge = recognizer.judge.bind(recognizer)
  const clocked = async <T>(part: keyof typeof spent, work: () => Promise<T>): Promise<T> => {
    const { value, cost } = await timed(work)
    spent[part] += cost.clock
    return value
  }
  recognizer.keep = (pixels) => clocked("keep", () => keep(pixels))
  recognizer.judge = (kept) => clocked("judge", () => judge(kept))
  const { value, cost } = await timed(() => segmentVideo(recognizer, video))
  await recognizer.release()
  return {
    ...costs(value.duration, cost),
    ...{ spans: value.spans.length, "seconds in the encoder": spent.keep, "seconds in the head": spent.judge },
  }
}

/** Decoding alone: as many frames as `segment` looks at, in stretches of 20 s. */
async function decodePart({ bundle, video }: Setup): Promise<Figures> {
  const recognizer = await loadForStream(bundle)
  const { step } = windowOf(recognizer.bundle, {})
  const size = streamPictureSize(recognizer.bundle)
  await recognizer.release()
  const { cost, value } = await timed(async () => {
    const { duration } = frameTimesOf(video)
    for (let start = 0; start < duration; start += 20) {
      const end = Math.min(duration, start + 20)
      const wanted = Array.from({ length: Math.floor((end - start) / step) }, (_, i) => i * step)
      if (wanted.length > 0) decodeFrames({ path: video, start, end, frames: 0, fps: 0 }, { times: wanted }, { size })
      await new Promise((resolve) => setImmediate(resolve))
    }
    return duration
  })
  return costs(value, cost)
}

/** The naive way, on the first minute: every window by itself. */
async function predictPart({ bundle, video, threads }: Setup): Promise<Figures> {
  const stream = await loadForStream(bundle, { threads })
  const { window, step } = windowOf(stream.bundle, {})
  await stream.release()
  const recognizer = await Recognizer.load(bundle, { workers: 1, threads })
  const starts = Array.from({ length: Math.floor((60 - window) / step) + 1 }, (_, k) => k * step)
  const { cost } = await timed(async () => {
    for (const start of starts) await recognizer.predict(video, { start, end: start + window, top: 1 })
  })
  await recognizer.release()
  return { ...costs(60, cost), windows: starts.length }
}

/** An answer of a live stream: seconds since the start, seconds that it is late, and what was dropped and held until then. */
interface Late {
  wall: number
  lag: number
  dropped: number
  memory: number
}

/** Of the whole and of each minute; `pace`: seconds of the source in a second. */
class Lateness {
  readonly #pace: number
  readonly #answers: Late[] = []
  #begun: number | null = null

  constructor(pace: number) {
    this.#pace = pace
  }

  get seconds(): number {
    return this.#begun === null ? 0 : (performance.now() - this.#begun) / 1000
  }

  /** The first frame is there. */
  begin(): void {
    this.#begun ??= performance.now()
  }

  /** @param time of the source, at which the answer's window ends */
  add(time: number, dropped: number): void {
    const wall = this.seconds
    this.#answers.push({ wall, lag: wall - time / this.#pace, dropped, memory: process.memoryUsage().rss / 1e6 })
  }

  figures(frames: number): Figures {
    const all = this.#answers
    const quantile = (own: readonly Late[], q: number) =>
      own.map(({ lag }) => lag).sort((a, b) => a - b)[Math.floor(q * (own.length - 1))] ?? Number.NaN
    const found: Figures = {
      ...{ seconds: this.seconds, pace: this.#pace, frames, answers: all.length },
      ...{
        "dropped frames": all.at(-1)?.dropped ?? 0,
        "lag p50, s": quantile(all, 0.5),
        "lag p95, s": quantile(all, 0.95),
      },
    }
    for (let minute = 0; 60 * minute < this.seconds - 30; minute++) {
      const own = all.filter(({ wall }) => Math.floor(wall / 60) === minute)
      found[`minute ${minute + 1}: lag p50, s`] = quantile(own, 0.5)
      found[`minute ${minute + 1}: lag p95, s`] = quantile(own, 0.95)
      found[`minute ${minute + 1}: memory, MB`] = Math.max(0, ...own.map(({ memory }) => memory))
    }
    return found
  }
}

/** The video as a camera would show it, decoded in a process of its own. */
async function livePart({ bundle, video, threads, seconds }: Setup): Promise<Figures> {
  const recognizer = await loadForStream(bundle, { threads })
  const late = new Lateness(1)
  let came = 0
  for await (const connection of liveConnections(video, { pace: 1, size: streamPictureSize(recognizer.bundle) })) {
    let first: number | null = null
    const frames = async function* () {
      for await (const { time, picture } of connection.frames) {
        late.begin()
        came++
        first ??= time
        yield { time: time - first, picture }
      }
    }
    for await (const { time, dropped } of recognizer.stream(frames(), { live: true })) {
      late.add(time, dropped + connection.dropped())
      if (late.seconds > seconds) break
    }
    break
  }
  await recognizer.release()
  return late.figures(came)
}

/** Seconds of the video that go round in a flood. */
const ROUND = 10

/** Frames of the video's first seconds, decoded, and how many there are a second. */
async function ringOf(video: string, recognizer: FrameRecognizer): Promise<{ pictures: Pictures[]; rate: number }> {
  const { times, duration } = frameTimesOf(video)
  const rate = times.length / duration
  const indices = Array.from({ length: Math.min(times.length, Math.round(ROUND * rate)) }, (_, i) => i)
  const clip = { path: video, start: null, end: null, frames: 0, fps: 0 }
  const { data, width, height } = decodeFrames(clip, { indices }, { size: streamPictureSize(recognizer.bundle) })
  const area = 3 * width * height
  return {
    pictures: indices.map((i) => ({ data: data.subarray(i * area, (i + 1) * area), count: 1, width, height })),
    rate,
  }
}

/** A source that waits for nobody, four times as fast as its windows are answered one after the other. */
async function floodPart({ bundle, video, threads, seconds }: Setup): Promise<Figures> {
  const recognizer = await loadForStream(bundle, { threads })
  const { pictures, rate } = await ringOf(video, recognizer)
  const frameAt = (i: number) => ({ time: i / rate, picture: pictures[i % pictures.length] })
  const patient = function* () {
    for (let i = 0; i < 60 * rate; i++) yield frameAt(i)
  }
  const { cost } = await timed(async () => {
    for await (const _ of recognizer.stream(patient()));
  })
  const speed = 60 / cost.clock
  const late = new Lateness(4 * speed)
  let came = 0
  const flood = async function* () {
    late.begin()
    while (late.seconds < seconds) {
      for (; came < late.seconds * 4 * speed * rate; came++) yield frameAt(came)
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
  }
  for await (const { time, dropped } of recognizer.stream(flood(), { live: true })) late.add(time, dropped)
  await recognizer.release()
  return { "times real time, all answered": speed, ...late.figures(came) }
}

const PARTS = { segment: segmentPart, decode: decodePart, predict: predictPart, live: livePart, flood: floodPart }

if (process.argv[2] === "--part") {
  await answerLines(setupSchema, async (setup) => () => PARTS[setup.part](setup))
} else {
  const [bundle, video, wanted = "", minutes = "10", threads = "2"] = process.argv.slice(2)
  if (!bundle || !video) stop("usage: node .fourtier/bench/long_video.js <bundle> <video> [parts] [minutes] [threads]")
  const self = fileURLToPath(import.meta.url)
  const table = await Table.renewed(`${BENCH}/long_video.csv`, ["part", "figure", "value"], 2)
  for (const part of setupSchema.shape.part.options) {
    if (wanted !== "" && !wanted.split(",").includes(part)) continue
    const partner = new Partner(process.execPath, [self, "--part"])
    partner.tell({ part, bundle, video, threads: Number(threads), seconds: 60 * Number(minutes) })
    const figures = await partner.ask(null, figuresSchema)
    partner.end()
    for (const [figure, value] of Object.entries(figures)) table.add([part, figure, Number(value.toFixed(3))])
  }
  await table.write()
}
