/**
 * CVAT's XML 1.1: for video, a track is a stretch from its first frame to the one at which it is outside; for images, tags of
 * frames in a row are one.
 *
 * https://docs.cvat.ai/docs/dataset_management/formats/format-cvat/. Frames are counted from 0.
 */

import { FourtierError } from "@fourtier/tensor"
import type { Dataset } from "./dataset.ts"
import { annotationFiles } from "./files.ts"
import type { SegmentedVideo } from "./segment.ts"
import { Clock, clipsOfSegments } from "./segments.ts"
import { readXml } from "./xml.ts"

/** A stretch in frames; `end` is the first that is not in it, null where it goes on to the end. */
interface FrameSpan {
  where: string
  label: string
  start: number
  end: number | null
}

export const cvat: Dataset = {
  name: "cvat",
  title: "tracks and tags of CVAT",
  reads: "*.xml in the format CVAT 1.1, for video or images",
  columns: ["group"],
  async *read(request, files, notes) {
    const clock = new Clock(files, request)
    const videos: SegmentedVideo[] = []
    for (const { path } of await annotationFiles(request.annotations, files)) {
      if (!/\.xml$/i.test(path)) continue
      const { source, spans } = await readCvat(path)
      if (source === "") continue
      const segments = spans.map(({ where, label, start, end }) => ({
        where,
        label,
        start: clock.seconds(source, start),
        end: end === null ? null : clock.seconds(source, end),
      }))
      videos.push({ where: path, name: source, split: "", duration: null, segments })
    }
    if (videos.length === 0) {
      throw new FourtierError({
        where: files.root,
        what: "no annotations in CVAT's XML",
        expected: "an .xml file in the format CVAT for video 1.1, with the video's name in <source>",
        found: files.summary(),
        fix: "export as CVAT for video 1.1, unpack, and give the file with --annotations",
      })
    }
    yield* clipsOfSegments(videos, request, files, notes)
  },
}

async function readCvat(path: string): Promise<{ source: string; spans: FrameSpan[] }> {
  const spans: FrameSpan[] = []
  let source = ""
  let track: { label: string; open: FrameSpan | null } | null = null
  let image = Number.NaN
  await readXml(path, {
    open({ name, attributes: a, line }) {
      const where = `${path}:${line}`
      if (name === "track") track = { label: a.label ?? "", open: null }
      else if (name === "image") image = Number(a.id)
      else if (name === "tag") addTag(spans, { where, label: a.label ?? "", start: image, end: image + 1 })
      else if (track !== null && a.frame !== undefined && a.outside !== undefined) {
        if (a.outside === "1") {
          if (track.open !== null) track.open.end = Number(a.frame)
          track.open = null
        } else if (track.open === null) {
          track.open = { where, label: track.label, start: Number(a.frame), end: null }
          spans.push(track.open)
        }
      }
    },
    close(name, text) {
      if (name === "track") track = null
      if (name === "source" && source === "") source = text
    },
  })
  return { source, spans }
}

/** Lengthens the stretch that ends before this frame. */
function addTag(spans: FrameSpan[], tag: FrameSpan): void {
  const before = spans.findLast(({ label, end }) => label === tag.label && end === tag.start)
  if (before === undefined) spans.push(tag)
  else before.end = tag.end
}
