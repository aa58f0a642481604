/** Compares precisions of the configured encoder, and numbers of clips at a time. */

import { join } from "node:path"
import { plural, type Reporter } from "@fourtier/core"
import type { ViewRecipe } from "@fourtier/core/frames"
import { terminalReporter } from "@fourtier/core/node"
import { writeJson } from "@fourtier/tensor/node"
import type { Config } from "../../config.ts"
import { type Comparison, compareEncoder, type Measured, type Unmeasured } from "../../encoders/bench/compare.ts"
import {
  describeNeighbours,
  labelledClips,
  type NeighbourResult,
  neighbourScore,
} from "../../encoders/bench/neighbours.ts"
import { openVisualEncoder } from "../../encoders/catalog.ts"
import type { VisualEncoder } from "../../encoders/encoder.ts"
import { PRECISIONS, type Precision } from "../../encoders/precision.ts"
import { viewRecipes } from "../../stages/index.ts"
import { cacheFolders } from "../../util/cache-folders.ts"
import { type Column, terminalTable } from "../../util/table.ts"
import { clipsOfFiles } from "../../video/firstlook.ts"
import type { Clip } from "../../video/manifest.ts"
import { type Source, scanSource } from "../../video/source.ts"
import { interruptible } from "../interrupt.ts"
import { oneOf } from "./one-of.ts"
import { loadPuppets } from "./puppets-package.ts"
import { readConfig } from "./read-config.ts"

export interface BenchEncoderOptions {
  /** Separated by commas. */
  precision: string
  clips: number
  rounds: number
  /** Labelled clips for the nearest-neighbour score; 0: none. */
  neighbours: number
  batches: number[]
  threads?: number
  json?: string
}

/** Measures and prints a table of precisions, then one of batches. */
export async function benchEncoder(data: string | undefined, options: BenchEncoderOptions): Promise<void> {
  const { value: config } = await readConfig(options)
  const precisions = options.precision.split(",").map((name) => oneOf("--precision", name.trim(), PRECISIONS))
  await interruptible((signal) => measure(data, config, { ...options, precisions }, terminalReporter(), signal))
}

async function measure(
  data: string | undefined,
  config: Config,
  options: BenchEncoderOptions & { precisions: Precision[] },
  reporter: Reporter,
  signal: AbortSignal,
): Promise<void> {
  const { encoder: settings, runtime, cache } = config
  const encoder = await openVisualEncoder({ ...settings, precision: "float32" })
  for (const note of encoder.notes ?? []) reporter.say(note)
  const source = data === undefined ? null : await scanSource(data)
  const clips = source ? await spread(source, options.clips) : await rendered(cache, options.clips, reporter)
  const threads = options.threads ?? runtime.threads
  const recipe = viewRecipes(config, encoder).test
  const neighbours =
    source && (await scored(source, config, { encoder, recipe, threads, signal, ...options }, reporter))
  const comparison = await compareEncoder({
    config: settings,
    encoder,
    clips,
    recipe,
    precisions: options.precisions.filter((precision) => precision !== "float32"),
    batches: options.batches.filter((batch) => batch > 1),
    rounds: options.rounds,
    provider: runtime.provider,
    threads,
    reporter,
    workers: runtime.workers ?? undefined,
    signal,
  })
  process.stdout.write(
    `${encoder.name}: ${encoder.frames} frames of ${encoder.resolution.join("×")}, ` +
      `${plural(clips.length, "clip")}, ${threads === null ? "all threads" : plural(threads, "thread")}\n`,
  )
  if (neighbours) process.stdout.write(`${describeNeighbours(neighbours)}\n`)
  process.stdout.write(`${precisionTable(comparison)}\n`)
  if (comparison.batches.length > 1) process.stdout.write(`${batchTable(comparison)}\n${bestBatch(comparison)}\n`)
  if (options.json !== undefined) {
    const found = { encoder: encoder.name, settings, clips: clips.length, threads, neighbours, ...comparison }
    await writeJson(options.json, found)
  }
}

/** Rendered clips, each of a different class, made once. */
async function rendered(cache: string | null, count: number, reporter: Reporter): Promise<Clip[]> {
  const { demoClasses, generatePuppets } = await loadPuppets("fourtier bench encoder without [data]")
  const out = join(cacheFolders(cache).root, "bench-puppets")
  const each = Math.ceil(count / demoClasses.length)
  const counts = { train: 0, test: each, "test-shift": 0 }
  const { clips } = await generatePuppets({ classes: demoClasses.slice(0, count), counts, seed: 1, out }, reporter)
  return measured(clips.slice(0, count).map(({ path }) => join(out, path)))
}

/** @throws FourtierError where one of them cannot be used */
async function measured(files: Parameters<typeof clipsOfFiles>[0]): Promise<Clip[]> {
  const clips: Clip[] = []
  for await (const found of clipsOfFiles(files)) {
    if ("error" in found) throw found.error
    clips.push(found.clip)
  }
  return clips
}

interface ScoreOptions {
  encoder: VisualEncoder
  recipe: ViewRecipe
  threads: number | null
  neighbours: number
  signal: AbortSignal
}

/** The nearest-neighbour score on the data's labelled clips; null where there are none, or it is not wanted. */
async function scored(
  { clips }: Source,
  { cache, model, runtime, split: { column } }: Config,
  { encoder, recipe, threads, neighbours, signal }: ScoreOptions,
  reporter: Reporter,
): Promise<NeighbourResult | null> {
  const labelled =
    neighbours > 0 ? await labelledClips(clips, { count: neighbours, column: [column].flat()[0], reporter }) : []
  if (labelled.length === 0) return null
  const { features, older } = cacheFolders(cache)
  return neighbourScore(labelled, {
    encoder,
    recipe,
    pool: model.pool,
    root: features,
    others: older ? [older.features] : [],
    reporter,
    signal,
    runtime: { provider: runtime.provider, threads: threads ?? undefined },
    workers: runtime.workers ?? undefined,
  })
}

/** `count` clips of the data, evenly spread over it. */
async function spread({ clips }: Source, count: number): Promise<Clip[]> {
  const step = Math.max(1, clips.length / count)
  const chosen = Array.from({ length: Math.min(count, clips.length) }, (_, i) => clips[Math.floor(i * step)])
  return measured(chosen)
}

const right = (title: string): Column => ({ title, align: "right" })

const TIMES = ["ms", "clips/s", "speed-up", "cpu speed-up"]

function precisionTable({ precisions }: Comparison): string {
  const columns = [
    { title: "precision" },
    ...["file MB", "load s", ...TIMES, "cosine", "centred", "memory MB"].map(right),
  ]
  const cells = (row: Measured) => [
    (row.file / 1e6).toFixed(1),
    row.load.toFixed(1),
    ...times(row),
    pair(row.similarity.mean.cosine, row.similarity.lowest.cosine),
    pair(row.similarity.mean.centred, row.similarity.lowest.centred),
    memory(row),
  ]
  return tableOf(columns, precisions, ({ precision }) => precision, cells)
}

function batchTable({ batches }: Comparison): string {
  const columns = ["clips at a time", ...TIMES, "memory MB"].map(right)
  return tableOf(
    columns,
    batches,
    ({ batch }) => `${batch}`,
    (row) => [...times(row), memory(row)],
  )
}

/** A row for each of `rows`, empty where it could not be measured; below the table, why. */
function tableOf(
  columns: readonly Column[],
  rows: readonly (Measured | Unmeasured)[],
  name: (row: Measured | Unmeasured) => string,
  cells: (row: Measured) => string[],
): string {
  const empty = columns.slice(1).map(() => "–")
  const table = terminalTable(
    columns,
    rows.map((row) => [name(row), ...("problem" in row ? empty : cells(row))]),
  )
  return [table, ...rows.flatMap((row) => ("problem" in row ? [`${name(row)}: ${row.problem}`] : []))].join("\n")
}

function times({ cost, reference }: Measured): string[] {
  return [
    (1000 * cost.clock).toFixed(1),
    (1 / cost.clock).toFixed(2),
    (reference.clock / cost.clock).toFixed(2),
    (reference.processor / cost.processor).toFixed(2),
  ]
}

const pair = (mean: number, lowest: number) => `${mean.toFixed(5)} (${lowest.toFixed(5)})`

const memory = ({ memory: { peak, now } }: Measured) => `${(peak / 1e6).toFixed(0)}, ${(now / 1e6).toFixed(0)}`

/** Differences below this are noise. */
const NOTICEABLE = 1.05

function bestBatch({ batches }: Comparison): string {
  const speedUps = batches.flatMap((row) =>
    "problem" in row ? [] : [{ batch: row.batch, speedUp: row.reference.clock / row.cost.clock }],
  )
  const best = speedUps.reduce((a, b) => (b.speedUp > a.speedUp ? b : a))
  return best.speedUp < NOTICEABLE
    ? "one clip at a time is as fast as any other number"
    : `fastest: ${best.batch} clips at a time, ${best.speedUp.toFixed(2)} times as fast as one at a time`
}
