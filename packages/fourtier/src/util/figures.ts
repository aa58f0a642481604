/** Figures as text, for people: shares in percent, differences in points, intervals in brackets. */

/** A figure and how sure it is. */
export interface FigureInterval {
  value: number
  low: number
  high: number
}

/** "87.5" for 0.875 */
export function formatPercent(share: number): string {
  return (100 * share).toFixed(1)
}

/** "87.5 [80.0, 93.3]", a dash where there is none. */
export function formatInterval(interval: FigureInterval | undefined): string {
  if (interval === undefined) return "–"
  return `${formatPercent(interval.value)} [${formatPercent(interval.low)}, ${formatPercent(interval.high)}]`
}

/** "+3.3 [0.8, 5.8]" in points, of shares; nothing where there is none. */
export function formatDifference(difference: FigureInterval | undefined): string {
  if (difference === undefined) return ""
  const [value, low, high] = [difference.value, difference.low, difference.high].map((share) => signed(100 * share))
  return `${value} [${low}, ${high}]`
}

/** "+3.3", "−0.8", and "0.0" without a sign. */
export function signed(value: number, digits = 1): string {
  const text = value.toFixed(digits)
  if (Number(text) === 0) return text.replace("-", "")
  return value > 0 ? `+${text}` : text.replace("-", "−")
}

/** "0.032", "< 0.001" */
export function formatP(p: number): string {
  return p < 0.001 ? "< 0.001" : p.toFixed(p < 0.1 ? 3 : 2)
}

/** "95" for 0.95 */
export function formatLevel(level: number): string {
  return String(Number((100 * level).toFixed(2)))
}

/** "48.2 M" */
export function formatCount(count: number): string {
  const units = ["", " k", " M", " G"]
  let value = count
  let unit = 0
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${unit === 0 ? value : value.toPrecision(3)}${units[unit]}`
}
