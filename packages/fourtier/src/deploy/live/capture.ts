/** One connection to a live source, as the process that captures it tells of it. */

import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { TimedFrame } from "@fourtier/core/bundle"
import { workerUrl } from "@fourtier/core/node"
import { FourtierError } from "@fourtier/tensor"
import { PATIENCE } from "./address.ts"
import { type CaptureJob, type CaptureNews, captureNewsSchema, type OpenedSource } from "./capture-jobs.ts"

/** Frames that may be under way between the processes. */
const UNDER_WAY = 8

/** Seconds that the process may take to start and to open its source. */
const OPENING = 2 * PATIENCE

/** Seconds by which a declared duration may be wrong. */
const END_SLACK = 2

/** A source that could not be opened, or was lost. */
export interface Loss {
  error: FourtierError
  /** Whether another attempt may do better. */
  passing: boolean
}

/** A source that is open. */
export interface Capture {
  opened: OpenedSource
  /** Its frames; their times count from the first one. Ends where the source ends, is lost, or `close` is called. */
  frames(): AsyncGenerator<TimedFrame, void, undefined>
  /** Why it was lost; null: it has not been, or has come to its end. */
  readonly loss: Loss | null
  /** Frames that came faster than they were taken. */
  readonly dropped: number
  close(): void
}

/**
 * Opens a source.
 * @param signal ends it at once
 * @returns what is open, or why it is not
 */
export async function openCapture(job: CaptureJob, signal: AbortSignal): Promise<Capture | Loss> {
  const line = new Line(job, signal)
  const first = await line.next(job.source.kind === "pipe" ? Number.POSITIVE_INFINITY : OPENING)
  if (first !== null && first !== "silent" && "opened" in first) return new OpenCapture(line, first.opened, job)
  line.close()
  return lossOf(first, job)
}

function lossOf(news: CaptureNews | "silent" | null, { source }: CaptureJob): Loss {
  const where = source.name
  if (news === "silent") {
    const fix = source.kind === "camera" ? "unplug it and plug it in again" : "check the source and the network"
    return { error: new FourtierError({ where, what: "nothing comes from there any more", fix }), passing: true }
  }
  if (news !== null && "failed" in news) {
    return { error: new FourtierError({ where, ...news.failed }), passing: news.passing }
  }
  if (news !== null) return { error: new FourtierError({ where, what: "the stream has ended" }), passing: true }
  return { error: new FourtierError({ where, what: "the process that reads it has crashed" }), passing: true }
}

class OpenCapture implements Capture {
  readonly opened: OpenedSource
  readonly #line: Line
  readonly #job: CaptureJob
  loss: Loss | null = null
  dropped = 0

  constructor(line: Line, opened: OpenedSource, job: CaptureJob) {
    this.#line = line
    this.opened = opened
    this.#job = job
  }

  async *frames(): AsyncGenerator<TimedFrame, void, undefined> {
    const { kind } = this.#job.source
    const patience = kind === "camera" || kind === "network" ? OPENING : Number.POSITIVE_INFINITY
    let last = 0
    this.#line.order({ more: UNDER_WAY })
    try {
      while (true) {
        const news = await this.#line.next(patience)
        if (news === null && this.#line.closed) return
        if (news !== null && news !== "silent" && "ended" in news && this.#isEnd(last)) return
        if (news === null || news === "silent" || !("frame" in news)) {
          this.loss = lossOf(news, this.#job)
          return
        }
        const { time, width, height, data, dropped } = news.frame
        this.dropped = dropped
        last = time
        yield { time, picture: { data, count: 1, width, height } }
        this.#line.order({ more: 1 })
      }
    } finally {
      this.close()
    }
  }

  /** Whether a source that has ended after so many seconds was to end: a server that is shut down ends its streams as well. */
  #isEnd(seconds: number): boolean {
    const { kind } = this.#job.source
    const { duration } = this.opened
    if (kind === "file" || kind === "pipe") return true
    return kind === "network" && duration !== null && seconds > duration - END_SLACK
  }

  close(): void {
    this.#line.close()
  }
}

/** The line to a capturing process: its news, one after the other. */
class Line {
  readonly #child: ChildProcess
  readonly #news: CaptureNews[] = []
  readonly #signal: AbortSignal
  #gone = false
  #wake: () => void = () => {}
  closed = false

  constructor(job: CaptureJob, signal: AbortSignal) {
    this.#signal = signal
    const entry = fileURLToPath(workerUrl(import.meta.url, "./capture.worker.ts"))
    this.#child = fork(entry, {
      execArgv: [],
      serialization: "advanced",
      stdio: [job.source.kind === "pipe" ? "inherit" : "ignore", "ignore", "ignore", "ipc"],
    })
    const gone = () => {
      this.#gone = true
      this.#wake()
    }
    this.#child.on("error", gone)
    this.#child.on("exit", gone)
    this.#child.on("message", (message) => {
      this.#news.push(captureNewsSchema.parse(message))
      this.#wake()
    })
    signal.addEventListener("abort", this.close)
    if (signal.aborted) this.close()
    this.order({ job })
  }

  order(order: { job: CaptureJob } | { more: number }): void {
    if (this.#child.connected) this.#child.send(order, () => undefined)
  }

  /** @returns null: the process is gone; "silent": it has told nothing for so many seconds */
  async next(patience: number): Promise<CaptureNews | "silent" | null> {
    if (!this.closed && this.#news.length === 0 && !this.#gone) {
      let timer: NodeJS.Timeout | undefined
      await new Promise<void>((resolve) => {
        this.#wake = resolve
        if (Number.isFinite(patience)) timer = setTimeout(resolve, patience * 1000)
      })
      clearTimeout(timer)
    }
    if (this.closed) return null
    const news = this.#news.shift()
    return news ?? (this.#gone ? null : "silent")
  }

  close = (): void => {
    this.closed = true
    this.#signal.removeEventListener("abort", this.close)
    this.#child.kill("SIGKILL")
    this.#wake()
  }
}
