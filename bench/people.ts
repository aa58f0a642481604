/**
 * Which detector finds most people: of puppets, whose boxes are exact, and of UT-Interaction, of which the number of people is known.
 *
 *     fourtier puppets company -o runs/company
 *     npm run bench && node .fourtier/bench/people.js [company] [ut_interaction] [detector.onnx ...]
 *
 * Of puppets: the share of true boxes that a sure box overlaps by half. Of UT-Interaction, three frames a clip: the sure boxes, up
 * to the number of people that are there (two, one who points). Writes bench/people.csv.
 */

import { readdirSync } from "node:fs"
import { join } from "node:path"
import { boxRecall, type PlainBox } from "@fourtier/core/metrics"
import { readAva } from "fourtier/detection"
import { EMBEDDED, openDetector, type PersonDetector } from "fourtier/people"
import { VideoReader } from "fourtier/video"
import { BENCH, median, Table } from "./harness.ts"

const [company = "runs/company", interaction = "../shared/data/ut_interaction", ...files] = process.argv.slice(2)

interface Seen {
  pictures: number
  people: number
  found: number
  boxes: number
  /** Milliseconds a picture. */
  times: number[]
}

async function look(detector: PersonDetector, path: string, seconds: readonly number[], seen: Seen) {
  const video = await VideoReader.open(path)
  const indices = [...new Set(seconds.map((second) => video.frameAt(second)))].sort((a, b) => a - b)
  const rows: PlainBox[][] = []
  for await (const { picture } of video.frames(indices, { size: detector.sizeOf(video) })) {
    const start = performance.now()
    const found = await detector.find(picture)
    seen.times.push(performance.now() - start)
    seen.pictures++
    const sure = found.filter(({ score }) => score >= detector.sure)
    rows.push(sure.map(({ box, score }) => ({ videoId: path, timestamp: seconds[rows.length], box, score })))
  }
  await video.close()
  return rows
}

async function ofPuppets(detector: PersonDetector): Promise<Seen> {
  const seen: Seen = { pictures: 0, people: 0, found: 0, boxes: 0, times: [] }
  const { parts, videos } = await readAva(company)
  for (const { keyFrames } of parts.filter(({ name }) => name !== "train")) {
    for (const [id, path] of videos) {
      const own = keyFrames.filter(({ videoId }) => videoId === id)
      if (own.length === 0) continue
      const seconds = own.map(({ timestamp }) => timestamp)
      const boxes = (await look(detector, path, seconds, seen)).flat()
      const truths = own.flatMap(({ timestamp, people }) =>
        people.map(({ box }) => ({ videoId: path, timestamp, box })),
      )
      const { truths: people, found } = boxRecall(truths, boxes)
      seen.people += people
      seen.found += found
      seen.boxes += boxes.length
    }
  }
  return seen
}

async function ofInteraction(detector: PersonDetector): Promise<Seen> {
  const seen: Seen = { pictures: 0, people: 0, found: 0, boxes: 0, times: [] }
  for (const name of ["hand_shake", "hug", "kick", "point", "punch", "push"]) {
    const there = name === "point" ? 1 : 2
    for (const file of readdirSync(join(interaction, name)).sort()) {
      for (const row of await look(detector, join(interaction, name, file), [0.2, 1, 1.7], seen)) {
        seen.people += there
        seen.found += Math.min(there, row.length)
        seen.boxes += row.length
      }
    }
  }
  return seen
}

const columns = ["detector", "data", "pictures", "people", "found", "recall", "boxes_per_person", "ms_a_picture"]
const table = new Table(join(BENCH, "people.csv"), columns)
for (const name of [...EMBEDDED, ...files]) {
  const detector = await openDetector(name)
  for (const [data, of] of [
    ["puppets", ofPuppets],
    ["ut-interaction", ofInteraction],
  ] as const) {
    const { pictures, people, found, boxes, times } = await of(detector)
    const figures = [(found / people).toFixed(3), (boxes / people).toFixed(2), median(times).toFixed(1)]
    table.add([detector.name, data, pictures, people, found, ...figures])
  }
  await detector.release()
}
await table.write()
