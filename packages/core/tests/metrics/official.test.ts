/**
 * The figures are those of ActivityNet's official AVA evaluation, to 1e-9: on sets with ties, more boxes than count,
 * swapped corners, excluded frames, frames that the truth does not name, and classes without truth. The fixture holds random sets
 * and what the unchanged program (`Evaluation/get_ava_performance.py`) said of them, its sort made stable: otherwise the
 * order of ties is NumPy's, and differs from version to version.
 */

import { readFileSync } from "node:fs"
import { expect, test } from "vitest"
import { evaluateDetections, parseAvaCsv } from "../../src/metrics/index.ts"

interface Recorded {
  title: string
  listed: number[]
  truth: string[]
  detections: string[]
  excluded: string[]
  meanAveragePrecision: number
  averagePrecision: Record<string, number | null>
}

const recorded: Recorded[] = JSON.parse(readFileSync(new URL("fixtures/official-ava.json", import.meta.url), "utf8"))

test.each(recorded)("$title", ({ listed, truth, detections, excluded, meanAveragePrecision, averagePrecision }) => {
  const { boxes, frames } = parseAvaCsv(truth.join("\n"), "truth.csv")
  const found = parseAvaCsv(detections.join("\n"), "detections.csv").boxes
  const result = evaluateDetections(boxes, found, { classes: listed, frames, excluded: new Set(excluded) })
  expect(Math.abs(result.meanAveragePrecision - meanAveragePrecision)).toBeLessThan(1e-9)
  for (const id of listed) {
    const [ours, official] = [result.classes.get(id)?.averagePrecision, averagePrecision[id]]
    if (official === null) expect(ours).toBeNull()
    else expect(Math.abs((ours ?? Number.NaN) - official)).toBeLessThan(1e-9)
  }
})

test("the sets hold what they are for", () => {
  const counts = recorded.map(({ detections }) => detections.length)
  expect(Math.max(...counts)).toBeGreaterThan(150)
  expect(recorded.some(({ excluded }) => excluded.length > 0)).toBe(true)
  expect(recorded.some(({ averagePrecision }) => Object.values(averagePrecision).includes(null))).toBe(true)
})
