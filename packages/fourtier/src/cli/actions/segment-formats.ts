/** Spans of videos in the forms that other programs read. */

import { csvLine } from "@fourtier/core"
import type { FoundSpan } from "@fourtier/core/bundle"

/** A video and what happens in it. */
export interface VideoSpans {
  path: string
  /** Seconds. */
  duration: number
  spans: readonly FoundSpan[]
}

const rounded = (value: number, digits: number) => Number(value.toFixed(digits))

/** One line a span. */
export function jsonLines({ path, spans }: VideoSpans): string {
  return spans
    .map(({ label, start, end, score }) => {
      const span = { path, label, start: rounded(start, 3), end: rounded(end, 3), score: rounded(score, 6) }
      return `${JSON.stringify(span)}\n`
    })
    .join("")
}

export const CSV_HEADER = csvLine(["path", "label", "start", "end", "score"])

/** One line a span, without the header. */
export function csvRows({ path, spans }: VideoSpans): string {
  return spans
    .map(({ label, start, end, score }) =>
      csvLine([path, label, rounded(start, 3), rounded(end, 3), rounded(score, 6)]),
    )
    .join("")
}

/** Detections as ActivityNet's evaluation reads them (http://activity-net.org/challenges/2020/tasks/anet_localization.html). */
export function activityNet(videos: readonly VideoSpans[]): string {
  const results = Object.fromEntries(
    videos.map(({ path, spans }) => [
      path.replace(/\.[^./]+$/, ""),
      spans.map(({ label, start, end, score }) => ({
        label,
        score: rounded(score, 6),
        segment: [rounded(start, 3), rounded(end, 3)],
      })),
    ]),
  )
  return `${JSON.stringify({ version: "VERSION 1.3", results, external_data: { used: false, details: "" } }, null, 2)}\n`
}

/** Subtitles, WebVTT (https://www.w3.org/TR/webvtt1). */
export function webVtt({ spans }: VideoSpans): string {
  const escaped = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
  const cues = spans.map(({ label, start, end, score }) => {
    return `${clock(start, ".")} --> ${clock(end, ".")}\n${escaped(label)} ${percent(score)}\n`
  })
  return ["WEBVTT\n", ...cues].join("\n")
}

/** Subtitles, SubRip. */
export function subRip({ spans }: VideoSpans): string {
  return spans
    .map(({ label, start, end, score }, i) => {
      return `${i + 1}\n${clock(start, ",")} --> ${clock(end, ",")}\n${label} ${percent(score)}\n`
    })
    .join("\n")
}

export const percent = (share: number) => `${(100 * share).toFixed(0)} %`

/** "00:01:02.500" */
function clock(seconds: number, point: "." | ","): string {
  const milliseconds = Math.round(seconds * 1000)
  const part = (unit: number, of: number, digits: number) =>
    String(Math.floor(milliseconds / unit) % of).padStart(digits, "0")
  const hours = String(Math.floor(milliseconds / 3_600_000)).padStart(2, "0")
  return `${hours}:${part(60_000, 60, 2)}:${part(1000, 60, 2)}${point}${part(1, 1000, 3)}`
}
