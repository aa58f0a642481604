/**
 * A live source over days: one connection after another, with longer and longer waits between attempts that fail.
 *
 * ```
 * address ─ process that opens and decodes ─ pictures ─► frames of a connection … lost … frames of the next one
 * ```
 */

import type { TimedFrame } from "@fourtier/core/bundle"
import type { PictureSize } from "@fourtier/core/frames"
import { FourtierError } from "@fourtier/tensor"
import { backOff, noJitter, pause } from "../../util/back-off.ts"
import { type LiveSource, liveSource } from "./address.ts"
import { openCapture } from "./capture.ts"
import type { OpenedSource } from "./capture-jobs.ts"

export interface LiveOptions {
  /** Size of the pictures: see `streamPictureSize`. Default: as they come. */
  size?: PictureSize
  /**
   * Seconds of a file that pass in a second, 1 by default: it is played as a camera would show it. "max": as fast as frames are taken,
   * and none is dropped. Cameras and RTSP have a pace of their own.
   */
  pace?: number | "max"
  /** Whether the first attempt may fail as the later ones may: the source is waited for. Default: it is an error. */
  wait?: boolean
  /** Ends it at once. */
  signal?: AbortSignal
  /** Told when a source is lost or cannot be opened: why, and in how many seconds it is tried again. */
  onLoss?: (error: FourtierError, seconds: number) => void
}

export interface LiveConnection {
  /** For people: the address without its password. */
  name: string
  kind: LiveSource["kind"]
  source: OpenedSource
  /** Frames as they come, to be taken once; times are seconds since the first frame of the first connection. */
  frames: AsyncGenerator<TimedFrame, void, undefined>
  /** Frames of this connection that came faster than they were taken. */
  dropped(): number
}

/** Longest wait between two attempts, milliseconds. */
const LONGEST_WAIT = 30_000

/**
 * Connections to a source: the next one where the last one was lost; ends where the source ends by itself (a file, a recording), or
 * `signal` says so.
 * @param address see `liveSource`
 * @throws FourtierError where the first attempt fails, unless `wait` is set, or where no attempt can do better
 *
 * @example
 * ```ts
 * import { liveConnections, loadForStream } from "fourtier/deploy"
 *
 * const recognizer = await loadForStream("runs/mine/bundle")
 * for await (const { frames } of liveConnections("rtsp://10.0.0.7/main")) {
 *   for await (const { time, top } of recognizer.stream(frames, { live: true })) console.log(time, top[0].label)
 * }
 * ```
 */
export async function* liveConnections(
  address: string,
  options: LiveOptions = {},
): AsyncGenerator<LiveConnection, void, undefined> {
  const source = await liveSource(address)
  const { size = null, wait = false, onLoss, signal = new AbortController().signal } = options
  const job = { source, size, ...paceOf(source, options.pace ?? 1) }
  let began: number | null = null
  let last = 0
  let failures = 0
  while (!signal.aborted) {
    const capture = await openCapture(job, signal)
    if (signal.aborted) return
    let loss = "error" in capture ? capture : null
    if (!("error" in capture)) {
      failures = 0
      began ??= performance.now()
      const since = Math.max(last, (performance.now() - began) / 1000)
      const frames = later(capture.frames(), since, (time) => {
        last = time
      })
      const { opened: about } = capture
      try {
        yield { name: source.name, kind: source.kind, source: about, frames, dropped: () => capture.dropped }
      } finally {
        capture.close()
      }
      loss = capture.loss
      if (loss === null) return
    }
    if (loss === null || signal.aborted) return
    if (!loss.passing || (began === null && !wait)) throw loss.error
    const milliseconds = backOff(failures++, { base: 1000, max: LONGEST_WAIT, jitter: noJitter })
    onLoss?.(loss.error, milliseconds / 1000)
    await pause(milliseconds, signal).catch((error: unknown) => {
      if (!signal.aborted) throw error
    })
  }
}

async function* later(
  frames: AsyncGenerator<TimedFrame, void, undefined>,
  seconds: number,
  onTime: (time: number) => void,
): AsyncGenerator<TimedFrame, void, undefined> {
  for await (const { time, picture } of frames) {
    onTime(time + seconds)
    yield { time: time + seconds, picture }
  }
}

/** A pipe or an address that comes at the pace of its sender must not fall behind for a clock that is a little slower. */
const FASTER = 1.001

/** @throws FourtierError for a pace that a source cannot have */
function paceOf({ kind, name, url }: LiveSource, pace: number | "max"): { pace: number | null; live: boolean } {
  const own = kind === "camera" || /^rtsps?:/i.test(url)
  if (own && pace !== 1) {
    throw new FourtierError({ where: name, what: "this source has a pace of its own", fix: "leave out the pace" })
  }
  if (pace === "max") return { pace: null, live: false }
  return { pace: own ? null : kind === "file" ? pace : pace * FASTER, live: true }
}
