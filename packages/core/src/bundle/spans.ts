/**
 * From what windows show to spans: what happens from when to when.
 *
 * ```
 * probabilities [C] of windows, a step apart ─ most probable course of states, C actions and none ─ spans
 * ```
 * A state earns the log odds of its probability, none those of the threshold, and each change costs (Viterbi 1967), so that a course
 * does not flicker.
 */

/** What a window shows. */
export interface WindowScores {
  /** The moment that it speaks of: its middle, in seconds. */
  time: number
  /** [C], calibrated. */
  probabilities: ArrayLike<number>
}

export interface SpanOptions {
  labels: readonly string[]
  /** Seconds between windows. */
  step: number
  /** From which probability on an action is believed rather than none. */
  threshold: number
  /** What a change costs, in nats: as much as log odds that are higher by this in one window. Default 4. */
  switching?: number
  /** Seconds that a span lasts at least; default 0. */
  least?: number
}

export interface FoundSpan {
  label: string
  /** Seconds. */
  start: number
  end: number
  /** Mean probability of its windows. */
  score: number
}

/**
 * Spans of the most probable course of actions, in the order of time; they do not overlap.
 * @param windows in the order of time
 *
 * @example
 * ```ts
 * import { findSpans } from "@fourtier/core/bundle"
 *
 * const windows = [0.1, 0.9, 0.95, 0.2].map((p, i) => ({ time: i, probabilities: [p, 1 - p] }))
 * findSpans(windows, { labels: ["jump", "wave"], step: 1, threshold: 0.5, switching: 0 }) // wave, jump 0.5 to 2.5, wave
 * ```
 */
export function findSpans(windows: readonly WindowScores[], options: SpanOptions): FoundSpan[] {
  const { labels, step, threshold, switching = 4, least = 0 } = options
  const course = likeliestCourse(windows, labels.length, threshold, switching)
  const spans: FoundSpan[] = []
  for (let from = 0; from < course.length; ) {
    let to = from + 1
    while (to < course.length && course[to] === course[from]) to++
    const state = course[from]
    const [start, end] = [windows[from].time - step / 2, windows[to - 1].time + step / 2]
    if (state < labels.length && end - start >= least - 1e-9) {
      const sum = windows.slice(from, to).reduce((total, { probabilities }) => total + probabilities[state], 0)
      spans.push({ label: labels[state], start, end, score: sum / (to - from) })
    }
    from = to
  }
  return spans
}

/** No probability counts as nearer to 0 or 1 than this: a window is no more than a window. */
const FLOOR = 1e-3

function logOdds(probability: number): number {
  const p = Math.min(1 - FLOOR, Math.max(FLOOR, probability))
  return Math.log(p / (1 - p))
}

/** The state of each window: a class, or their number for none. */
function likeliestCourse(
  windows: readonly WindowScores[],
  classes: number,
  threshold: number,
  switching: number,
): Int32Array {
  const states = classes + 1
  const costs = new Float64Array(states)
  const from: Int32Array[] = []
  for (const { probabilities } of windows) {
    const best = costs.indexOf(costs.reduce((least, cost) => Math.min(least, cost), Number.POSITIVE_INFINITY))
    const previous = Int32Array.from(costs, (cost, state) => (cost <= costs[best] + switching ? state : best))
    const before = Float64Array.from(previous, (state, to) => costs[state] + (state === to ? 0 : switching))
    for (let state = 0; state < states; state++) {
      costs[state] = before[state] - logOdds(state < classes ? probabilities[state] : threshold)
    }
    from.push(previous)
  }
  const course = new Int32Array(windows.length)
  let state = costs.indexOf(costs.reduce((least, cost) => Math.min(least, cost), Number.POSITIVE_INFINITY))
  for (let i = windows.length - 1; i >= 0; i--) {
    course[i] = state
    state = from[i][state]
  }
  return course
}
