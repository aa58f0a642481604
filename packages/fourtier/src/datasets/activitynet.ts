/**
 * ActivityNet's JSON, which many data sets and tools write: `database`, by video id: `subset`, `duration`, and `annotations` of
 * `segment` (seconds) and `label`. Videos are called `v_<id>` or `<id>`.
 *
 * Caba Heilbron et al. 2015, http://activity-net.org/download.html
 */

import { basename } from "node:path"
import { FourtierError } from "@fourtier/tensor"
import { z } from "zod"
import { normaliseSplit } from "../video/split-names.ts"
import type { Dataset } from "./dataset.ts"
import { annotationFiles } from "./files.ts"
import { jsonOf } from "./lines.ts"
import type { SegmentedVideo } from "./segment.ts"
import { clipsOfSegments } from "./segments.ts"

const databaseSchema = z.object({
  database: z.record(
    z.string(),
    z.object({
      subset: z.string().optional(),
      duration: z.number().optional(),
      annotations: z.array(z.object({ segment: z.tuple([z.number(), z.number()]), label: z.string() })).default([]),
    }),
  ),
})

export const activitynet: Dataset = {
  name: "activitynet",
  title: "segments in ActivityNet's JSON",
  reads: "*.json with a database of subset, duration, annotations",
  columns: ["group"],
  async *read(request, files, notes) {
    const videos: SegmentedVideo[] = []
    for (const { path } of await annotationFiles(request.annotations, files)) {
      if (!/\.json$/i.test(path)) continue
      const parsed = databaseSchema.safeParse(await jsonOf(path))
      if (!parsed.success) {
        if (request.annotations.length === 0) continue
        const found = z.prettifyError(parsed.error).slice(0, 300)
        throw new FourtierError({
          where: path,
          what: "not in ActivityNet's form",
          expected: '{"database": {…}}',
          found,
        })
      }
      for (const [id, { subset, duration, annotations }] of Object.entries(parsed.data.database)) {
        videos.push({
          where: `${path}: ${id}`,
          name: id,
          split: subset === undefined ? "" : normaliseSplit(subset),
          duration: duration ?? null,
          segments: annotations.map(({ segment: [start, end], label }, i) => ({
            where: `${basename(path)}: ${id}[${i}]`,
            label,
            start,
            end: duration === undefined ? end : Math.min(end, Math.max(duration, start)),
          })),
        })
      }
    }
    if (videos.length === 0) {
      throw new FourtierError({
        where: files.root,
        what: "no annotations in ActivityNet's form",
        expected:
          'a JSON file with {"database": {"<video>": {"subset": …, "annotations": [{"segment": [s, s], "label": …}]}}}',
        found: files.summary(),
        fix: "give it with --annotations",
      })
    }
    yield* clipsOfSegments(videos, request, files, notes)
  },
}
