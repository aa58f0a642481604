/** Own boxes from a table: `path,time,x1,y1,x2,y2,label`, and `track` and `split` where there are any. */

import { dirname, resolve } from "node:path"
import { FourtierError, nearest } from "@fourtier/tensor"
import { readForeignText } from "../util/text.ts"
import { normaliseSplit } from "../video/split-names.ts"
import { parseTable } from "../video/tables.ts"
import type { DetectionData } from "./data.ts"
import { assemble, type BoxRow, type OwnOptions } from "./own.ts"

const NEEDED = ["path", "time", "x1", "y1", "x2", "y2", "label"] as const

/**
 * Reads a table of boxes. Corners are pixels or shares of the picture, video by video; several labels of a box stand between "|" or
 * ";", or in further rows of the same box or track. Videos without a `split` are divided into train and val.
 * @throws FourtierError that names the column or line
 *
 * @example
 * ```ts
 * import { readBoxTable } from "fourtier/detection"
 *
 * const { classes, parts, notes } = await readBoxTable("boxes.csv", { every: 1 })
 * ```
 */
export async function readBoxTable(path: string, options: OwnOptions): Promise<DetectionData> {
  const absolute = resolve(path)
  const { columns, rows } = parseTable(absolute, await readForeignText(absolute))
  const missing = NEEDED.filter((name) => !columns.includes(name) && !(name === "label" && columns.includes("labels")))
  if (missing.length > 0) {
    const known: readonly string[] = NEEDED
    const close = nearest(
      missing[0],
      columns.filter((name) => !known.includes(name)),
    )
    throw new FourtierError({
      where: absolute,
      what: `no column ${missing.join(", ")}`,
      expected: `${NEEDED.join(",")}, and track and split if there are any`,
      found: columns.join(",") || "nothing",
      ...(close ? { fix: `rename the column "${close}"` } : {}),
    })
  }
  const boxes = rows.map(({ where, values }): BoxRow => {
    const number = (name: string) => {
      const text = (values[name] ?? "").trim()
      const value = text === "" ? Number.NaN : Number(text)
      if (Number.isFinite(value)) return value
      throw new FourtierError({ where, what: `${name} is no number`, expected: "a number", found: text || "nothing" })
    }
    const seconds = number("time")
    if (seconds < 0) throw new FourtierError({ where, what: "a time before the video begins", found: `${seconds}` })
    const split = (values.split ?? "").trim()
    const track = (values.track ?? "").trim()
    return {
      where,
      video: (values.path ?? "").trim().replaceAll("\\", "/"),
      at: { seconds },
      box: [number("x1"), number("y1"), number("x2"), number("y2")],
      labels: (values.labels ?? values.label ?? "")
        .split(/[|;]/)
        .map((label) => label.trim())
        .filter(Boolean),
      track: track === "" ? null : track,
      split: split === "" ? null : normaliseSplit(split),
    }
  })
  return assemble(dirname(absolute), boxes, options)
}
