/** What `fourtier watch` prints: lines of JSON, plain lines, or a table that is drawn anew. */

import { formatSeconds, plural } from "@fourtier/core"
import type { StreamAnswer } from "@fourtier/core/bundle"
import type { FourtierError } from "@fourtier/tensor"
import pc from "picocolors"
import type { LiveConnection } from "../../deploy/live/connections.ts"
import { percent } from "./segment-formats.ts"

/** A start or an end, as it is printed and sent. */
export interface WatchEvent {
  event: "start" | "end"
  label: string
  /** Seconds since the first frame. */
  time: number
  /** When that was; null where the source is a file. */
  at: Date | null
  probability: number
  /** Of an end: how long the action went on. */
  seconds: number | null
  /** As the user named it, without a password. */
  source: string
}

export interface View {
  connected(connection: LiveConnection): void
  lost(error: FourtierError, seconds: number): void
  answer(answer: StreamAnswer): void
  event(event: WatchEvent): void
  end(): void
}

const rounded = (value: number, digits: number) => Number(value.toFixed(digits))

/** A start or an end as JSON. */
export function eventJson({ event, label, time, at, probability, seconds, source }: WatchEvent): string {
  return JSON.stringify({
    ...{ event, label, time: rounded(time, 3), at: at?.toISOString() ?? null, probability: rounded(probability, 6) },
    ...(seconds === null ? {} : { seconds: rounded(seconds, 3) }),
    source,
  })
}

/** Lines of JSON on standard output. @param answers whether every answer is told as well */
export function jsonView(answers: boolean): View {
  const print = (line: string) => process.stdout.write(`${line}\n`)
  return {
    connected({ name, source: { width, height, rate, codec } }) {
      print(
        JSON.stringify({ event: "connected", at: new Date().toISOString(), source: name, width, height, rate, codec }),
      )
    },
    lost(error, seconds) {
      const { what, found } = error.complaint
      print(JSON.stringify({ event: "lost", at: new Date().toISOString(), why: what, found, again: seconds }))
    },
    answer({ time, top, unknown, latency, dropped }) {
      if (!answers) return
      const guesses = top.map(({ label, probability }) => ({ label, probability: rounded(probability, 6) }))
      const own = { time: rounded(time, 3), top: guesses, unknown, latency: rounded(latency, 4), dropped }
      print(JSON.stringify({ event: "answer", ...own }))
    },
    event: (event) => void print(eventJson(event)),
    end: () => {},
  }
}

const described = ({ name, source: { width, height, rate, codec } }: LiveConnection) =>
  `${name}: ${width}×${height}${rate > 0 ? `, ${rounded(rate, 2)} frames/s` : ""}, ${codec}`

const whyLost = (error: FourtierError, seconds: number) =>
  `${error.message}\n${pc.yellow("lost")} trying again in ${seconds} s`

/** "14:02:11", or "1:02.5" in a file. */
function clock({ at, time }: Pick<WatchEvent, "at" | "time">): string {
  if (at)
    return [at.getHours(), at.getMinutes(), at.getSeconds()].map((part) => String(part).padStart(2, "0")).join(":")
  const minutes = Math.floor(time / 60)
  return `${minutes}:${(time - 60 * minutes).toFixed(1).padStart(4, "0")}`
}

/** A line for each start and end on standard output; of the source on standard error. */
export function lineView(): View {
  return {
    connected: (connection) => void process.stderr.write(`${described(connection)}\n`),
    lost: (error, seconds) => void process.stderr.write(`${whyLost(error, seconds)}\n`),
    answer: () => {},
    event(event) {
      const { label, probability, seconds } = event
      const more = seconds === null ? percent(probability) : `after ${formatSeconds(seconds)}`
      process.stdout.write(`${clock(event).padStart(8)}  ${event.event.padEnd(5)}  ${label.padEnd(24)}  ${more}\n`)
    },
    end: () => {},
  }
}

/** Actions that stay on the table. */
const KEPT = 8

/** Milliseconds between two drawings. */
const REDRAW = 100

interface Row {
  start: WatchEvent
  end: WatchEvent | null
}

interface Shown {
  source: string
  state: string
  answer: StreamAnswer | null
  /** Answers a second, lately. */
  rate: number
  rows: readonly Row[]
  actions: number
  /** Seconds since watching began. */
  up: number
}

/** The lines of the table, each at most `width` characters. */
export function tableLines({ source, state, answer, rate, rows, actions, up }: Shown, width: number): string[] {
  const named = answer && !answer.unknown ? answer.top : []
  const none = answer ? "nothing that the model knows" : "waiting for the first window"
  const bar = (p: number) => "█".repeat(Math.round(20 * p)).padEnd(20, "·")
  const guesses = Array.from({ length: 3 }, (_, i) => {
    const guess = named[i]
    if (!guess) return i === 0 ? `  ${none}` : ""
    return `  ${cut(guess.label, 28).padEnd(28)} ${bar(guess.probability)} ${percent(guess.probability).padStart(5)}`
  })
  const figures = answer
    ? `  latency ${answer.latency.toFixed(2)} s   ${rate.toFixed(1)} answers/s   ${plural(answer.dropped, "frame")} dropped`
    : ""
  const table = rows.map(({ start, end }) => {
    const seconds = end?.seconds ?? null
    const lasted = seconds === null ? "now" : formatSeconds(seconds)
    return `  ${clock(start).padStart(8)}  ${(end ? clock(end) : "").padStart(8)}  ${lasted.padStart(12)}  ${cut(start.label, 28)}`
  })
  const lines = [
    `${source}   ${state}`,
    `  ${plural(actions, "action")} in ${formatSeconds(up)}`,
    "",
    ...guesses,
    "",
    figures,
    "",
    `  ${"since".padStart(8)}  ${"until".padStart(8)}  ${"for".padStart(12)}  action`,
    ...table,
    ...new Array<string>(KEPT - table.length).fill(""),
  ]
  return lines.map((line) => cut(line, width))
}

const cut = (text: string, length: number) => (text.length > length ? `${text.slice(0, length - 1)}…` : text)

/** A table on a terminal. */
export function tableView(out: NodeJS.WriteStream): View {
  const shown = {
    ...{ source: "", state: "connecting", answer: null as StreamAnswer | null, rate: 0 },
    rows: [] as Row[],
    ...{ actions: 0, up: 0 },
  }
  const begun = performance.now()
  let drawn = 0
  let height = 0
  let before = 0
  const draw = (always = false) => {
    const now = performance.now()
    if (!always && now - drawn < REDRAW) return
    drawn = now
    shown.up = (now - begun) / 1000
    const lines = tableLines(shown, Math.max(20, (out.columns ?? 80) - 1))
    out.write(`${height > 0 ? `\u001b[${height}A` : ""}${lines.map((line) => `\r\u001b[2K${line}\n`).join("")}`)
    height = lines.length
  }
  const timer = setInterval(() => draw(true), 1000)
  return {
    connected(connection) {
      shown.source = described(connection)
      shown.state = ""
      draw(true)
    },
    lost(error, seconds) {
      const { what } = error.complaint
      shown.state = `lost: ${what}; again in ${seconds} s`
      shown.source = error.complaint.where ?? shown.source
      shown.answer = null
      draw(true)
    },
    answer(answer) {
      const now = performance.now()
      const own = 1000 / Math.max(1, now - before)
      shown.rate = shown.rate === 0 || now - before > 5000 ? own : shown.rate + 0.1 * (own - shown.rate)
      before = now
      shown.answer = answer
      draw()
    },
    event(event) {
      if (event.event === "start") {
        shown.rows = [{ start: event, end: null }, ...shown.rows].slice(0, KEPT)
        shown.actions++
      } else if (shown.rows[0]) shown.rows[0].end = event
      draw(true)
    },
    end() {
      clearInterval(timer)
      shown.answer = null
      draw(true)
    },
  }
}
