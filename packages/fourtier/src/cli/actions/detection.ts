/** Trains and compares detectors on annotated key frames, prints a table, and writes results and detections. */

import { mkdir } from "node:fs/promises"
import { join } from "node:path"
import { csvLine, plural } from "@fourtier/core"
import type { Detection, PlainBox } from "@fourtier/core/metrics"
import { terminalReporter } from "@fourtier/core/node"
import { detectionSchema } from "@fourtier/core/schemas"
import { writeFileAtomic, writeJson } from "@fourtier/tensor/node"
import { clipKeyFrames } from "../../detection/clips.ts"
import {
  CLASS_SHARES,
  type Comparison,
  compareDetectors,
  DETECTORS,
  type MethodScore,
} from "../../detection/compare.ts"
import type { DetectionData } from "../../detection/data.ts"
import { readPersonBoxes } from "../../detection/person-boxes.ts"
import { readAnnotations } from "../../detection/read.ts"
import { openVisualEncoder } from "../../encoders/catalog.ts"
import { extractFeatures } from "../../features/extract.ts"
import { openCache } from "../../util/cache-folders.ts"
import { formatInterval, formatPercent } from "../../util/figures.ts"
import { terminalTable } from "../../util/table.ts"
import { interruptible } from "../interrupt.ts"
import { runFolder } from "./folders.ts"
import { oneOf } from "./one-of.ts"
import { readConfig } from "./read-config.ts"

export interface DetectionOptions {
  methods?: string[]
  boxes?: string
  threshold: number
  window: number
  every: number
  jitter: number
  out?: string
}

/** Runs the comparison. `options` holds those of `settingsOptions` as well. */
export async function compareOnData(folder: string, options: DetectionOptions): Promise<void> {
  const { value: config } = await readConfig(options)
  const methods = (options.methods ?? DETECTORS).map((name) => oneOf("--methods", name, DETECTORS))
  const out = options.out ?? join(runFolder(folder), "detection")
  const reporter = terminalReporter()
  await interruptible(async (signal) => {
    const data = await readAnnotations(folder, { every: options.every })
    for (const note of data.notes) reporter.warn(note)
    const detected = options.boxes === undefined ? null : await personBoxes(options.boxes, options.threshold)
    const parts = await clipKeyFrames(data, options.window, reporter)
    const encoder = await openVisualEncoder(config.encoder)
    for (const note of encoder.notes ?? []) reporter.say(note)
    const { provider, threads, workers, batch } = config.runtime
    const runtime = { provider, threads: threads ?? undefined }
    const { features, older } = await openCache(config.cache, reporter)
    const { store, failed } = await extractFeatures(
      parts.flatMap(({ clips }) => clips.map(({ clip }) => clip)),
      {
        encoder,
        recipe: {
          sampling: { ...config.views.sampling, frames: encoder.frames, clips: 1 },
          steps: [{ step: "letterbox", size: encoder.resolution[0], fill: [0, 0, 0] }],
          draws: null,
        },
        pool: config.model.pool,
        root: features,
        others: older ? [older.features] : [],
        reporter,
        runtime,
        workers: workers ?? undefined,
        batch,
        signal,
      },
    )
    try {
      const lost = new Set(failed.map(({ clip }) => clip.hash))
      if (lost.size > 0)
        reporter.warn(`${plural(lost.size, "clip")} cannot be decoded, such as ${failed[0].error.message}`)
      const comparison = await compareDetectors({
        classes: data.classes,
        parts: parts.map((part) => ({ ...part, clips: part.clips.filter(({ clip }) => !lost.has(clip.hash)) })),
        features: store,
        size: encoder.size,
        methods,
        seeds: Array.from({ length: config.seeds }, (_, i) => config.seed + i),
        model: config.model,
        training: {
          "linear-probe": config.linearProbe,
          "attentive-probe": config.attentiveProbe,
          baseline: config.finetune,
        },
        detection: detectionSchema.parse({ jitter: options.jitter }),
        detected,
        runtime,
        reporter,
        signal,
      })
      await mkdir(out, { recursive: true })
      await writeResults(out, comparison, data)
      process.stdout.write(`${tableOf(comparison)}\n${out}\n`)
    } finally {
      await store.close()
    }
  })

  async function personBoxes(path: string, threshold: number): Promise<PlainBox[]> {
    const { boxes, low, empty } = await readPersonBoxes(path, threshold)
    reporter.say(
      `${plural(boxes.length, "person box", "person boxes")}; left out: ${low} below ${threshold}, ${empty} outside or empty`,
    )
    return boxes
  }
}

function tableOf({ scores, recall, trained }: Comparison): string {
  const tests = [...new Set(scores.map(({ part, boxes }) => `${part}, ${boxes} boxes`))]
  const methods = [...new Set(scores.map(({ method }) => method))]
  const rows = methods.map((method) => [
    method === CLASS_SHARES ? `${method} (chance)` : method,
    ...tests.map((test) =>
      formatInterval(
        scores.find((score) => score.method === method && `${score.part}, ${score.boxes} boxes` === test)
          ?.meanAveragePrecision,
      ),
    ),
  ])
  const table = terminalTable(
    [{ title: "mAP at IoU 0.5" }, ...tests.map((title) => ({ title, align: "right" as const }))],
    rows,
  )
  const lines = [`${table}`, `learned from ${trained.people} people in ${trained.clips} key frames`]
  for (const [part, { found, truths, recall: share }] of recall) {
    lines.push(`detected boxes find ${found} of ${truths} people of ${part} (${formatPercent(share)} %)`)
  }
  return lines.join("\n")
}

async function writeResults(out: string, { scores, recall, trained }: Comparison, { classes }: DetectionData) {
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
