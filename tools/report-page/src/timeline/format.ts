/** Times, scores and colours as they are shown. */

/** "1:02:03.4" */
export function clock(seconds: number): string {
  const tenths = Math.max(0, Math.round(seconds * 10))
  const [hours, minutes] = [Math.floor(tenths / 36000), Math.floor(tenths / 600) % 60]
  const rest = ((tenths % 600) / 10).toFixed(1)
  return hours > 0
    ? `${hours}:${String(minutes).padStart(2, "0")}:${rest.padStart(4, "0")}`
    : `${minutes}:${rest.padStart(4, "0")}`
}

/** The colour of a label: one of seven. */
export const colourOf = (labels: readonly string[], label: string) => `var(--s${labels.indexOf(label) % 7})`

export const percent = (share: number) => `${Math.round(100 * share)} %`

/** Seconds between the marks of a ruler of so many seconds and pixels. */
export function markEvery(seconds: number, width: number): number {
  const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600]
  return steps.find((step) => (step / seconds) * width >= 70) ?? 7200
}
