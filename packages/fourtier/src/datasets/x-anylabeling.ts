/**
 * Sidecars of X-AnyLabeling's video classifier: one JSON beside each video, with labelled segments in milliseconds.
 *
 * https://github.com/CVHub520/X-AnyLabeling/blob/main/docs/en/video_classifier.md
 */

import { dirname, join, relative } from "node:path"
import { FourtierError } from "@fourtier/tensor"
import { z } from "zod"
import type { Dataset } from "./dataset.ts"
import { annotationFiles, type Files } from "./files.ts"
import { jsonOf } from "./lines.ts"
import { rounded, type SegmentedVideo } from "./segment.ts"
import { clipsOfSegments } from "./segments.ts"

const sidecarSchema = z.object({
  type: z.literal("video_classification"),
  video: z.string().min(1),
  duration_ms: z.number().default(0),
  segments: z.array(z.object({ label: z.string(), start_ms: z.number(), end_ms: z.number() })).default([]),
})

type Sidecar = z.infer<typeof sidecarSchema>

export const xAnyLabeling: Dataset = {
  name: "x-anylabeling",
  title: "video segments of X-AnyLabeling",
  reads: "<video>.json beside the videos, of the type video_classification",
  columns: ["group"],
  async *read(request, files, notes) {
    const videos: SegmentedVideo[] = []
    for (const { path } of await annotationFiles(request.annotations, files)) {
      if (!/\.json$/i.test(path)) continue
      const parsed = sidecarSchema.safeParse(await jsonOf(path))
      if (parsed.success) videos.push(videoOf(path, parsed.data, files))
    }
    if (videos.length === 0) {
      throw new FourtierError({
        where: files.root,
        what: "no sidecar of X-AnyLabeling's video classifier",
        expected: '<video>.json with "type": "video_classification"; those of images have no times',
        found: files.summary(),
        fix: "save the annotations in the video classifier (Ctrl+S), or give their folder with --annotations",
      })
    }
    yield* clipsOfSegments(videos, request, files, notes)
  },
}

/** Segments without a label or a length are passed over, ends beyond the video's are cut. The video is the one beside the sidecar, where it is there. */
function videoOf(path: string, { video, duration_ms, segments }: Sidecar, files: Files): SegmentedVideo {
  const whole = duration_ms > 0 ? duration_ms : Number.POSITIVE_INFINITY
  const beside = relative(files.root, join(dirname(path), video)).replaceAll("\\", "/")
  return {
    where: path,
    name: files.at(beside) === null ? video : beside,
    split: "",
    duration: duration_ms > 0 ? duration_ms / 1000 : null,
    segments: segments.flatMap(({ label, start_ms, end_ms }, i) => {
      if (label === "" || end_ms <= start_ms) return []
      const end = rounded(Math.min(end_ms, whole) / 1000)
      return [{ where: `${path}: segment ${i + 1}`, label, start: rounded(start_ms / 1000), end }]
    }),
  }
}
