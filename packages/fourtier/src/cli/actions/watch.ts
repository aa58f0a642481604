/** Watches a live source with an exported bundle. */

import {
  type ActionEvent,
  type StreamAnswer,
  type StreamOptions,
  type TrackOptions,
  trackActions,
} from "@fourtier/core/bundle"
import { FourtierError, PROVIDERS } from "@fourtier/tensor"
import { listCameras, liveSource } from "../../deploy/live/address.ts"
import { type LiveConnection, liveConnections } from "../../deploy/live/connections.ts"
import { loadForStream, streamPictureSize } from "../../deploy/stream.ts"
import { interruptible } from "../interrupt.ts"
import { oneOf } from "./one-of.ts"
import { Notifier } from "./watch-notify.ts"
import { jsonView, lineView, tableView, type View, type WatchEvent } from "./watch-views.ts"

export interface WatchOptions
  extends Pick<StreamOptions, "window" | "step" | "smoothing">,
    Pick<TrackOptions, "on" | "off" | "least"> {
  list?: boolean
  json?: boolean
  answers?: boolean
  exec?: string
  post?: string
  pace?: number | "max"
  wait?: boolean
  provider: string
  threads?: number
}

/** Says what happens until the source ends, or the user ends it. */
export async function watch(
  bundle: string | undefined,
  source: string | undefined,
  options: WatchOptions,
): Promise<void> {
  const { json = false, answers = false, post } = options
  if (options.list) return printCameras(json)
  if (bundle === undefined || source === undefined) {
    throw new FourtierError({
      where: bundle === undefined ? "<bundle>" : "<source>",
      what: "is missing",
      expected: "fourtier watch <bundle> <source>",
      fix: "`fourtier watch --list` shows the cameras; `fourtier watch --help` what else can be a source",
    })
  }
  if (answers && !json) throw new FourtierError({ where: "--answers", what: "goes with --json", fix: "add --json" })
  if (post !== undefined && !/^https?:\/\/./.test(post)) {
    throw new FourtierError({ where: "--post", what: "no address", expected: "http://… or https://…", found: post })
  }
  // before a model is loaded, whether there is such a source
  await liveSource(source)
  const provider = oneOf("--provider", options.provider, ["auto", ...PROVIDERS])
  const recognizer = await loadForStream(bundle, { provider, threads: options.threads })
  const view = json ? jsonView(answers) : process.stdout.isTTY ? tableView(process.stdout) : lineView()
  const { threshold = 0 } = recognizer.bundle.unknown ?? {}
  const { on = Math.max(0.7, threshold), off, least, window, step, smoothing } = options
  const notifier = new Notifier(options)
  const work = async (signal: AbortSignal) => {
    const connections = liveConnections(source, {
      ...{ size: streamPictureSize(recognizer.bundle), pace: options.pace, wait: options.wait, signal },
      onLoss: (error, seconds) => view.lost(error, seconds),
    })
    for await (const connection of connections) {
      view.connected(connection)
      const stream = recognizer.stream(connection.frames, {
        ...{ window, step, smoothing, top: 3 },
        live: options.pace !== "max",
      })
      const place = placeOf(connection)
      for await (const event of trackActions(place.through(stream, view), recognizer.labels, { on, off, least })) {
        const told = place.tell(event)
        view.event(told)
        notifier.push(told)
      }
    }
    await notifier.end(signal)
  }
  try {
    await interruptible(work)
  } finally {
    view.end()
    await recognizer.release()
  }
}

/** From the stream's time to what is told of it. */
function placeOf({ name: source, kind }: LiveConnection) {
  let newest: { time: number; at: number } | null = null
  let since = 0
  return {
    /** Answers as they go by. */
    async *through(answers: AsyncIterable<StreamAnswer>, view: View): AsyncGenerator<StreamAnswer> {
      for await (const answer of answers) {
        newest = { time: answer.time, at: Date.now() - answer.latency * 1000 }
        view.answer(answer)
        yield answer
      }
    },
    tell({ kind: event, label, time, probability }: ActionEvent): WatchEvent {
      if (event === "start") since = time
      const at = newest && kind !== "file" ? new Date(newest.at - (newest.time - time) * 1000) : null
      const seconds = event === "end" ? time - since : null
      return { event, label, time, at, probability, seconds, source }
    },
  }
}

async function printCameras(json: boolean): Promise<void> {
  const cameras = await listCameras()
  if (json) for (const camera of cameras) process.stdout.write(`${JSON.stringify(camera)}\n`)
  else for (const { address, description } of cameras) process.stdout.write(`${address}  ${description}\n`)
  if (cameras.length === 0) process.stderr.write("no cameras found\n")
}
