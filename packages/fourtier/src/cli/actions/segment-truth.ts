/** True spans of videos, from a table or ActivityNet's JSON, and what those that were found are worth beside them. */

import { extname } from "node:path"
import { plural } from "@fourtier/core"
import type { Interval, JudgedVideo, SpanFigures } from "@fourtier/core/metrics"
import { FourtierError } from "@fourtier/tensor"
import { readJson } from "@fourtier/tensor/node"
import { z } from "zod"
import { terminalTable } from "../../util/table.ts"
import { readForeignText } from "../../util/text.ts"
import { isBackground } from "../../video/manifest.ts"
import { parseTable } from "../../video/tables.ts"
import type { VideoSpans } from "./segment-formats.ts"

/** A stretch of a video, in seconds. */
interface TrueSpan {
  label: string
  start: number
  end: number
}

export type Truth = ReadonlyMap<string, readonly TrueSpan[]>

const databaseSchema = z.object({
  database: z.record(
    z.string(),
    z.object({
      annotations: z.array(z.object({ segment: z.tuple([z.number(), z.number()]), label: z.string() })).default([]),
    }),
  ),
})

/**
 * The true spans of a file, by the video's path without ending; those of background are none.
 * @throws FourtierError for a file of another form
 */
export async function readTruth(path: string): Promise<Truth> {
  const spans = new Map<string, TrueSpan[]>()
  const add = (video: string, span: TrueSpan) => {
    const own = spans.get(stem(video)) ?? []
    spans.set(stem(video), own)
    if (!isBackground(span.label)) own.push(span)
  }
  if (extname(path).toLowerCase() === ".json") {
    const parsed = databaseSchema.safeParse(await readJson(path))
    if (!parsed.success) throw noTruth(path, z.prettifyError(parsed.error).slice(0, 200))
    for (const [id, { annotations }] of Object.entries(parsed.data.database)) {
      spans.set(stem(id), spans.get(stem(id)) ?? [])
      for (const { segment, label } of annotations) add(id, { label, start: segment[0], end: segment[1] })
    }
    return spans
  }
  const { columns, rows } = parseTable(path, await readForeignText(path))
  if (!["path", "label", "start", "end"].every((name) => columns.includes(name))) {
    throw noTruth(path, `columns ${columns.join(", ")}`)
  }
  for (const { where, values } of rows) {
    const [start, end] = [values.start, values.end].map((text) => (text?.trim() ? Number(text) : Number.NaN))
    if (!(end > start)) {
      throw new FourtierError({
        where,
        what: "a span without a length",
        expected: "start and end in seconds, the end after the start",
        found: `${values.start} to ${values.end}`,
      })
    }
    add(values.path ?? "", { label: (values.label ?? "").trim(), start, end })
  }
  return spans
}

function noTruth(path: string, found: string): FourtierError {
  return new FourtierError({
    where: path,
    what: "no spans are told here",
    expected: 'a table with columns path, label, start, end; or ActivityNet\'s JSON, {"database": {…}}',
    found,
  })
}

const stem = (path: string) => path.replaceAll("\\", "/").replace(/\.[^./]+$/, "")

/**
 * What was found beside the truth.
 * @throws FourtierError where the truth knows none of the videos
 */
export function judgeSpans(videos: readonly VideoSpans[], truth: Truth, where: string): JudgedVideo[] {
  const judged = videos.flatMap(({ path, duration, spans }): JudgedVideo[] => {
    const truths = truthOf(truth, stem(path))
    return truths ? [{ videoId: path, duration, truths, found: spans }] : []
  })
  if (judged.some(({ truths }) => truths.length > 0)) return judged
  throw new FourtierError({
    where,
    what: judged.length > 0 ? "no span of these videos is true" : "none of these videos is in it",
    expected:
      videos
        .slice(0, 3)
        .map(({ path }) => path)
        .join(", ") || "a video",
    found: [...truth.keys()].slice(0, 3).join(", ") || "nothing",
  })
}

/** By the path, or as much of its end as the truth has. */
function truthOf(truth: Truth, path: string): readonly TrueSpan[] | undefined {
  const parts = path.split("/")
  for (let i = 0; i < parts.length; i++) {
    const end = parts.slice(i).join("/")
    const own = truth.get(end) ?? truth.get(`v_${end}`)
    if (own) return own
  }
  return undefined
}

const ROWS: readonly (readonly [keyof SpanFigures, string, "share" | "number"])[] = [
  ["map30", "mAP at tIoU 0.3", "share"],
  ["map50", "mAP at tIoU 0.5", "share"],
  ["map70", "mAP at tIoU 0.7", "share"],
  ["mapActivityNet", "mAP, mean of tIoU 0.5 to 0.95", "share"],
  ["f10", "F1 at 10 %", "share"],
  ["f25", "F1 at 25 %", "share"],
  ["f50", "F1 at 50 %", "share"],
  ["edit", "edit score", "share"],
  ["accuracy", "moments with the right label", "share"],
  ["falseAlarms", "false alarms an hour", "number"],
  ["delay", "delay of a start, seconds", "number"],
]

/** The figures as a table. */
export function truthTable(figures: SpanFigures): string {
  const shown = ({ value, low, high }: Interval, kind: "share" | "number") => {
    const text = (x: number) => (Number.isNaN(x) ? "–" : kind === "share" ? (100 * x).toFixed(1) : x.toFixed(2))
    return [text(value), `${text(low)} – ${text(high)}`]
  }
  const rows = ROWS.map(([name, title, kind]) => {
    const figure = figures[name]
    return [title, ...(typeof figure === "number" ? [String(figure), ""] : shown(figure, kind))]
  })
  const { videos, hours, truths, found } = figures
  const head = `${plural(videos, "video")}, ${(60 * hours).toFixed(1)} min: ${plural(truths, "true span")}, ${found} found`
  return `${head}\n${terminalTable([{ title: "figure" }, { title: "value", align: "right" }, { title: "95 % interval", align: "right" }], rows)}`
}
