/** Boxes of people from a detector: the CSV files that SlowFast publishes for AVA, and those of the same form. */

import type { PlainBox } from "@fourtier/core/metrics"
import { FourtierError } from "@fourtier/tensor"
import { readForeignText } from "../util/text.ts"

/**
 * Reads `video_id, timestamp, x1, y1, x2, y2, class_id, score`: the class may be empty, a box that is repeated for several
 * classes counts once. Boxes of a lower score than `threshold` are left out (0.9 in training and 0.8 in testing are usual), and
 * so are boxes without area and those wholly outside the picture; both are counted.
 * @throws FourtierError that names the line of a row that is none
 *
 * @example
 * ```ts
 * import { readPersonBoxes } from "fourtier/detection"
 *
 * const { boxes, low } = await readPersonBoxes("ava_detection_val_boxes_and_labels.csv", 0.8)
 * ```
 */
export async function readPersonBoxes(
  path: string,
  threshold: number,
): Promise<{ boxes: PlainBox[]; low: number; empty: number }> {
  const found = new Map<string, PlainBox>()
  let [low, empty] = [0, 0]
  for (const [i, line] of (await readForeignText(path)).split(/\r\n|\r|\n/).entries()) {
    if (line.trim() === "") continue
    const cells = line.split(",").map((cell) => cell.trim())
    const [timestamp, x1, y1, x2, y2] = cells.slice(1, 6).map((cell) => (cell === "" ? Number.NaN : Number(cell)))
    const score = cells[7] === undefined || cells[7] === "" ? Number.NaN : Number(cells[7])
    if (cells.length !== 8 || [timestamp, x1, y1, x2, y2, score].some((value) => !Number.isFinite(value))) {
      throw new FourtierError({
        where: `${path}:${i + 1}`,
        what: "not a row of person boxes",
        expected: "video_id, timestamp, x1, y1, x2, y2, class_id (may be empty), score",
        found: line.slice(0, 120),
      })
    }
    if (score < threshold) low++
    else if (!(x1 < x2 && y1 < y2 && x2 > 0 && y2 > 0 && x1 < 1 && y1 < 1)) empty++
    else {
      const key = [cells[0], timestamp, x1, y1, x2, y2].join()
      found.set(key, { videoId: cells[0], timestamp, box: [x1, y1, x2, y2], score })
    }
  }
  return { boxes: [...found.values()], low, empty }
}
