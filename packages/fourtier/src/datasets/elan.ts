/**
 * ELAN's .eaf: annotations of tiers between time slots in milliseconds, and the media file that they are about.
 *
 * https://www.mpi.nl/tools/elan/EAF_Annotation_Format_3.0_and_ELAN.pdf. Annotations that refer to others have no times of their own.
 */

import { FourtierError } from "@fourtier/tensor"
import type { Dataset } from "./dataset.ts"
import { annotationFiles } from "./files.ts"
import { rounded, type Segment, type SegmentedVideo } from "./segment.ts"
import { clipsOfSegments } from "./segments.ts"
import { readXml } from "./xml.ts"

export const elan: Dataset = {
  name: "elan",
  title: "tiers of ELAN",
  reads: "*.eaf",
  columns: ["group"],
  async *read(request, files, notes) {
    const videos: SegmentedVideo[] = []
    const tiers = new Set<string>()
    for (const { path } of await annotationFiles(request.annotations, files)) {
      if (/\.eaf$/i.test(path)) videos.push(await readEaf(path, request.tier, tiers))
    }
    if (videos.length === 0) {
      throw new FourtierError({
        where: files.root,
        what: "no .eaf file",
        found: files.summary(),
        fix: "give ELAN's files with --annotations",
      })
    }
    if (request.tier === null ? tiers.size > 1 : !tiers.has(request.tier)) {
      throw new FourtierError({
        where: "--tier",
        what: request.tier === null ? "annotations in several tiers" : `no tier "${request.tier}"`,
        expected: `one of ${[...tiers].join(", ")}`,
        fix: "name the tier of the actions: --tier <name>",
      })
    }
    yield* clipsOfSegments(videos, request, files, notes)
  },
}

async function readEaf(path: string, wanted: string | null, tiers: Set<string>): Promise<SegmentedVideo> {
  const slots = new Map<string, number>()
  const found: { where: string; label: string; from: string; to: string }[] = []
  let media = { name: "", origin: 0 }
  let tier = ""
  let open: { where: string; from: string; to: string } | null = null
  await readXml(path, {
    open({ name, attributes: a, line }) {
      if (name === "MEDIA_DESCRIPTOR" && (media.name === "" || /^video/i.test(a.MIME_TYPE ?? ""))) {
        media = { name: a.RELATIVE_MEDIA_URL || a.MEDIA_URL || "", origin: Number(a.TIME_ORIGIN ?? 0) }
      } else if (name === "TIME_SLOT" && a.TIME_VALUE !== undefined) {
        slots.set(a.TIME_SLOT_ID ?? "", Number(a.TIME_VALUE))
      } else if (name === "TIER") tier = a.TIER_ID ?? ""
      else if (name === "ALIGNABLE_ANNOTATION") {
        tiers.add(tier)
        open = { where: `${path}:${line}`, from: a.TIME_SLOT_REF1 ?? "", to: a.TIME_SLOT_REF2 ?? "" }
      }
    },
    close(name, text) {
      if (name === "ANNOTATION_VALUE" && open !== null && text !== "" && (wanted === null || tier === wanted)) {
        found.push({ ...open, label: text })
      }
      if (name === "ALIGNABLE_ANNOTATION") open = null
    },
  })
  const segments = found.flatMap(({ where, label, from, to }): Segment[] => {
    const [start, end] = [slots.get(from), slots.get(to)]
    if (start === undefined || end === undefined) return []
    return [{ where, label, start: rounded((start + media.origin) / 1000), end: rounded((end + media.origin) / 1000) }]
  })
  return { where: path, name: media.name, split: "", duration: null, segments }
}
