/** Numbers as people read them. */

/** "88.3" for 0.883 */
export const percent = (share: number) => (100 * share).toFixed(1)

/** "+5.0", "−1.7", "0.0" in points, for a difference of shares */
export function points(share: number): string {
  const text = (100 * share).toFixed(1)
  if (text === "0.0" || text === "-0.0") return "0.0"
  return share > 0 ? `+${text}` : text.replace("-", "−")
}

/** "0.032", "< 0.001" */
export const chance = (p: number) => (p < 0.001 ? "< 0.001" : p.toFixed(p < 0.1 ? 3 : 2))

/** "48.2 M" */
export function count(value: number): string {
  if (value < 10_000) return value.toLocaleString("en")
  return value < 1e6
    ? `${(value / 1e3).toFixed(1)} k`
    : value < 1e9
      ? `${(value / 1e6).toPrecision(3)} M`
      : `${(value / 1e9).toPrecision(3)} G`
}

/** "4.2 s", "3 min 12 s", "2 h 5 min" */
export function seconds(value: number): string {
  if (value < 60) return `${value.toFixed(1)} s`
  if (value < 3600) return `${Math.floor(value / 60)} min ${Math.round(value % 60)} s`
  return `${Math.floor(value / 3600)} h ${Math.round((value % 3600) / 60)} min`
}

export const plural = (value: number, one: string, many = `${one}s`) =>
  `${value.toLocaleString("en")} ${value === 1 ? one : many}`

/** The text, or its beginning and an ellipsis. */
export function shorten(text: string, length: number): string {
  const chars = Array.from(text)
  return chars.length > length ? `${chars.slice(0, length - 1).join("")}…` : text
}
