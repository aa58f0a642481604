/**
 * Full-size networks with random weights, compared with the reference code in PyTorch: build and load, a clip at 224×224,
 * memory. The two take turns in one run, so that a busy machine slows both; the whole network runs, head included. One command
 * writes all of bench/encoder.csv:
 *
 *     npm run bench && node .fourtier/bench/encoder.js [rounds] [checkouts] [python]
 *
 * `checkouts` is a folder with checkouts of the references, UniFormerV2 and VideoMAE; without it only our side runs. `python`
 * has PyTorch. Debian's python3-torch takes its matrix products from libblas3; with libopenblas0-pthread installed it is ten
 * times as fast. Only then is the comparison fair, and the column torch_library says so; the fastest kernel of its OpenBLAS is looked
 * for first (peers.ts). Columns: seconds to build and load;
 * median seconds per clip, by the clock and of all processors (read that where the machine is shared); peak memory of each
 * process; ours divided by PyTorch's; PyTorch's kernel, and GFLOP/s of a plain matrix product of both.
 */

import { existsSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { input } from "@fourtier/tensor"
import { z } from "zod"
import { uniformerv2 } from "../packages/fourtier/src/encoders/families/uniformerv2.ts"
import { videomae } from "../packages/fourtier/src/encoders/families/videomae.ts"
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
  kind: z.enum(["uniformerv2", "videomae"]),
  model: z.string(),
  frames: z.int(),
  threads: z.int(),
})
type Case = z.infer<typeof caseSchema>

const THREADS = [1, 2]

const NETWORKS: Omit<Case, "threads">[] = [
  { kind: "uniformerv2", model: "B/16", frames: 8 },
  { kind: "videomae", model: "B/16", frames: 16 },
  { kind: "uniformerv2", model: "L/14", frames: 8 },
]

const FAMILIES = { uniformerv2, videomae }
const REPOSITORY = { uniformerv2: "UniFormerV2", videomae: "VideoMAE" }

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
  const { kind, model, frames, threads } = setting
  const { schema, visual } = FAMILIES[kind]
  const dimensions = { ...presetOf(visual, model).dimensions, ...visual.clipDimensions(frames, 224), num_classes: 400 }
  const network = schema.parse(dimensions)
  const shape = [1, 3, frames, 224, 224]
  const binder = network.binder(null)
  const { value: session, cost: loading } = await timed(async () => {
    const { outputs } = network.graph(binder, new Map([["input", input("input", shape)]]))
    const weights = await binder.load(randomSource(0))

    const options = { threads }
    return compileLarge({ feature_map: outputs.feature_map, logits: outputs.logits }, weights, options)
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

function torchSide(setting: Case, checkout: string, python: string, { environment }: Peer): Partner {
  const partner = new Partner(python, [join(BENCH, "encoder_torch.py")], environment)
  partner.tell({ ...setting, checkout })
  return partner
}

/** The peer's fastest setting for a network, by its second run. */
async function fastestFor(setting: Case, checkout: string, python: string, settings: readonly Peer[]): Promise<Peer> {
  const { peer } = await fastestPeer(settings, async (tried) => {
    const partner = torchSide(setting, checkout, python, tried)
    await partner.ask("run", runSchema)
    const { cost } = await partner.ask("run", runSchema)
    partner.end()
    return cost.clock
  })
  return peer
}

async function compare(
  setting: Case,
  rounds: number,
  checkouts: string | null,
  python: string,
  settings: readonly Peer[],
) {
  const checkout = checkouts ? join(checkouts, REPOSITORY[setting.kind]) : null
  const peer = checkout === null ? null : await fastestFor(setting, checkout, python, settings)
  const other = checkout === null || peer === null ? [] : [torchSide(setting, checkout, python, peer)]
  const partners = [ourSide(setting), ...other]
  const sides = partners.map((partner) => () => partner.ask("run", runSchema))
  const results = await takeTurns(sides, rounds)
  for (const partner of partners) partner.end()
  const [ours, torch] = results.map((runs) => ({
    ...runs[runs.length - 1],
    cost: medianCost(runs.map(({ cost }) => cost)),
  }))
  if (torch && Math.abs(torch.weights / ours.weights - 1) > 0.01) {
    throw new Error(
      `${setting.model}: ${ours.weights} weights here, ${torch.weights} in the reference: another network`,
    )
  }
  const besideTorch = (take: (torch: Run) => string) => (torch ? take(torch) : null)
  const ratio = (take: (cost: Cost) => number) => besideTorch(({ cost }) => (take(ours.cost) / take(cost)).toFixed(2))
  return [
    `${setting.kind} ${setting.model}`,
    `${setting.frames}`,
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

const [first = "5", checkouts = null, python = "python3"] = process.argv.slice(2)
if (first === "serve") await answerLines(caseSchema, serve)
else {
  if (checkouts !== null) {
    pythonVersion(python, "torch", "apt-get install python3-torch libopenblas0-pthread")
    const missing = Object.values(REPOSITORY).find((name) => !existsSync(join(checkouts, name)))
    if (missing !== undefined) stop(`${checkouts} has no checkout of ${missing}`)
  }
  const peers = new Map(
    checkouts === null ? [] : THREADS.map((threads) => [threads, torchSettings(python, threads, 1)]),
  )
  const table = new Table(join(BENCH, "encoder.csv"), COLUMNS)
  for (const network of NETWORKS) {
    for (const threads of THREADS) {
      const settings = peers.get(threads) ?? []
      table.add(await compare({ ...network, threads }, Number(first), checkouts, python, settings))
    }
  }
  await table.write()
}
