/**
 * Projects of the VGG Image Annotator for video (VIA 3): temporal segments of files with a value of an attribute.
 *
 * Dutta and Zisserman 2019, https://www.robots.ox.ac.uk/~vgg/software/via/
 */

import { FourtierError } from "@fourtier/tensor"
import { z } from "zod"
import type { Dataset } from "./dataset.ts"
import { annotationFiles } from "./files.ts"
import { jsonOf } from "./lines.ts"
import { rounded, type SegmentedVideo } from "./segment.ts"
import { clipsOfSegments } from "./segments.ts"

const id = z.union([z.string(), z.number()]).transform(String)

const projectSchema = z.object({
  attribute: z.record(z.string(), z.looseObject({ options: z.record(z.string(), z.string()).optional() })),
  file: z.record(z.string(), z.object({ fid: id, fname: z.string() })),
  view: z.record(z.string(), z.object({ fid_list: z.array(id) })),
  metadata: z.record(
    z.string(),
    z.object({ vid: id, z: z.array(z.number()), xy: z.array(z.unknown()).default([]), av: z.record(z.string(), id) }),
  ),
})

type Project = z.infer<typeof projectSchema>

export const via: Dataset = {
  name: "via",
  title: "segments of VGG VIA 3",
  reads: "*.json: a project of the video annotator",
  columns: ["group"],
  async *read(request, files, notes) {
    const videos: SegmentedVideo[] = []
    for (const { path } of await annotationFiles(request.annotations, files)) {
      if (!/\.json$/i.test(path)) continue
      const parsed = projectSchema.safeParse(await jsonOf(path))
      if (parsed.success) videos.push(...videosOf(path, parsed.data))
      else if (request.annotations.length > 0) {
        const found = z.prettifyError(parsed.error).slice(0, 300)
        throw new FourtierError({
          where: path,
          what: "not a project of VIA 3",
          expected: "file, view, metadata",
          found,
        })
      }
    }
    if (videos.length === 0) {
      throw new FourtierError({
        where: files.root,
        what: "no project of VIA 3",
        found: files.summary(),
        fix: "save the project as JSON, and give it with --annotations",
      })
    }
    yield* clipsOfSegments(videos, request, files, notes)
  },
}

/** Metadata with two times and no region are segments; a value may be the key of one of its attribute's options. */
function videosOf(path: string, { attribute, file, view, metadata }: Project): SegmentedVideo[] {
  const names = new Map(Object.values(file).map(({ fid, fname }) => [fid, fname]))
  return Object.entries(view).flatMap(([vid, { fid_list }]) => {
    const name = names.get(fid_list[0] ?? "")
    if (name === undefined) return []
    const segments = Object.entries(metadata).flatMap(([key, { vid: of, z: times, xy, av }]) => {
      const [aid, value = ""] = Object.entries(av)[0] ?? []
      if (of !== vid || times.length !== 2 || xy.length > 0 || aid === undefined || value === "") return []
      const label = attribute[aid]?.options?.[value] || value
      return [{ where: `${path}: ${key}`, label, start: rounded(times[0]), end: rounded(times[1]) }]
    })
    return [{ where: path, name, split: "", duration: null, segments }]
  })
}
