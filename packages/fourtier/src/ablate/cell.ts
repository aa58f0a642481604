/** One cell with one number of labels: its trials, or what an earlier run has kept of them (`cell.json`). */

import { existsSync } from "node:fs"
import { appendFile, mkdir, readdir, rm } from "node:fs/promises"
import { dirname, join } from "node:path"
import { formatSeconds, type Reporter } from "@fourtier/core"
import { titleOf } from "@fourtier/core/model"
import { hashJson, notWritten, readJson, writeJson } from "@fourtier/tensor/node"
import { z } from "zod"
import type { Config } from "../config.ts"
import { safeName, Trial, type TrialResult } from "../experiment/trial.ts"
import { runTrial } from "../recipe.ts"
import { trainedMethods } from "../requirements.ts"
import type { Split } from "../video/splits.ts"
import type { Bench } from "./bench.ts"

/** Counts up where cells of before are not to be taken over. */
const CELL_VERSION = 1

const recordSchema = z.object({
  /** Names settings, clips and answers. */
  key: z.string(),
  classes: z.array(z.string()),
  trials: z.array(z.object({ split: z.string(), seed: z.number(), seconds: z.number(), cpuSeconds: z.number() })),
  runs: z.array(
    z.object({
      split: z.string(),
      method: z.string(),
      trainedWeights: z.number().nullable(),
      predictions: z.array(
        z.object({
          clipId: z.string(),
          label: z.number(),
          probabilities: z.array(z.number()),
          fold: z.string().optional(),
          seed: z.number().optional(),
          group: z.string().optional(),
        }),
      ),
    }),
  ),
})

export type CellRecord = z.output<typeof recordSchema>

export interface CellOptions {
  bench: Bench
  out: string
  reporter: Reporter
  signal?: AbortSignal
  /** A line a trial is appended to this file. */
  journal: string
}

/** "all labels", "1 label a class" in short. */
export const labelText = (count: number | null) => `${count ?? "all"} labels`

const cellFolder = (out: string, name: string, labels: number | null) =>
  join(out, "cells", safeName(name), `labels-${labels ?? "all"}`)

/** Where what a cell came to is kept. */
export const cellFile = (out: string, name: string, labels: number | null) =>
  join(cellFolder(out, name, labels), "cell.json")

/** Runs all trials of a cell, unless it is done. Weights are removed once the predictions are kept. */
export async function runCell(name: string, config: Config, options: CellOptions): Promise<CellRecord> {
  const { bench, out, reporter, signal, journal } = options
  const { classes, splits, id, experiment: compile } = await bench.prepare(config)
  const { runtime: _, cache: __, exclude: ___, ...settings } = config
  const key = hashJson([CELL_VERSION, settings, id])
  const labels = labelText(config.labelsPerClass)
  const folder = cellFolder(out, name, config.labelsPerClass)
  const path = cellFile(out, name, config.labelsPerClass)
  const known = await readRecord(path)
  if (known?.key === key) return known
  const methods = trainedMethods(config)
  const record: CellRecord = { key, classes: [...classes], trials: [], runs: [] }
  const experiment = await compile()
  try {
    for (const split of splits) {
      for (let run = 0; run < config.seeds; run++) {
        const seed = config.seed + run
        const about = `${name}, ${labels}${splits.length * config.seeds > 1 ? `, ${split.name}, seed ${seed}` : ""}`
        reporter.say(about)
        const trial = new Trial(experiment, split, seed, join(folder, safeName(split.training), `seed${seed}`))
        const spent = await measured(() => runTrial(trial, methods, "evaluate"))
        record.trials.push({ split: split.name, seed, ...spent })
        collect(record.runs, split, trial.result, methods.map(titleOf))
        const line = { cell: name, labelsPerClass: config.labelsPerClass, split: split.name, seed, methods, ...spent }
        await mkdir(dirname(journal), { recursive: true })
        await appendFile(journal, `${JSON.stringify(line)}\n`).catch((error: unknown) => {
          throw notWritten(journal, error, "the journal of the cells")
        })
        signal?.throwIfAborted()
      }
    }
  } finally {
    await experiment.release()
  }
  const { seconds } = record.trials.reduce((sum, trial) => ({ seconds: sum.seconds + trial.seconds }), { seconds: 0 })
  reporter.say(`${name}, ${labels}: done in ${formatSeconds(seconds)}`)
  await writeJson(path, record)
  await removeWeights(folder)
  return record
}

/** Seconds that work takes by the clock, and of the processor. */
async function measured(work: () => Promise<unknown>): Promise<{ seconds: number; cpuSeconds: number }> {
  const [begun, used] = [performance.now(), process.cpuUsage()]
  await work()
  const { user, system } = process.cpuUsage(used)
  const rounded = (seconds: number) => Number(seconds.toFixed(3))
  return { seconds: rounded((performance.now() - begun) / 1000), cpuSeconds: rounded((user + system) / 1e6) }
}

/** Adds what a trial predicted with its methods; folds of one kind make one split. */
function collect(
  runs: CellRecord["runs"],
  split: Split,
  { predictions }: TrialResult,
  titles: readonly string[],
): void {
  const name = split.fold ? "all folds" : split.name
  for (const method of titles) {
    const found = predictions.get(method)
    if (!found) continue
    const own = found.predictions.map((prediction) => ({
      ...prediction,
      probabilities: Array.from(prediction.probabilities),
    }))
    const run = runs.find((one) => one.split === name && one.method === method)
    if (run) run.predictions.push(...own)
    else runs.push({ split: name, method, trainedWeights: found.trainedWeights, predictions: own })
  }
}

async function readRecord(path: string): Promise<CellRecord | null> {
  if (!existsSync(path)) return null
  return recordSchema.safeParse(await readJson(path).catch(() => null)).data ?? null
}

async function removeWeights(folder: string): Promise<void> {
  for (const name of await readdir(folder, { recursive: true })) {
    if (name.endsWith(".safetensors")) await rm(join(folder, name), { force: true })
  }
}
