/** What a run takes, as a table. */

import { availableParallelism } from "node:os"
import { formatBytes, plural } from "@fourtier/core"
import { FourtierError } from "@fourtier/tensor"
import { readJson } from "@fourtier/tensor/node"
import { z } from "zod"
import type { Config } from "../../config.ts"
import { listPrices, priceOf } from "../../describe/cost.ts"
import { readPrices } from "../../describe/price-file.ts"
import { openVisualEncoder } from "../../encoders/catalog.ts"
import type { VisualEncoder } from "../../encoders/encoder.ts"
import { dataSize } from "../../plan/data-size.ts"
import { type Plan, planOf } from "../../plan/plan.ts"
import { measureProduct, type Rates } from "../../plan/rates.ts"
import { learnsFromWords } from "../../requirements.ts"
import { type Column, terminalTable, wrapText } from "../../util/table.ts"
import { readConfig } from "./read-config.ts"

export interface PlanOptions {
  machines: number
  cores?: number
  vlm?: string
  prices?: string
  ask: "separate" | "together"
  batchApi?: boolean
  rpm?: number
  bench?: string
  gflops?: number
  network: number
  latency: number
  json?: boolean
}

/** Prints the plan. `options` are those of `configOptions` and of `fourtier plan`. */
export async function printPlan(data: string, options: PlanOptions): Promise<void> {
  const { value: config } = await readConfig(options)
  const size = await dataSize(data, config.split.test)
  const encoder = await openVisualEncoder(config.encoder)
  const prices = options.prices === undefined ? listPrices : await readPrices(options.prices)
  const price = options.vlm === undefined ? undefined : priceOf(options.vlm, prices, options.batchApi)
  const plan = await planOf({
    config,
    data: size,
    encoder,
    textWidth: await textWidth(config),
    machines: options.machines,
    rates: await ratesOf(options, encoder),
    price,
    ask: options.ask,
    requestsPerMinute: options.rpm ?? null,
    link: { bytesPerSecond: (options.network * 1e9) / 8, latency: options.latency / 1e6 },
  })
  process.stdout.write(options.json ? `${JSON.stringify(plan, null, 2)}\n` : `${show(plan, options)}\n`)
}

/** Dt, where the network depends on it. */
async function textWidth(config: Config): Promise<number> {
  if (config.model.processors === "visual" || !learnsFromWords(config)) return 0
  const { openTextEncoder } = await import("../../text/targets.ts")
  const encoder = await openTextEncoder(config.text)
  await encoder.release()
  return encoder.width
}

const benchSchema = z.looseObject({
  encoder: z.string(),
  // float32 first, in seconds
  precisions: z.array(z.looseObject({ cost: z.looseObject({ clock: z.number() }).optional() })),
})

async function ratesOf({ cores, gflops, bench }: PlanOptions, encoder: VisualEncoder): Promise<Rates> {
  const own = { cores: cores ?? availableParallelism(), gflops: gflops ?? (await measureProduct()) }
  const from = gflops === undefined ? ("measured here" as const) : ("given" as const)
  return { ...own, from, encoderSeconds: bench === undefined ? null : await benched(bench, encoder) }
}

/** Seconds of a view, from the file of `fourtier bench encoder --json`. */
async function benched(file: string, { name }: VisualEncoder): Promise<number> {
  const parsed = benchSchema.safeParse(await readJson(file))
  const found = parsed.success && parsed.data.encoder === name ? parsed.data.precisions[0] : undefined
  if (found?.cost) return found.cost.clock
  throw new FourtierError({
    where: file,
    what: "no measurement of this encoder",
    expected: `what fourtier bench encoder --json has written of ${name}`,
    found: parsed.success ? parsed.data.encoder : z.prettifyError(parsed.error),
  })
}

const COLUMNS = (machines: number): Column[] => [
  { title: "stage" },
  { title: "work" },
  { title: "1 machine", align: "right" },
  ...(machines > 1 ? [{ title: `${machines} machines`, align: "right" as const }] : []),
  { title: "disk", align: "right" },
  { title: "network", align: "right" },
]

function show(plan: Plan, { vlm, network, latency }: PlanOptions): string {
  const { data, machines, rates, answers, total } = plan
  const row = (stage: string, work: string, of: Plan["total"] | Plan["stages"][number]) => [
    stage,
    work,
    duration(of.hours),
    ...(machines > 1 ? [duration(of.hoursTogether)] : []),
    size(of.disk),
    size(of.network),
  ]
  const known = plan.stages.every(({ hours }) => hours !== null)
  const rows = [
    ...plan.stages.map((stage) => row(stage.stage, stage.work, stage)),
    row(known ? "all" : "all but answers", "", total),
  ]
  const count = (value: number) => Math.round(value).toLocaleString("en")
  const clips = `${count(data.train)} training and ${count(data.tested)} tested clips, ${plural(data.classes, "class", "classes")}`
  const money =
    answers.count === 0
      ? []
      : answers.usd === null || answers.inputTokens === null
        ? [
            `Answers: ${vlm === undefined ? "name the model with --vlm for their price" : `no price is known for ${vlm} (--prices)`}.`,
          ]
        : [
            `Answers of ${vlm}: ${tokens(answers.inputTokens)} tokens in, ${tokens(answers.outputTokens)} out: about ${count(answers.usd)} USD.`,
          ]
  const speed = `${rates.gflops.toFixed(0)} GFLOP/s (${rates.from})`
  const seconds = rates.encoderSeconds
  const encoded =
    seconds === null ? "" : `; a view through the encoder takes ${Number(seconds.toPrecision(3))} s (measured)`
  const lines = [
    `${data.title}: ${clips}. ${plan.encoder}.`,
    ...(data.assumed.length > 0 ? [`Assumed: ${data.assumed.join("; ")}.`] : []),
    ...money,
    ...(known ? [] : ["How long they take is the server's affair: name its requests a minute with --rpm."]),
    `A machine: ${plural(rates.cores, "core")} of ${speed}${encoded}. Between machines: ${network} Gbit/s, ${latency} µs.`,
    `Training shared by 2, 4, 16, 64 machines computes in ${plan.efficiency.map(({ training }) => `${Math.round(100 * training)} %`).join(", ")} of its time.`,
  ]
  return [...lines.map((line) => wrapText(line)), terminalTable(COLUMNS(machines), rows)].join("\n")
}

const tokens = (value: number) =>
  value >= 1e9 ? `${(value / 1e9).toPrecision(3)} G` : `${(value / 1e6).toPrecision(3)} M`

const size = (bytes: number) => (bytes === 0 ? "" : formatBytes(Math.round(bytes)))

/** "24 min", "12 h", "3.4 d" */
function duration(hours: number | null): string {
  if (hours === null) return "unknown"
  if (hours < 1) return `${Math.max(1, Math.round(60 * hours))} min`
  if (hours < 48) return `${hours.toPrecision(2)} h`
  const days = hours / 24
  return days < 100 ? `${days.toPrecision(2)} d` : `${Math.round(days).toLocaleString("en")} d`
}
