/** Whatever annotations a path holds: AVA's, CVAT's, or a table of boxes. */

import { stat } from "node:fs/promises"
import { basename, extname, resolve } from "node:path"
import { FourtierError, messageOf } from "@fourtier/tensor"
import { listFiles } from "../video/listing.ts"
import { readAva } from "./ava.ts"
import { readCvat } from "./cvat.ts"
import type { DetectionData } from "./data.ts"
import type { OwnOptions } from "./own.ts"
import { readBoxTable } from "./table.ts"

/**
 * Reads a folder laid out as AVA's, a folder of CVAT's XML files, one such file, or a table of boxes.
 * @throws FourtierError where it is none of them
 *
 * @example
 * ```ts
 * import { readAnnotations } from "fourtier/detection"
 *
 * const { parts } = await readAnnotations("runs/company/tracks.csv", { every: 1 })
 * ```
 */
export async function readAnnotations(path: string, options: OwnOptions): Promise<DetectionData> {
  const expected = "a folder with AVA's annotations, a CSV of boxes, or an XML file of CVAT (or a folder of them)"
  const found = await stat(path).catch((error) => {
    throw new FourtierError({
      where: resolve(path),
      what: "the data cannot be opened",
      expected,
      found: messageOf(error),
    })
  })
  const ending = extname(path).toLowerCase()
  if (!found.isDirectory()) {
    if (ending === ".xml") return readCvat(path, options)
    if ([".csv", ".tsv", ".jsonl", ".ndjson"].includes(ending)) return readBoxTable(path, options)
    throw new FourtierError({ where: resolve(path), what: "not annotations", expected, found: basename(path) })
  }
  const { files } = await listFiles(path, { sequences: true })
  const isAva = files.some((file) => basename(file).startsWith("ava_"))
  return !isAva && files.some((file) => /\.xml$/i.test(file)) ? readCvat(path, options) : readAva(path, options)
}
