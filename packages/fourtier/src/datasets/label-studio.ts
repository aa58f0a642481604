/**
 * Label Studio's JSON export: timeline labels of videos (`timelinelabels`, ranges of frames from 1 on), and labels of stretches in
 * seconds, as audio and video beside it have them.
 *
 * https://labelstud.io/tags/timelinelabels. Frames are counted with the `frameRate` of the project's <Video> tag.
 */

import { FourtierError } from "@fourtier/tensor"
import { z } from "zod"
import type { Dataset } from "./dataset.ts"
import { annotationFiles } from "./files.ts"
import { jsonOf } from "./lines.ts"
import type { Segment, SegmentedVideo } from "./segment.ts"
import { Clock, clipsOfSegments } from "./segments.ts"

const resultSchema = z.object({
  type: z.string(),
  value: z.looseObject({
    ranges: z.array(z.object({ start: z.number(), end: z.number() })).optional(),
    start: z.number().optional(),
    end: z.number().optional(),
    timelinelabels: z.array(z.string()).optional(),
    labels: z.array(z.string()).optional(),
  }),
})

const tasksSchema = z.array(
  z.object({
    id: z.union([z.number(), z.string()]).optional(),
    data: z.record(z.string(), z.unknown()),
    annotations: z.array(
      z.object({ was_cancelled: z.boolean().optional(), result: z.array(z.looseObject({ type: z.string() })) }),
    ),
  }),
)

export const labelStudio: Dataset = {
  name: "label-studio",
  title: "timeline labels of Label Studio",
  reads: "*.json: tasks with timelinelabels",
  columns: ["group"],
  async *read(request, files, notes) {
    const clock = new Clock(files, request)
    const videos: SegmentedVideo[] = []
    for (const { path } of await annotationFiles(request.annotations, files)) {
      if (!/\.json$/i.test(path)) continue
      const parsed = tasksSchema.safeParse(await jsonOf(path))
      if (!parsed.success) {
        if (request.annotations.length === 0) continue
        const found = z.prettifyError(parsed.error).slice(0, 300)
        throw new FourtierError({
          where: path,
          what: "not an export of Label Studio",
          expected: "JSON (not JSON-MIN)",
          found,
        })
      }
      for (const [i, { id, data, annotations }] of parsed.data.entries()) {
        const where = `${path}: task ${id ?? i}`
        const name = [data.video, data.video_url, ...Object.values(data)].find((value) => typeof value === "string")
        if (typeof name !== "string")
          throw new FourtierError({ where, what: "a task without a video", fix: "remove it" })
        const results = annotations
          .filter(({ was_cancelled }) => was_cancelled !== true)
          .flatMap(({ result }) => result)
        const segments = results.flatMap((result) => segmentsOf(result, where, (frame) => clock.seconds(name, frame)))
        videos.push({ where, name, split: "", duration: null, segments })
      }
    }
    if (videos.length === 0) {
      throw new FourtierError({
        where: files.root,
        what: "no export of Label Studio",
        expected: "a JSON file of tasks with `annotations`",
        found: files.summary(),
        fix: "export as JSON, and give the file with --annotations",
      })
    }
    if (request.frameRate === null) {
      notes.push(
        "frames are counted with each video's own rate: where the project's <Video> sets frameRate, give it with --frame-rate",
      )
    }
    yield* clipsOfSegments(videos, request, files, notes)
  },
}

/** Frame 1 begins at 0 s; a range holds its last frame. */
function segmentsOf(result: unknown, where: string, secondsOf: (frame: number) => number): Segment[] {
  const parsed = resultSchema.safeParse(result)
  if (!parsed.success) return []
  const { ranges, start, end, timelinelabels, labels } = parsed.data.value
  const label = (timelinelabels ?? labels)?.[0]
  if (label === undefined) return []
  if (ranges === undefined) return start === undefined || end === undefined ? [] : [{ where, label, start, end }]
  return ranges.map((range) => ({
    where: `${where}, frames ${range.start} to ${range.end}`,
    label,
    start: secondsOf(range.start - 1),
    end: secondsOf(range.end),
  }))
}
