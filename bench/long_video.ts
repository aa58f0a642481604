/**
 * Long video and live frames with a bundle: how much faster than real time `fourtier segment` is, with how much memory and where the
 * time goes; how late answers of a live source are, over time, and with a source that is faster than the machine.
 *
 *     npm run bench && node .fourtier/bench/long_video.js <bundle> <video> [minutes of live, 10] [threads, 2]
 *
 * An hour of video from a clip: ffmpeg -stream_loop -1 -i clip.avi -t 3600 -vf scale=854:480 -r 30 -c:v libx264 hour.mp4, or, from
 * one that is encoded like that, -stream_loop 400 -c copy. Each part runs in a process of its own. Writes bench/long_video.csv.
 */

import { fileURLToPath } from "node:url"
import { windowOf } from "@fourtier/core/bundle"
import { liveConnections, loadForStream, Recognizer, segmentVideo, streamPictureSize } from "fourtier/deploy"
import { decodeFrames, frameTimesOf } from "fourtier/video"
import { z } from "zod"
import { answerLines, BENCH, Partner, peakMemory, stop, Table, timed } from "./harness.ts"

const setupSchema = z.object({
  part: z.enum(["segment", "decode", "predict", "live", "speed"]),
  bundle: z.string(),
  video: z.string(),
  threads: z.number(),
  /** Seconds of video that a live part goes on for; how fast they come. */
  seconds: z.number(),
  pace: z.number(),
})

type Setup = z.infer<typeof setupSchema>

const costSchema = z.object({ seconds: z.number(), wall: z.number(), processor: z.number(), peak: z.number() })

const liveSchema = z.object({
  answers: z.number(),
  dropped: z.number(),
  frames: z.number(),
  p50: z.number(),
  p95: z.number(),
  first: z.number(),
  last: z.number(),
  firstMemory: z.number(),
  lastMemory: z.number(),
  wall: z.number(),
})

/** What `segment` takes of a whole video. */
async function segmentPart({ bundle, video, threads }: Setup) {
  const recognizer = await loadForStream(bundle, { threads })
  const { value, cost } = await timed(() => segmentVideo(recognizer, video))
  await recognizer.release()
  return { seconds: value.duration, wall: cost.clock, processor: cost.processor, peak: peakMemory() }
}

/** Decoding alone: as many frames a window as the model looks at, in stretches of 20 s. */
async function decodePart({ bundle, video }: Setup) {
  const recognizer = await loadForStream(bundle)
  const { step } = windowOf(recognizer.bundle, {})
  const size = streamPictureSize(recognizer.bundle)
  await recognizer.release()
  const { cost, value } = await timed(async () => {
    const { times, duration } = frameTimesOf(video)
    for (let start = 0; start < duration; start += 20) {
      const end = Math.min(duration, start + 20)
      const wanted = Array.from({ length: Math.floor((end - start) / step) }, (_, i) => i * step)
      if (wanted.length > 0) decodeFrames({ path: video, start, end, frames: 0, fps: 0 }, { times: wanted }, { size })
      await new Promise((resolve) => setImmediate(resolve))
    }
    return { duration, frames: times.length }
  })
  return { seconds: value.duration, wall: cost.clock, processor: cost.processor, peak: peakMemory() }
}

/** The naive way, on the first minute: every window by itself. */
async function predictPart({ bundle, video, threads }: Setup) {
  const stream = await loadForStream(bundle, { threads })
  const { window, step } = windowOf(stream.bundle, {})
  await stream.release()
  const recognizer = await Recognizer.load(bundle, { workers: 1, threads })
  const starts = Array.from({ length: Math.floor((60 - window) / step) + 1 }, (_, k) => k * step)
  const { cost } = await timed(async () => {
    for (const start of starts) await recognizer.predict(video, { start, end: start + window, top: 1 })
  })
  await recognizer.release()
  return { seconds: 60, wall: cost.clock, processor: cost.processor, peak: peakMemory() }
}

/** How many times real time a stream answers every window. */
async function speedPart({ bundle, video, threads, seconds }: Setup) {
  const recognizer = await loadForStream(bundle, { threads })
  const { cost } = await timed(async () => {
    for await (const { frames } of liveConnections(video, {
      pace: "max",
      size: streamPictureSize(recognizer.bundle),
    })) {
      for await (const { time } of recognizer.stream(frames)) if (time > seconds) break
      break
    }
  })
  await recognizer.release()
  return { seconds, wall: cost.clock, processor: cost.processor, peak: peakMemory() }
}

async function livePart({ bundle, video, threads, seconds, pace }: Setup) {
  const recognizer = await loadForStream(bundle, { threads })
  const answers: { wall: number; latency: number; memory: number }[] = []
  let [dropped, came] = [0, 0]
  const begun = performance.now()
  for await (const connection of liveConnections(video, { pace, size: streamPictureSize(recognizer.bundle) })) {
    const { frames } = connection
    const counted = async function* () {
      for await (const frame of frames) {
        came++
        yield frame
      }
    }
    for await (const answer of recognizer.stream(counted(), { live: true })) {
      const wall = (performance.now() - begun) / 1000
      answers.push({ wall, latency: answer.latency, memory: process.memoryUsage().rss / 2 ** 20 })
      dropped = answer.dropped + connection.dropped()
      if (wall > seconds) break
    }
    break
  }
  await recognizer.release()
  const wall = (performance.now() - begun) / 1000
  const quantile = (own: readonly { latency: number }[], q: number) =>
    own.map(({ latency }) => latency).sort((a, b) => a - b)[Math.floor(q * (own.length - 1))] ?? Number.NaN
  const minute = (from: number) => answers.filter((one) => one.wall >= from && one.wall < from + 60)
  const memory = (own: readonly { memory: number }[]) => Math.max(0, ...own.map((one) => one.memory))
  return {
    ...{ answers: answers.length, dropped, frames: came + dropped, wall },
    ...{ p50: quantile(answers, 0.5), p95: quantile(answers, 0.95) },
    ...{ first: quantile(minute(0), 0.95), last: quantile(minute(wall - 60), 0.95) },
    ...{ firstMemory: memory(minute(0)), lastMemory: memory(minute(wall - 60)) },
  }
}

const PARTS = { segment: segmentPart, decode: decodePart, predict: predictPart, speed: speedPart, live: livePart }

if (process.argv[2] === "--part") {
  await answerLines(setupSchema, async (setup) => () => PARTS[setup.part](setup))
} else {
  const [bundle, video, minutes = "10", threads = "2"] = process.argv.slice(2)
  if (!bundle || !video) stop("usage: node .fourtier/bench/long_video.js <bundle> <video> [minutes] [threads]")
  const self = fileURLToPath(import.meta.url)
  const ask = async <T>(setup: Partial<Setup> & Pick<Setup, "part">, schema: z.ZodType<T>): Promise<T> => {
    const partner = new Partner(process.execPath, [self, "--part"])
    partner.tell({ bundle, video, threads: Number(threads), seconds: 60 * Number(minutes), pace: 1, ...setup })
    const answer = await partner.ask(null, schema)
    partner.end()
    return answer
  }
  const table = new Table(`${BENCH}/long_video.csv`, ["what", "figure", "value"])
  for (const part of ["segment", "decode", "predict", "speed"] as const) {
    const seconds = part === "speed" ? 60 : 0
    const { seconds: of, wall, processor, peak } = await ask({ part, seconds }, costSchema)
    table.add([part, "seconds of video", of.toFixed(1)])
    table.add([part, "seconds", wall.toFixed(1)])
    table.add([part, "seconds of processor", processor.toFixed(1)])
    table.add([part, "times real time", (of / wall).toFixed(2)])
    table.add([part, "peak memory, MiB", (peak / 2 ** 20).toFixed(0)])
    if (part !== "speed") continue
    for (const pace of [1, (4 * of) / wall]) {
      const found = await ask({ part: "live", pace }, liveSchema)
      const name = `live at ${pace.toFixed(1)} times its own speed`
      for (const [figure, value] of Object.entries(found)) table.add([name, figure, value.toFixed(3)])
    }
  }
  await table.write()
}
