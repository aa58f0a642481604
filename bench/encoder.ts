/**
 * Full-size networks with random weights beside the reference code in PyTorch: build and load, a clip at 224×224, memory. The two
 * take turns in one run, so that a busy machine slows both; the whole network runs, head included.
 *
 * Debian's python3-torch takes its matrix products from libblas3; with libopenblas0 beside it (installed, or its folder in
 * LD_LIBRARY_PATH) it is ten times faster, and only then is the comparison fair.
 *
 *     npx tsc -p bench/tsconfig.json && node .fourtier/bench/bench/encoder.js [threads] [rounds] [checkouts] [python]
 *
 * `checkouts` is a folder with checkouts of the references, UniFormerV2 and VideoMAE; without it only our side runs. Writes
 * bench/encoder.csv: seconds to build and load; median seconds a clip, on the clock and of the processors (which counts where the
 * machine is shared); peak memory of each side's process; ours over PyTorch's.
 */

import { type ChildProcessWithoutNullStreams, fork, spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { z } from "zod"
import { dimensionsSchema, encoderGraph, netFor } from "../src/encoders/families.ts"
import { presetOf } from "../src/encoders/presets.ts"
import { compileLarge } from "../src/encoders/run.ts"
import { randomSource } from "../src/encoders/weights.ts"
import { input } from "../src/tensor/index.ts"

const caseSchema = z.object({
  kind: z.enum(["uniformerv2", "videomae"]),
  model: z.string(),
  frames: z.int(),
  threads: z.int(),
})
type Case = z.infer<typeof caseSchema>

const CASES: Omit<Case, "threads">[] = [
  { kind: "uniformerv2", model: "B/16", frames: 8 },
  { kind: "videomae", model: "B/16", frames: 16 },
  { kind: "uniformerv2", model: "L/14", frames: 8 },
]

const REPOSITORY = { uniformerv2: "UniFormerV2", videomae: "VideoMAE" }

const runsSchema = z.object({
  times: z.array(z.number()),
  cpu: z.array(z.number()),
  peakMiB: z.number(),
  weights: z.number(),
  library: z.string().default("ONNX Runtime"),
  /** Seconds to build and load. */
  load: z.number().default(0),
})
type Runs = z.infer<typeof runsSchema>

interface Side {
  run(count: number): Promise<Runs>
  end(): void
}

const HERE = fileURLToPath(import.meta.url)
const median = (values: number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]

/** Our side in a process of its own, so that its memory is its own: answers every message, a number of runs. */
async function serve(setting: Case): Promise<void> {
  const begun = performance.now()
  const { kind, model, frames, threads } = setting
  const sizes =
    kind === "uniformerv2" ? { t_size: frames, input_resolution: 224 } : { all_frames: frames, img_size: 224 }
  const classes = { num_classes: 400 }
  const dimensions = dimensionsSchema.parse({ ...presetOf(kind, model).sizes, ...sizes, ...classes })
  const net = netFor(dimensions, null)
  const shape = [1, 3, frames, 224, 224]
  const { outputs } = encoderGraph(net, dimensions, new Map([["input", input("input", shape)]]))
  const weights = await net.load(randomSource(0))
  const session = await compileLarge({ feature_map: outputs.feature_map, logits: outputs.logits }, weights, { threads })
  weights.clear()
  const load = (performance.now() - begun) / 1000
  const clip = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i))
  process.on("message", async (count) => {
    const times: number[] = []
    const cpu: number[] = []
    for (let i = 0; i < Number(count); i++) {
      const [clock, processor] = [performance.now(), process.cpuUsage()]
      await session.run({ input: clip })
      const { user, system } = process.cpuUsage(processor)
      times.push((performance.now() - clock) / 1000)
      cpu.push((user + system) / 1e6)
    }
    const peakMiB = process.resourceUsage().maxRSS / 1024
    process.send?.({ times, cpu, peakMiB, weights: net.weightCount, load })
  })
}

function ourSide(setting: Case): Side {
  const child = fork(HERE, ["serve", JSON.stringify(setting)])
  return {
    run: (count) =>
      new Promise((resolve, reject) => {
        child.once("message", (answer) => resolve(runsSchema.parse(answer)))
        child.once("exit", (code) => reject(new Error(`our side ended with ${code}`)))
        child.send(count)
      }),
    end: () => void child.disconnect(),
  }
}

function torchSide(setting: Case, checkout: string, python: string): Side {
  const script = join(HERE, "../../../../bench/encoder_torch.py")
  const child: ChildProcessWithoutNullStreams = spawn(python, [script])
  child.stderr.pipe(process.stderr)
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  child.stdin.write(`${JSON.stringify({ ...setting, checkout })}\n`)
  return {
    async run(count) {
      child.stdin.write(`${count}\n`)
      const { value } = await lines.next()
      return runsSchema.parse(JSON.parse(value ?? "null"))
    },
    end: () => void child.stdin.end(),
  }
}

/** All rounds of one side together. */
function joined(parts: Runs[]): Runs {
  const last = parts[parts.length - 1]
  return { ...last, times: parts.flatMap(({ times }) => times), cpu: parts.flatMap(({ cpu }) => cpu) }
}

async function compare(
  setting: Case,
  rounds: number,
  checkouts: string | undefined,
  python: string,
): Promise<string[]> {
  const checkout = checkouts === undefined ? "" : join(checkouts, REPOSITORY[setting.kind])
  const sides = [ourSide(setting), ...(checkout && existsSync(checkout) ? [torchSide(setting, checkout, python)] : [])]
  const results: Runs[][] = sides.map(() => [])
  for (const side of sides) await side.run(1) // warm up
  for (let round = 0; round < rounds; round++) {
    for (const [i, side] of sides.entries()) results[i].push(await side.run(1))
  }
  for (const side of sides) side.end()
  const [ours, torch] = results.map(joined)
  const seconds = (values: number[]) => median(values).toFixed(3)
  const of = (runs: Runs | undefined, take: (runs: Runs) => string) => (runs ? take(runs) : "")
  const ratio = (take: (runs: Runs) => number[]) => of(torch, (t) => (median(take(ours)) / median(take(t))).toFixed(2))
  return [
    `${setting.kind} ${setting.model}`,
    `${setting.frames}`,
    `${setting.threads}`,
    (ours.weights / 1e6).toFixed(1),
    ours.load.toFixed(1),
    seconds(ours.times),
    seconds(ours.cpu),
    ours.peakMiB.toFixed(0),
    of(torch, ({ times }) => seconds(times)),
    of(torch, ({ cpu }) => seconds(cpu)),
    of(torch, ({ peakMiB }) => peakMiB.toFixed(0)),
    of(torch, ({ library }) => library),
    ratio(({ times }) => times),
    ratio(({ cpu }) => cpu),
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
]

const [first = "2", second = "3", checkouts, python = "python3"] = process.argv.slice(2)
if (first === "serve") {
  await serve(caseSchema.parse(JSON.parse(second)))
} else {
  const rows = [COLUMNS.join(",")]
  for (const setting of CASES) {
    const row = await compare({ ...setting, threads: Number(first) }, Number(second), checkouts, python)
    rows.push(row.join(","))
    process.stdout.write(`${row.map((value, i) => `${COLUMNS[i]}=${value}`).join(" ")}\n`)
  }
  await writeFile(join(HERE, "../../../../bench/encoder.csv"), `${rows.join("\n")}\n`)
}
