/** Plain tables of stretches: video, label, start and end, as seconds or as hours, minutes and seconds; or in frames. */

import { FourtierError } from "@fourtier/tensor"
import { readForeignText } from "../util/text.ts"
import { normaliseSplit } from "../video/split-names.ts"
import { parseTable, type Table } from "../video/tables.ts"
import type { Dataset } from "./dataset.ts"
import { annotationFiles } from "./files.ts"
import { rounded, type SegmentedVideo } from "./segment.ts"
import { Clock, clipsOfSegments } from "./segments.ts"

const TIMES = [
  ["start", "end"],
  ["start_time", "end_time"],
  ["start_seconds", "end_seconds"],
] as const

const FRAMES = [["start_frame", "end_frame"]] as const

export const segments: Dataset = {
  name: "segments",
  title: "a table of segments",
  reads: "*.csv, *.tsv, *.jsonl: video, label, start, end",
  columns: ["group"],
  async *read(request, files, notes) {
    const clock = new Clock(files, request)
    const byVideo = new Map<string, SegmentedVideo & { segments: SegmentedVideo["segments"][number][] }>()
    const unread: string[] = []
    for (const { path } of await annotationFiles(request.annotations, files)) {
      if (!/\.(?:csv|tsv|jsonl)$/i.test(path)) continue
      const table = parseTable(path, await readForeignText(path))
      const columns = timeColumns(table)
      if (columns === null || !table.columns.includes("path") || !table.columns.includes("label")) {
        unread.push(`${path} (columns ${table.columns.join(", ")})`)
        continue
      }
      for (const { where, values } of table.rows) {
        const name = values.path ?? ""
        const own = byVideo.get(name) ?? {
          where,
          name,
          split: normaliseSplit(values.split ?? ""),
          duration: null,
          segments: [],
        }
        const time = (column: string) => {
          const value = numberOf(where, column, values[column] ?? "")
          return columns.frames ? clock.seconds(name, value) : rounded(value)
        }
        const end = (values[columns.end] ?? "").trim() === "" ? null : time(columns.end)
        const split = normaliseSplit(values.split ?? "")
        own.segments.push({ where, label: (values.label ?? "").trim(), start: time(columns.start), end, split })
        byVideo.set(name, own)
      }
    }
    if (byVideo.size === 0) {
      throw new FourtierError({
        where: files.root,
        what: "no table of segments",
        expected: "columns path (or video, file), label, start and end (or start_frame, end_frame)",
        found: unread.length > 0 ? unread.join("; ") : files.summary(),
        fix: "rename the columns, or give another table with --annotations",
      })
    }
    yield* clipsOfSegments([...byVideo.values()], request, files, notes)
  },
}

function timeColumns({ columns }: Table): { start: string; end: string; frames: boolean } | null {
  const has = ([start, end]: readonly [string, string]) => columns.includes(start) && columns.includes(end)
  const times = TIMES.find(has)
  if (times !== undefined) return { start: times[0], end: times[1], frames: false }
  const frames = FRAMES.find(has)
  return frames === undefined ? null : { start: frames[0], end: frames[1], frames: true }
}

/** "12.5", "1:02.5", "0:01:02,5" */
function numberOf(where: string, column: string, text: string): number {
  const parts = text.trim().replace(",", ".").split(":")
  const seconds = parts.reduce((sum, part) => sum * 60 + (part.trim() === "" ? Number.NaN : Number(part)), 0)
  if (parts.length <= 3 && seconds >= 0) return seconds
  throw new FourtierError({
    where,
    what: `column ${column} is not a time`,
    expected: "seconds, or hours:minutes:seconds",
    found: text || "nothing",
    fix: "correct the row",
  })
}
