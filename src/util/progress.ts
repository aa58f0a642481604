/**
 * Progress of long work: what, how far, how fast, how long still. A terminal gets one line that rewrites itself; a log
 * file or pipe gets a line every few seconds.
 */

import pc from "picocolors"

export interface Task {
  /** Counts `n` more units done; `detail` is shown at the end of the line (a loss, a cost, a file). */
  tick(n?: number, detail?: string): void
  /** Ends the line. `summary` replaces the counts. */
  done(summary?: string): void
}

export interface Reporter {
  /** Starts a line for `total` units of work. */
  task(title: string, total: number, unit: string): Task
  /** A lasting line of text. */
  say(line: string): void
  warn(line: string): void
}

/** Reports nothing: for libraries and tests. */
export const silent: Reporter = {
  task: () => ({ tick: () => {}, done: () => {} }),
  say: () => {},
  warn: () => {},
}

/** Reports to a stream, standard error by default, so that standard output stays free for results. */
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

/** "48 ms", "3.2 s", "4 min 5 s", "2 h 10 min" */
export function formatSeconds(seconds: number): string {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`
  if (seconds < 60) return `${seconds.toFixed(1)} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`
}

/** "512 B", "3.4 MB" (powers of ten) */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"]
  let value = bytes
  let unit = 0
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${unit === 0 ? value : value.toPrecision(3)} ${units[unit]}`
}
