/**
 * Full-size networks with random weights, compared with PyTorch: build and load, a clip, memory. The two take turns in one run, so
 * that a busy machine slows both. The whole network runs as it was published: UniFormerV2, VideoMAE and InternVideo2 with their
 * heads, the Perception Encoder's image tower with its embedding, V-JEPA as the encoder that it is. UniFormerV2 and VideoMAE are the
 * reference code; the others are networks_torch.py, which equals recorded outputs of the reference code.
 *
 *     npm run bench && node .fourtier/bench/encoder.js [network …]
 *
 *     network       a kind, such as vjepa2, or one of its sizes, such as uniformerv2:L/14; all by default
 *     --python      an interpreter that has PyTorch; without it only our side runs
 *     --checkouts   a folder with checkouts of UniFormerV2 and VideoMAE, for these two
 *     --rounds      runs of each side, after one that does not count; 5 by default
 *     --threads     numbers of threads; 1,2 by default
 *     --table       the table whose rows are renewed; bench/encoder.csv by default
 *
 * Debian's python3-torch takes its matrix products from libblas3; with libopenblas0-pthread installed it is ten
 * times as fast. Only then is the comparison fair, and the column torch_library says so; the fastest kernel of its OpenBLAS is looked
 * for first (peers.ts). Columns: seconds to build and load;
 * median seconds per clip, by the clock and of all processors (read that where the machine is shared); peak memory of each
 * process; ours divided by PyTorch's; PyTorch's kernel, and GFLOP/s of a plain matrix product of both.
 */

import { existsSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { input } from "@fourtier/tensor"
import { z } from "zod"
import { internvideo2 } from "../packages/fourtier/src/encoders/families/internvideo2.ts"
import { peCore } from "../packages/fourtier/src/encoders/families/pe-core.ts"
import { uniformerv2 } from "../packages/fourtier/src/encoders/families/uniformerv2.ts"
import { videomae } from "../packages/fourtier/src/encoders/families/videomae.ts"
import { vjepa2 } from "../packages/fourtier/src/encoders/families/vjepa2.ts"
import { vjepa21 } from "../packages/fourtier/src/encoders/families/vjepa21.ts"
import { presetOf } from "../packages/fourtier/src/encoders/presets.ts"
import { compileLarge } from "../packages/fourtier/src/encoders/run.ts"
import { randomSource } from "../packages/fourtier/src/encoders/weights.ts"
import {
  answerLines,
  BENCH,
  type Cost,
  medianCost,
  Partner,
  peakMemory,
  pythonVersion,
  stop,
  Table,
  takeTurns,
  timed,
} from "./harness.ts"
import { fastestPeer, ownRate, type Peer, torchSettings } from "./peers.ts"

const caseSchema = z.object({
  kind: z.enum(["uniformerv2", "videomae", "vjepa2", "vjepa21", "pe_core", "internvideo2"]),
  model: z.string(),
  frames: z.int(),
  /** Height and width of a frame. */
  pixels: z.int(),
  threads: z.int(),
})
type Case = z.infer<typeof caseSchema>
type Network = Omit<Case, "threads">
type Kind = Case["kind"]

const NETWORKS: readonly Network[] = [
  { kind: "uniformerv2", model: "B/16", frames: 8, pixels: 224 },
  { kind: "videomae", model: "B/16", frames: 16, pixels: 224 },
  { kind: "uniformerv2", model: "L/14", frames: 8, pixels: 224 },
  { kind: "vjepa2", model: "L/16", frames: 16, pixels: 256 },
  { kind: "vjepa21", model: "B/16", frames: 16, pixels: 384 },
  { kind: "pe_core", model: "B/16", frames: 8, pixels: 224 },
  { kind: "internvideo2", model: "S/14", frames: 8, pixels: 224 },
  { kind: "internvideo2", model: "B/14", frames: 8, pixels: 224 },
]

const FAMILIES = { uniformerv2, videomae, vjepa2, vjepa21, pe_core: peCore, internvideo2 }

/** What follows the feature map; null: nothing. */
const ENDS: Record<Kind, "logits" | "image_embedding" | null> = {
  uniformerv2: "logits",
  videomae: "logits",
  vjepa2: null,
  vjepa21: null,
  pe_core: "image_embedding",
  internvideo2: "logits",
}

/** Checkouts that have the PyTorch side; the others' is networks_torch.py. */
const REPOSITORY: Partial<Record<Kind, string>> = { uniformerv2: "UniFormerV2", videomae: "VideoMAE" }

/** Of the input: a clip, or its frames as images. */
function shapeOf({ kind, frames, pixels }: Case): number[] {
  return kind === "pe_core" ? [frames, 3, pixels, pixels] : [1, 3, frames, pixels, pixels]
}

const runSchema = z.object({
  /** Seconds. */
  cost: z.object({ clock: z.number(), processor: z.number() }),
  peakMiB: z.number(),
  weights: z.number(),
  library: z.string().default("ONNX Runtime"),
  /** Seconds to build and load. */
  load: z.number().default(0),
})
type Run = z.infer<typeof runSchema>

/** Our side, in a process of its own, so that its memory is its own: every message asks for a run. */
async function serve(setting: Case): Promise<() => Promise<Run>> {
  const { kind, model, frames, pixels, threads } = setting
  const { schema, visual } = FAMILIES[kind]
  const end = ENDS[kind]
  const network = schema.parse({
    ...presetOf(visual, model).dimensions,
    ...visual.clipDimensions(frames, pixels),
    num_classes: end === "logits" ? 400 : 0,
  })
  const shape = shapeOf(setting)
  const binder = network.binder(null)
  const { value: session, cost: loading } = await timed(async () => {
    const { outputs } = network.graph(binder, new Map([["input", input("input", shape)]]))
    const weights = await binder.load(randomSource(0))
    const wanted = { feature_map: outputs.feature_map, ...(end === null ? {} : { [end]: outputs[end] }) }
    return compileLarge(wanted, weights, { threads })
  })
  const clip = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i))
  return async () => {
    const { cost } = await timed(() => session.run({ input: clip }))
    const peakMiB = peakMemory() / 2 ** 20
    return { cost, peakMiB, weights: binder.weightCount, load: loading.clock, library: "ONNX Runtime" }
  }
}

function ourSide(setting: Case): Partner {
  const partner = new Partner(process.execPath, [fileURLToPath(import.meta.url), "serve"])
  partner.tell(setting)
  return partner
}

/** Where the PyTorch side comes from. */
interface Reference {
  python: string
  /** The folder with checkouts. */
  checkouts: string | null
}

function torchSide(setting: Case, { python, checkouts }: Reference, { environment }: Peer): Partner {
  const partner = new Partner(python, [join(BENCH, "encoder_torch.py")], environment)
  const repository = REPOSITORY[setting.kind]
  const checkout = repository === undefined || checkouts === null ? null : join(checkouts, repository)
  partner.tell({ ...setting, shape: shapeOf(setting), checkout })
  return partner
}

/** The peer's fastest setting for a network, by its second run. */
async function fastestFor(setting: Case, reference: Reference, settings: readonly Peer[]): Promise<Peer> {
  const { peer } = await fastestPeer(settings, async (tried) => {
    const partner = torchSide(setting, reference, tried)
    await partner.ask("run", runSchema)
    const { cost } = await partner.ask("run", runSchema)
    partner.end()
    return cost.clock
  })
  return peer
}

/** @param reference null: our side alone */
async function compare(setting: Case, rounds: number, reference: Reference | null, settings: readonly Peer[]) {
  const peer = reference === null ? null : await fastestFor(setting, reference, settings)
  const other = reference === null || peer === null ? [] : [torchSide(setting, reference, peer)]
  const partners = [ourSide(setting), ...other]
  const sides = partners.map((partner) => () => partner.ask("run", runSchema))
  const results = await takeTurns(sides, rounds)
  for (const partner of partners) partner.end()
  const [ours, torch] = results.map((runs) => ({
    ...runs[runs.length - 1],
    cost: medianCost(runs.map(({ cost }) => cost)),
  }))
  if (torch && Math.abs(torch.weights / ours.weights - 1) > 0.01) {
    throw new Error(`${setting.model}: ${ours.weights} weights here, ${torch.weights} in PyTorch: another network`)
  }
  const besideTorch = (take: (torch: Run) => string) => (torch ? take(torch) : null)
  const ratio = (take: (cost: Cost) => number) => besideTorch(({ cost }) => (take(ours.cost) / take(cost)).toFixed(2))
  return [
    `${setting.kind} ${setting.model}`,
    `${setting.frames}`,
    `${setting.pixels}`,
    `${setting.threads}`,
    (ours.weights / 1e6).toFixed(1),
    ours.load.toFixed(1),
    ours.cost.clock.toFixed(3),
    ours.cost.processor.toFixed(3),
    ours.peakMiB.toFixed(0),
    besideTorch(({ cost }) => cost.clock.toFixed(3)),
    besideTorch(({ cost }) => cost.processor.toFixed(3)),
    besideTorch(({ peakMiB }) => peakMiB.toFixed(0)),
    besideTorch(({ library }) => library),
    ratio(({ clock }) => clock),
    ratio(({ processor }) => processor),
    peer?.kernel ?? null,
    peer?.memory ?? null,
    peer?.rate.toFixed(0) ?? null,
    (await ownRate(setting.threads)).toFixed(0),
  ]
}

const COLUMNS = [
  "network",
  "frames",
  "pixels",
  "threads",
  "weights_m",
  "load_s",
  "clock_s",
  "cpu_s",
  "peak_mib",
  "torch_clock_s",
  "torch_cpu_s",
  "torch_peak_mib",
  "torch_library",
  "clock_ratio",
  "cpu_ratio",
  "torch_kernel",
  "torch_memory",
  "torch_matmul_gflops",
  "matmul_gflops",
]

/** Columns that tell rows apart. */
const KEYS = 4

const named = ({ kind, model }: Network) => [kind, `${kind}:${model}`]

/** The networks that are asked for. */
function networksOf(names: readonly string[]): readonly Network[] {
  const all = NETWORKS.flatMap(named)
  const unknown = names.find((name) => !all.includes(name))
  if (unknown !== undefined) stop(`no network ${unknown}; expected ${[...new Set(all)].join(", ")}`)
  return names.length === 0
    ? NETWORKS
    : NETWORKS.filter((network) => named(network).some((name) => names.includes(name)))
}

function wholeNumber(option: string, text: string): number {
  return /^[1-9]\d*$/.test(text) ? Number(text) : stop(`--${option}: expected a number from 1, found ${text}`)
}

/** Ends the program where PyTorch or a checkout is missing. */
function referenceFor(networks: readonly Network[], python: string | undefined, checkouts: string | null) {
  if (python === undefined) return null
  pythonVersion(python, "torch", "apt-get install python3-torch libopenblas0-pthread")
  for (const { kind } of networks) {
    const repository = REPOSITORY[kind]
    if (repository === undefined) continue
    if (checkouts === null) stop(`${kind} is compared with its reference code: --checkouts <folder with ${repository}>`)
    if (!existsSync(join(checkouts, repository))) stop(`${checkouts} has no checkout of ${repository}`)
  }
  return { python, checkouts }
}

const OPTIONS = {
  python: { type: "string" },
  checkouts: { type: "string" },
  rounds: { type: "string", default: "5" },
  threads: { type: "string", default: "1,2" },
  table: { type: "string", default: join(BENCH, "encoder.csv") },
} as const

/** The command line. Ends the program where it has something unknown. */
function commandLine() {
  try {
    return parseArgs({ allowPositionals: true, options: OPTIONS })
  } catch (error) {
    return stop(error instanceof Error ? error.message : String(error))
  }
}

async function main(): Promise<void> {
  const { values, positionals } = commandLine()
  const networks = networksOf(positionals)
  const rounds = wholeNumber("rounds", values.rounds)
  const threadCounts = values.threads.split(",").map((text) => wholeNumber("threads", text))
  const reference = referenceFor(networks, values.python, values.checkouts ?? null)
  const peers = new Map(
    reference === null ? [] : threadCounts.map((threads) => [threads, torchSettings(reference.python, threads, 1)]),
  )
  const table = await Table.renewed(values.table, COLUMNS, KEYS)
  for (const network of networks) {
    for (const threads of threadCounts) {
      table.add(await compare({ ...network, threads }, rounds, reference, peers.get(threads) ?? []))
    }
  }
  await table.write()
}

if (process.argv[2] === "serve") await answerLines(caseSchema, serve)
else await main()
