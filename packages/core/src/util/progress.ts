/** Progress of long work, as those who do it report it: what, how far, how fast. `./node` shows it in a terminal. */

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

/**
 * "48 ms", "3.2 s", "4 min 5 s", "2 h 10 min"
 *
 * @example
 * ```ts
 * import { formatSeconds } from "@fourtier/core"
 *
 * formatSeconds(245) // "4 min 5 s"
 * ```
 */
export function formatSeconds(seconds: number): string {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`
  if (seconds < 60) return `${seconds.toFixed(1)} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`
}

/**
 * "512 B", "3.4 MB" (powers of ten)
 *
 * @example
 * ```ts
 * import { formatBytes } from "@fourtier/core"
 *
 * formatBytes(3_400_000) // "3.40 MB"
 * ```
 */
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
