/**
 * From what windows show to spans: what happens from when to when.
 *
 * ```
 * probabilities [C] of windows, a step apart ─ for each class, stretches above each of many levels ─ those that stand out most
 * ```
 * How far a stretch stands out is its mean probability less that of what is around it (the outer-inner contrast of Shou et al. 2018,
 * AutoLoc): of stretches within each other, the one that ends where the action does. The one that stands out most is taken first, and
 * what overlaps it is left (non-maximum suppression).
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
  /** Mean probability from which on an action is believed. */
  threshold: number
  /** By how much that is above the mean probability of half as many windows on either side, at least; default 0.35. */
  contrast?: number
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

/** A stretch of windows, from and up to these numbers. */
interface Stretch {
  label: number
  from: number
  to: number
  mean: number
  contrast: number
}

/** Probabilities above which stretches are looked for. */
const LEVELS = Array.from({ length: 17 }, (_, i) => 0.1 + 0.05 * i)

/**
 * The spans that stand out, in the order of time; they do not overlap.
 * @param windows in the order of time
 *
 * @example
 * ```ts
 * import { findSpans } from "@fourtier/core/bundle"
 *
 * const windows = [0.1, 0.9, 0.95, 0.1, 0.2].map((p, i) => ({ time: i, probabilities: [p, 0.1] }))
 * findSpans(windows, { labels: ["jump", "wave"], step: 1, threshold: 0.5 }) // jump, 0.5 to 2.5
 * ```
 */
export function findSpans(windows: readonly WindowScores[], options: SpanOptions): FoundSpan[] {
  const { labels, step, threshold, contrast = 0.35, least = 0 } = options
  const time = (index: number) => windows[index].time
  const startOf = ({ from }: Stretch) => time(from) - step / 2
  const endOf = ({ to }: Stretch) => time(to - 1) + step / 2
  const stretches = labels
    .flatMap((_, label) => stretchesOf(windows, label, threshold))
    .filter((one) => one.mean >= threshold && one.contrast >= contrast && endOf(one) - startOf(one) >= least - 1e-9)
    .sort((a, b) => b.contrast - a.contrast || a.from - b.from || b.to - a.to || a.label - b.label)
  const taken = new Uint8Array(windows.length)
  const found: Stretch[] = []
  for (const one of stretches) {
    if (taken.subarray(one.from, one.to).includes(1)) continue
    taken.fill(1, one.from, one.to)
    found.push(one)
  }
  return found
    .sort((a, b) => a.from - b.from)
    .map((one) => ({ label: labels[one.label], start: startOf(one), end: endOf(one), score: one.mean }))
}

/** The stretches of a class above all levels; none where no window reaches the threshold. */
function stretchesOf(windows: readonly WindowScores[], label: number, threshold: number): Stretch[] {
  const row = Float64Array.from(windows, ({ probabilities }) => probabilities[label])
  if (!row.some((p) => p >= threshold)) return []
  const sums = new Float64Array(row.length + 1)
  for (const [i, p] of row.entries()) sums[i + 1] = sums[i] + p
  return LEVELS.flatMap((level) => {
    const found: Stretch[] = []
    for (let from = 0; from < row.length; from++) {
      if (row[from] < level) continue
      let to = from + 1
      while (to < row.length && row[to] >= level) to++
      found.push({ label, from, to, ...heightOf(sums, from, to) })
      from = to
    }
    return found
  })
}

/** Mean probability of windows, and by how much it is above that of half as many on either side, where there are any. */
function heightOf(sums: Float64Array, from: number, to: number): { mean: number; contrast: number } {
  const margin = Math.max(1, Math.round((to - from) / 2))
  const [before, after] = [Math.max(0, from - margin), Math.min(sums.length - 1, to + margin)]
  const around = from - before + (after - to)
  const mean = (sums[to] - sums[from]) / (to - from)
  const outside = sums[from] - sums[before] + (sums[after] - sums[to])
  return { mean, contrast: mean - (around > 0 ? outside / around : 0) }
}
