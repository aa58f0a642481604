/**
 * The figures of comparisons of detectors, gathered from their results into one table.
 *
 *     fourtier puppets company -o runs/company
 *     fourtier detection runs/company --seeds 3 --detector movenet --subject person --answers bench/company-people.jsonl \
 *       --set 'prompts=[A,B]' -o runs/person
 *     fourtier detection runs/company --seeds 3 --detector movenet --answers bench/company-clips.jsonl --set 'prompts=[A,B]' -o runs/clip
 *     npm run bench && node .fourtier/bench/detection.js runs/person runs/clip ...
 *
 * With `labelsPerClass=1` beside the prompts: one labelled track of each class. Writes bench/detection.csv.
 */

import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { z } from "zod"
import { BENCH, stop, Table } from "./harness.ts"

const interval = z.object({ value: z.number(), low: z.number(), high: z.number() })
const on = z.object({ part: z.string(), boxes: z.string(), meanAveragePrecision: interval })
const resultsSchema = z.object({
  trained: z.object({ people: z.number() }),
  scores: z.array(on.extend({ method: z.string() })),
  differences: z.array(on.extend({ first: z.string(), second: z.string() })),
  stage1: z
    .object({ subject: z.string(), described: z.number(), retrieval: z.record(z.string(), z.unknown()) })
    .nullable(),
})

const folders = process.argv.slice(2)
if (folders.length === 0) stop("name the folders of results: node .fourtier/bench/detection.js runs/person runs/clip")

const columns = ["labelled_people", "answers", "prompts", "method", "part", "boxes", "map", "low", "high"]
const table = new Table(join(BENCH, "detection.csv"), columns)
for (const folder of folders) {
  const results = resultsSchema.parse(JSON.parse(await readFile(join(folder, "results.json"), "utf8")))
  const { stage1, trained } = results
  const answers = stage1 === null ? "none" : `${stage1.described} about a ${stage1.subject}`
  const add = (method: string, { part, boxes, meanAveragePrecision: { value, low, high } }: z.infer<typeof on>) => {
    const figures = [value, low, high].map((share) => (100 * share).toFixed(2))
    const prompts = Object.keys(stage1?.retrieval ?? {}).join(" ")
    table.add([trained.people, answers, prompts, method, part, boxes, ...figures])
  }
  for (const score of results.scores) add(score.method, score)
  for (const one of results.differences) add(`${one.first} - ${one.second}`, one)
}
await table.write()
