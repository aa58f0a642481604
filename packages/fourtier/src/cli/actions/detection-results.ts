/** What a comparison of detectors comes to, as a table and as files. */

import { join } from "node:path"
import { csvLine } from "@fourtier/core"
import type { Detection } from "@fourtier/core/metrics"
import { writeFileAtomic, writeJson } from "@fourtier/tensor/node"
import { CLASS_SHARES, type Comparison, type MethodScore } from "../../detection/compare.ts"
import type { DetectionData } from "../../detection/data.ts"
import type { Subject } from "../../detection/words.ts"
import { formatDifference, formatInterval, formatPercent, signed } from "../../util/figures.ts"
import { terminalTable, wrapText } from "../../util/table.ts"

/** The table of all methods, what the words add, and how many people detected boxes find. */
export function tableOf({ scores, differences, recall, trained, stage1 }: Comparison): string {
  const tests = [...new Set(scores.map(testOf))]
  const methods = [...new Set(scores.map(({ method }) => method))]
  const columns = tests.map((title) => ({ title, align: "right" as const }))
  const rows = methods.map((method) => [
    method === CLASS_SHARES ? `${method} (chance)` : method,
    ...tests.map((test) =>
      formatInterval(scores.find((score) => score.method === method && testOf(score) === test)?.meanAveragePrecision),
    ),
  ])
  const lines = [
    terminalTable([{ title: "mAP at IoU 0.5" }, ...columns], rows),
    `learned from ${trained.people} people in ${trained.clips} key frames`,
  ]
  const seconds = [...new Set(differences.map(({ second }) => second))]
  if (seconds.length > 0) {
    const pairs = seconds.map((second) => [
      `full − ${second}`,
      ...tests.map((test) =>
        formatDifference(differences.find((one) => one.second === second && testOf(one) === test)?.difference),
      ),
    ])
    lines.push("", terminalTable([{ title: "what it adds, in points" }, ...columns], pairs))
  }
  if (stage1) {
    const skills = [...stage1.retrieval].map(
      ([prompt, { skill, z }]) => `${prompt} ${signed(skill, 2)} (z ${z.toFixed(1)})`,
    )
    const found = skills.length > 0 ? `; of held-out videos they find their own: ${skills.join(", ")}` : ""
    lines.push(wrapText(`stage 1 learned from ${stage1.described} described${found}`, 80))
  }
  for (const [part, { found, truths, recall: share }] of recall) {
    lines.push(`detected boxes find ${found} of ${truths} people of ${part} (${formatPercent(share)} %)`)
  }
  return lines.join("\n")
}

const testOf = ({ part, boxes }: Pick<MethodScore, "part" | "boxes">) => `${part}, ${boxes} boxes`

/** Writes `results.json`, and the detections of each method and part in AVA's form. */
export async function writeResults(
  out: string,
  { scores, differences, recall, trained, stage1 }: Comparison,
  { classes }: DetectionData,
  { subject }: { subject: Subject | null },
): Promise<void> {
  const nameOf = new Map(classes.map(({ id, name }) => [id, name]))
  await writeJson(join(out, "results.json"), {
    schema: "fourtier/detection",
    version: 1,
    trained,
    scores: scores.map(({ method, part, boxes, meanAveragePrecision, classes }) => ({
      method,
      part,
      boxes,
      meanAveragePrecision,
      classes: [...classes].map(([id, figures]) => ({ id, name: nameOf.get(id), ...figures })),
    })),
    differences: differences.map(({ second, part, boxes, difference }) => ({
      ...{ first: "full", second, part, boxes, meanAveragePrecision: difference },
    })),
    stage1: stage1 && { subject, described: stage1.described, retrieval: Object.fromEntries(stage1.retrieval) },
    recall: [...recall].map(([part, { found, truths, boxesPerTruth }]) => ({ part, found, truths, boxesPerTruth })),
  })
  for (const score of scores) {
    if (score.method !== CLASS_SHARES)
      await writeFileAtomic(join(out, fileOf(score)), score.detections.map(avaLine).join(""))
  }
}

const fileOf = ({ method, part, boxes }: MethodScore) => `${method}-${part}-${boxes}.csv`

function avaLine({ videoId, timestamp, box, classId, score }: Detection): string {
  return csvLine([videoId, `${timestamp}`, ...box.map((side) => side.toFixed(4)), `${classId}`, score.toPrecision(6)])
}
