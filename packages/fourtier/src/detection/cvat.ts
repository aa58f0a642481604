/**
 * Own boxes from CVAT: "CVAT for video 1.1", an XML file with tracks.
 *
 * ```
 * <track label="person"> <box frame="12" outside="0" xtl ytl xbr ybr> <attribute name="action">walk</attribute> </box> … </track>
 * ```
 * What somebody does is the attribute `action` (or `actions`), several between "|", ";" or ","; attributes that are true or
 * false count by their names where true; without any attribute the track's label counts.
 * Format: https://docs.cvat.ai/docs/manual/advanced/formats/format-cvat/
 */

import { dirname, extname, join, resolve } from "node:path"
import { FourtierError } from "@fourtier/tensor"
import { readXml } from "../datasets/xml.ts"
import { listFiles } from "../video/listing.ts"
import type { DetectionData } from "./data.ts"
import { assemble, type BoxRow, type OwnOptions } from "./own.ts"

/**
 * Reads one XML file, or all of a folder, a video each. The video is the file that the task was made from, below the XML's folder.
 * @throws FourtierError that names file and line
 *
 * @example
 * ```ts
 * import { readCvat } from "fourtier/detection"
 *
 * const { classes, parts, notes } = await readCvat("annotations.xml", { every: 1 })
 * ```
 */
export async function readCvat(path: string, options: OwnOptions): Promise<DetectionData> {
  const absolute = resolve(path)
  const isFile = extname(absolute).toLowerCase() === ".xml"
  const root = isFile ? dirname(absolute) : absolute
  const { files } = await listFiles(root)
  const documents = isFile ? [absolute] : files.filter((file) => /\.xml$/i.test(file)).map((file) => join(root, file))
  const rows: BoxRow[] = []
  for (const document of documents) {
    const { source, boxes } = await readTracks(document)
    const found = files.filter((file) => file === source || file.endsWith(`/${source}`))
    if (found.length > 1) {
      throw new FourtierError({
        where: document,
        what: `several files are called ${source}`,
        found: found.join(", "),
        fix: "keep one of them below this folder",
      })
    }
    rows.push(...boxes.map((box) => ({ ...box, video: found[0] ?? source })))
  }
  return assemble(root, rows, options)
}

/** A box that is open, with what its attributes say. */
interface OpenBox {
  row: Omit<BoxRow, "video" | "labels">
  labels: string[]
  attributes: number
}

/** The boxes of one file, and the video that they are of. Frames are those of the video, also where a task takes every fifth. */
async function readTracks(path: string): Promise<{ source: string; boxes: Omit<BoxRow, "video">[] }> {
  const boxes: Omit<BoxRow, "video">[] = []
  const fix = "export the task as CVAT for video 1.1"
  let depth = 0
  let source = ""
  let track: { id: string; label: string } | null = null
  let tracks = 0
  let box: OpenBox | null = null
  let attribute = ""
  await readXml(path, {
    open({ name, attributes: a, line }) {
      const where = `${path}:${line}`
      depth++
      if ((depth === 1 && name !== "annotations") || name === "image") {
        throw new FourtierError({
          where,
          what: name === "image" ? "annotations of single images" : "not annotations of CVAT",
          expected: "<annotations> with <track> elements",
          found: `<${name}>`,
          fix,
        })
      }
      if (name === "track") track = { id: a.id ?? `track ${tracks++}`, label: a.label ?? "" }
      if (name === "attribute") attribute = a.name ?? ""
      // where somebody has left the picture, the last box is there once more
      if (name !== "box" || track === null || a.outside === "1") return
      const number = (key: string) => {
        const value = a[key]?.trim() ? Number(a[key]) : Number.NaN
        if (Number.isFinite(value)) return value
        throw new FourtierError({ where, what: `${key} of a box is no number`, found: a[key] ?? "nothing", fix })
      }
      const corners = [number("xtl"), number("ytl"), number("xbr"), number("ybr")] as const
      const row = { where, at: { frame: number("frame") }, box: corners, track: track.id, split: null }
      box = { row, labels: [], attributes: 0 }
    },
    close(name, text) {
      depth--
      if (name === "source" && source === "") source = text
      if (name === "attribute" && box !== null) {
        box.attributes++
        if (text === "true") box.labels.push(attribute)
        else if (/^actions?$/i.test(attribute)) box.labels.push(...text.split(/[|;,]/).map((label) => label.trim()))
      }
      if (name === "box" && box !== null) {
        const labels = box.attributes === 0 && track !== null ? [track.label] : box.labels
        boxes.push({ ...box.row, labels: labels.filter((label) => label !== "" && !NOTHING.has(label)) })
        box = null
      }
      if (name === "track") track = null
    },
  })
  if (source === "") throw new FourtierError({ where: path, what: "no <source> names the video", fix })
  return { source, boxes }
}

/** Values of an attribute `action` that stand for none: CVAT makes everybody choose one. */
const NOTHING: ReadonlySet<string> = new Set(["none", "__undefined__", "-"])
