/** AVA's files as text: boxes with classes, and the list of classes that count. */

import { FourtierError } from "@fourtier/tensor"
import { type Detection, frameKey } from "./boxes.ts"

export interface AvaFile {
  boxes: Detection[]
  /** All frames that the file names, as `frameKey`. */
  frames: Set<string>
}

/**
 * Parses AVA's CSV: `video_id, timestamp, x1, y1, x2, y2, class_id[, score or person id]`, or `video_id, timestamp` for
 * a frame without boxes (or an excluded one). The score is 1 where there is none.
 *
 * @example
 * ```ts
 * import { parseAvaCsv } from "@fourtier/core/metrics"
 *
 * parseAvaCsv("5BDj0ow5hnA,0902,0.1,0.1,0.5,0.9,12,0.8\n", "detections.csv").boxes[0].score // 0.8
 * ```
 */
export function parseAvaCsv(text: string, where: string): AvaFile {
  const boxes: Detection[] = []
  const frames = new Set<string>()
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === "") continue
    const cells = line.split(",")
    const numbers = cells.slice(1).map((cell) => (cell.trim() === "" ? Number.NaN : Number(cell)))
    if (![2, 7, 8].includes(cells.length) || numbers.some(Number.isNaN)) {
      throw new FourtierError({
        where: `${where}:${i + 1}`,
        what: "not a row of an AVA file",
        expected: "video_id, timestamp[, x1, y1, x2, y2, class_id[, score]]",
        found: line.slice(0, 120),
      })
    }
    const [timestamp, x1, y1, x2, y2, classId, score = 1] = numbers
    const frame = { videoId: cells[0], timestamp }
    frames.add(frameKey(frame))
    if (cells.length > 2) boxes.push({ ...frame, box: [x1, y1, x2, y2], classId, score })
  }
  return { boxes, frames }
}

/** A class of AVA. */
export interface AvaClass {
  id: number
  name: string
}

/**
 * Parses AVA's label map: the classes that count, in order of their ids. Both forms that are distributed are read,
 * `label { name: "stand" label_id: 12 … }` and `item { name: "stand" id: 12 }`.
 * @throws FourtierError for an entry without name or id, an id that comes twice, and a text without entries
 *
 * @example
 * ```ts
 * import { parseAvaLabelMap } from "@fourtier/core/metrics"
 *
 * parseAvaLabelMap('label {\n  name: "stand"\n  label_id: 12\n}\n', "map.pbtxt") // [{ id: 12, name: "stand" }]
 * ```
 */
export function parseAvaLabelMap(text: string, where: string): AvaClass[] {
  const classes = new Map<number, AvaClass>()
  for (const [i, [, body]] of [...text.matchAll(/\b(?:label|item)\s*\{([^}]*)\}/g)].entries()) {
    const name = /\bname:\s*(?:"([^"]*)"|'([^']*)')/.exec(body)
    const id = /\b(?:label_)?id:\s*(\d+)/.exec(body)
    const found = { id: Number(id?.[1]), name: name?.[1] ?? name?.[2] ?? "" }
    if (id === null || found.name === "" || classes.has(found.id)) {
      throw new FourtierError({
        where: `${where}, entry ${i + 1}`,
        what: classes.has(found.id) ? "an id that an entry before has" : "not an entry of a label map",
        expected: 'name: "…" and an id of its own',
        found: body.trim().replaceAll(/\s+/g, " ").slice(0, 120),
      })
    }
    classes.set(found.id, found)
  }
  if (classes.size === 0) {
    throw new FourtierError({
      where,
      what: "no classes",
      expected: 'entries of the form label { name: "stand" label_id: 12 }',
      found: text.trim().slice(0, 80) || "an empty file",
    })
  }
  return [...classes.values()].sort((a, b) => a.id - b.id)
}
