/**
 * Progress in a terminal: what, how far, how fast, how long still. A terminal gets one line that rewrites itself; a log
 * file or pipe gets a line every few seconds.
 */

import { stripVTControlCharacters } from "node:util"
import pc from "picocolors"
import { formatSeconds, type Reporter, type Task } from "../util/progress.ts"

/** Where reports go: a stream, and what is known of its terminal. */
export interface Output {
  write(text: string): unknown
  /** Whether it is a terminal. */
  isTTY?: boolean
  /** Characters of a line. */
  columns?: number
}

/**
 * Reports to a stream, standard error by default, so that standard output stays free for results.
 *
 * @example
 * ```ts
 * import { terminalReporter } from "@fourtier/core/node"
 *
 * const task = terminalReporter().task("decode", 120, "clips")
 * task.tick()
 * task.done()
 * ```
 */
export function terminalReporter(stream: Output = process.stderr): Reporter {
  const live = stream.isTTY === true
  return {
    task: (title, total, unit) => startTask(stream, live, title, total, unit),
    say: (line) => void stream.write(lasting(line, stream, live)),
    warn: (line) => void stream.write(lasting(`${pc.yellow("warning")} ${line}`, stream, live)),
  }
}

/** A line that stays: in a terminal it takes the place of a task's line, and folds at words. */
function lasting(line: string, { columns = 80 }: Output, live: boolean): string {
  return live ? `\r\u001b[2K${folded(line, columns)}\n` : `${line}\n`
}

/**
 * Lines of at most `width` characters, broken at spaces; what follows a break is indented further, below its text where the line begins
 * with a word as in "fix:      text". Longer words stay whole.
 *
 * @example
 * ```ts
 * import { folded } from "@fourtier/core/node"
 *
 * folded("  two short lines", 12) // "  two short\n    lines"
 * ```
 */
export function folded(text: string, width: number): string {
  const lines = text.split("\n").flatMap((line) => {
    const [, indent = "", key = ""] = /^( *)([a-z]+: {2,})?/.exec(line) ?? []
    const next = key === "" ? `${indent}  ` : indent + " ".repeat(key.length)
    const words = line.slice(indent.length + key.length).split(" ")
    const parts = [`${indent}${key}${words[0]}`]
    for (const word of words.slice(1)) {
      const longer = `${parts.at(-1)} ${word}`
      if (stripVTControlCharacters(longer).length <= width) parts[parts.length - 1] = longer
      else parts.push(`${next}${word}`)
    }
    return parts
  })
  return lines.join("\n")
}

function startTask(stream: Output, live: boolean, title: string, total: number, unit: string): Task {
  const begun = performance.now()
  const interval = live ? 80 : 5000
  let count = 0
  let detail = ""
  let shown = live ? 0 : begun
  const show = (text: string, last: boolean) => {
    if (live) stream.write(`\r\u001b[2K${text.slice(0, Math.max(20, (stream.columns ?? 100) - 1))}${last ? "\n" : ""}`)
    else stream.write(`${text}\n`)
  }
  return {
    tick(n = 1, more) {
      count += n
      if (more !== undefined) detail = more
      const now = performance.now()
      if (now - shown < interval) return
      shown = now
      show(progressLine(title, count, total, unit, (now - begun) / 1000, detail), false)
    },
    done(summary) {
      const seconds = (performance.now() - begun) / 1000
      const rate = seconds > 0 && count > 0 ? `, ${formatRate(count / seconds)} ${unit}/s` : ""
      show(`${pc.green("✓")} ${title}: ${summary ?? `${count} ${unit}`} in ${formatSeconds(seconds)}${rate}`, true)
    },
  }
}

function progressLine(
  title: string,
  count: number,
  total: number,
  unit: string,
  seconds: number,
  detail: string,
): string {
  const rate = count / Math.max(seconds, 1e-3)
  const left = total > count && rate > 0 ? `, ${formatSeconds((total - count) / rate)} left` : ""
  const percent = total > 0 ? ` (${Math.floor((100 * count) / total)} %)` : ""
  return `  ${title}: ${count}/${total} ${unit}${percent}, ${formatRate(rate)} ${unit}/s${left}${detail ? `, ${detail}` : ""}`
}

function formatRate(rate: number): string {
  return rate >= 100 ? rate.toFixed(0) : rate >= 1 ? rate.toFixed(1) : rate.toPrecision(2)
}
