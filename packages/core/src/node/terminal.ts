/**
 * Progress in a terminal: what, how far, how fast, how long still. A terminal gets one line that rewrites itself; a log
 * file or pipe gets a line every few seconds.
 */

import pc from "picocolors"
import { formatSeconds, type Reporter, type Task } from "../util/progress.ts"

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
export function terminalReporter(stream: NodeJS.WriteStream = process.stderr): Reporter {
  const live = stream.isTTY === true
  return {
    task: (title, total, unit) => startTask(stream, live, title, total, unit),
    say: (line) => void stream.write(`${line}\n`),
    warn: (line) => void stream.write(`${pc.yellow("warning")} ${line}\n`),
  }
}

function startTask(stream: NodeJS.WriteStream, live: boolean, title: string, total: number, unit: string): Task {
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
