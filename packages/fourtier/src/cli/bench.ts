/** `fourtier bench encoder [data]`: the configured encoder in each precision, side by side: size, time, memory, likeness. */

import { join } from "node:path"
import { plural, type Reporter } from "@fourtier/core"
import { terminalReporter } from "@fourtier/core/node"
import { demoClasses, generatePuppets } from "@fourtier/puppets"
import { writeJson } from "@fourtier/tensor/node"
import { Command, InvalidArgumentError, Option } from "commander"
import type { Config } from "../config.ts"
import { type Comparison, compareEncoder, type Measured, type Unmeasured } from "../encoders/bench/compare.ts"
import { openVisualEncoder } from "../encoders/catalog.ts"
import { PRECISIONS, type Precision } from "../encoders/precision.ts"
import { viewRecipes } from "../stages.ts"
import { terminalTable } from "../util/table.ts"
import { type Clip, clipOfFile, scanSource } from "../video/index.ts"
import { wholeNumber } from "./doctor.ts"
import { interruptible, readConfig, settingsOptions } from "./shared.ts"

interface BenchEncoderOptions {
  precision: Precision[]
  clips: number
  rounds: number
  batches: number[]
  threads?: number
  json?: string
}

export function benchCommand(): Command {
  return new Command("bench").description("measure parts of the method on this machine").addCommand(encoderCommand())
}

function encoderCommand(): Command {
  return settingsOptions(new Command("encoder"))
    .description(
      "the configured encoder in float32, float16 and int8 on the same clips: size, time, memory, likeness of features",
    )
    .argument("[data]", "clips, as for `run`; without it a few puppets are rendered")
    .addOption(
      new Option("--precision <list>", "between commas; float32 always runs")
        .default([...PRECISIONS], PRECISIONS.join())
        .argParser(precisions),
    )
    .option("--clips <n>", "clips to encode, spread over the data", wholeNumber, 6)
    .option("--rounds <n>", "how often each clip is timed", wholeNumber, 3)
    .addOption(
      new Option("--batches <list>", "clips at a time to try in float32, between commas; 1: none")
        .default([2, 4, 8], "2,4,8")
        .argParser(batchSizes),
    )
    .option("--threads <n>", "threads of the encoder (default: as configured, else one per core)", wholeNumber)
    .option("--json <file>", "also write every figure there")
    .addHelpText("after", HELP)
    .action(async (data: string | undefined, options: BenchEncoderOptions) => {
      const { value: config } = await readConfig(options)
      await interruptible((signal) => benchEncoder(data, config, options, terminalReporter(), signal))
    })
}

const HELP = `
Two encoders run at a time, each in a process of its own, and take turns clip by clip with float32. Columns: file, the graph with
its weights as ONNX; load, making or reading the weights, building the graph and loading it; ms, median for one clip; speed-up,
over float32 in the same turns; cpu speed-up, the same by the time of all threads together, which is the figure to read on a busy
machine; cosine, of features beside float32's, row by row (one place in one frame), mean over clips and in brackets the clip least
alike; centred, the same after the mean feature is taken off, the harsher one; memory, of the process: the most, loading
included, and while it encodes.

  fourtier bench encoder clips/ --set encoder.kind=clip encoder.checkpoint=ViT-B-16.pt
  fourtier bench encoder -c config.yaml --precision int8 --batches 1 --json int8.json
`

async function benchEncoder(
  data: string | undefined,
  config: Config,
  options: BenchEncoderOptions,
  reporter: Reporter,
  signal: AbortSignal,
): Promise<void> {
  const { encoder: settings, runtime, cache } = config
  const encoder = await openVisualEncoder({ ...settings, precision: "float32" })
  const clips = data === undefined ? await puppets(cache, options.clips, reporter) : await spread(data, options.clips)
  const threads = options.threads ?? runtime.threads
  const comparison = await compareEncoder({
    config: settings,
    encoder,
    clips,
    recipe: viewRecipes(config, encoder).test,
    precisions: options.precision.filter((precision) => precision !== "float32"),
    batches: options.batches.filter((batch) => batch > 1),
    rounds: options.rounds,
    provider: runtime.provider,
    threads,
    reporter,
    workers: runtime.workers ?? undefined,
    signal,
  })
  process.stdout.write(
    `${encoder.name}: ${encoder.frames} frames of ${encoder.resolution.join("×")}, ${plural(clips.length, "clip")}, ${threads ?? "all"} threads\n`,
  )
  process.stdout.write(`${precisionTable(comparison)}\n`)
  if (comparison.batches.length > 1) process.stdout.write(`${batchTable(comparison)}\n${bestBatch(comparison)}\n`)
  if (options.json !== undefined) {
    await writeJson(options.json, { encoder: encoder.name, settings, clips: clips.length, threads, ...comparison })
  }
}

/** Rendered clips of as many classes, made once. */
async function puppets(cache: string, count: number, reporter: Reporter): Promise<Clip[]> {
  const out = join(cache, "bench-puppets")
  const each = Math.ceil(count / demoClasses.length)
  const counts = { train: 0, test: each, "test-shift": 0 }
  const { clips } = await generatePuppets({ classes: demoClasses.slice(0, count), counts, seed: 1, out }, reporter)
  return clips.slice(0, count).map(({ path }) => clipOfFile(join(out, path)))
}

/** As many clips of the data, evenly spread over it. */
async function spread(data: string, count: number): Promise<Clip[]> {
  const { clips } = await scanSource(data)
  const step = Math.max(1, clips.length / count)
  const chosen = Array.from({ length: Math.min(count, clips.length) }, (_, i) => clips[Math.floor(i * step)])
  return chosen.map(({ path, start, end }) => clipOfFile(path, { start, end }))
}

const right = (title: string) => ({ title, align: "right" as const })

function precisionTable({ precisions }: Comparison): string {
  const columns = [
    { title: "precision" },
    ...["file MB", "load s", ...TIMES, "cosine", "centred", "memory MB"].map(right),
  ]
  const cells = (row: Measured) => [
    (row.file / 1e6).toFixed(1),
    row.load.toFixed(1),
    ...times(row),
    pair(row.likeness.mean.cosine, row.likeness.lowest.cosine),
    pair(row.likeness.mean.centred, row.likeness.lowest.centred),
    memory(row),
  ]
  return tableOf(columns, precisions, ({ precision }) => precision, cells)
}

function batchTable({ batches }: Comparison): string {
  const columns = [right("clips at a time"), ...[...TIMES, "memory MB"].map(right)]
  return tableOf(
    columns,
    batches,
    ({ batch }) => `${batch}`,
    (row) => [...times(row), memory(row)],
  )
}

function tableOf(
  columns: Parameters<typeof terminalTable>[0],
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

const TIMES = ["ms", "clips/s", "speed-up", "cpu speed-up"]

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
    ? "one clip at a time is best, or as good as any"
    : `best: ${best.batch} clips at a time, ${best.speedUp.toFixed(2)} times as fast as one`
}

function precisions(text: string): Precision[] {
  return text.split(",").map((name) => {
    const found = PRECISIONS.find((precision) => precision === name.trim())
    if (found) return found
    throw new InvalidArgumentError(`expected ${PRECISIONS.join(", ")}, found ${name}`)
  })
}

const batchSizes = (text: string) => text.split(",").map(wholeNumber)
