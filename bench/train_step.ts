/**
 * A training step of the head (two pre-norm blocks with joint attention, then the classifier) beside the same in PyTorch:
 * forward, backward and AdamW update. The two take turns in one run, so that a busy machine slows both.
 *
 * Debian's python3-torch takes its matrix products from libblas3; with libopenblas0-pthread beside it it is thirty times faster, and
 * only then is the comparison fair. Its fastest setting for each case is looked for first (peers.ts), and both sides' plain matrix
 * product stands beside the ratio.
 *
 *     npm run bench && node .fourtier/bench/train_step.js [rounds] [python] [threads, as 1,2]
 *
 * `pytorch_s_memory_returned` is of the second and third step alone, which are slower than later ones where the step is small.
 *
 * Writes bench/train_step.csv: median seconds a step of each, on the clock and of the processors (which counts where
 * the machine is shared), their ratios, and the peak resident memory of each process.
 */

import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { classify } from "@fourtier/core/model"
import { softCrossEntropy } from "@fourtier/core/objective"
import { modelSchema } from "@fourtier/core/schemas"
import { grad, input, reshape, Session, type Shape, sizeOf } from "@fourtier/tensor"
import { Scope } from "@fourtier/tensor/nn"
import { AdamW } from "@fourtier/tensor/optim"
import { z } from "zod"
import {
  answerLines,
  BENCH,
  type Cost,
  median,
  medianCost,
  Partner,
  peakMemory,
  pythonVersion,
  Table,
  takeTurns,
  timed,
} from "./harness.ts"
import { fastestPeer, ownRate, type Peer, torchSettings } from "./peers.ts"

const CLASSES = 6

const caseSchema = z.object({
  B: z.int(),
  T: z.int(),
  H: z.int(),
  W: z.int(),
  D: z.int(),
  ffn: z.enum(["mlp", "conv"]),
  threads: z.int(),
  classes: z.int(),
})
type Case = z.infer<typeof caseSchema>

const answerSchema = z.object({
  /** Seconds of each step on the clock, and of all processors together. */
  times: z.array(z.number()),
  cpu: z.array(z.number()),
  losses: z.array(z.number()),
  peakMiB: z.number(),
  /** What computes the matrix products. */
  library: z.string(),
})
type Answer = z.infer<typeof answerSchema>

const STEPS_A_ROUND = 2
const WARMUP_STEPS = 3

const CASES: Omit<Case, "threads">[] = (["mlp", "conv"] as const).flatMap((ffn) => [
  { B: 1, T: 8, H: 14, W: 14, D: 384, ffn, classes: CLASSES },
  { B: 8, T: 4, H: 7, W: 7, D: 384, ffn, classes: CLASSES },
])

/** scale · sin(0.7 i + letters of the name): numbers that both sides can make. */
function fill(values: Float32Array, name: string, scale: number, base: number): void {
  const offset = [...name].reduce((sum, letter) => sum + letter.charCodeAt(0), 0)
  for (let i = 0; i < values.length; i++) values[i] = Math.fround(Math.sin(i * 0.7 + offset) * scale) + base
}

/** Size and mean of a parameter's first values. */
function firstValues(name: string, shape: Shape): { scale: number; base: number } {
  if (shape.length > 1) return { scale: 1 / Math.sqrt(sizeOf(shape) / shape[shape.length - 1]), base: 0 }
  return { scale: 0.1, base: name.endsWith("scale") ? 1 : 0 }
}

function head({ B, T, H, W, D, ffn, classes }: Case) {
  const scope = new Scope()
  const x = input("x", [B, T, H, W, D])
  const config = modelSchema.parse({ ffn, attention: "joint", blocks: 2 })
  const f = reshape(x, [B, T, H * W, D])
  const { logits } = classify(scope.in("classifier"), f, { T, H, W, D }, classes, config, null)
  const loss = softCrossEntropy(logits, input("targets", [B, classes]))
  return { loss, params: scope.params }
}

/** Our side: every message is a number of steps to take. */
async function serve(spec: Case): Promise<(steps: unknown) => Promise<Answer>> {
  const { loss, params } = head(spec)
  const gradients = grad(
    loss,
    params.map(({ tensor }) => tensor),
  )
  const outputs = Object.fromEntries(params.map(({ name }, i) => [`grad/${name}`, gradients[i]]))
  const session = await Session.compile({ outputs: { loss, ...outputs } }, { threads: spec.threads })
  const optimizer = await AdamW.create(params, { weightDecay: 0.05, threads: spec.threads })
  const weights: Record<string, Float32Array> = {}
  for (const { name, shape } of params) {
    const { scale, base } = firstValues(name, shape)
    weights[name] = optimizer.parameter(name)
    fill(weights[name], name, scale, base)
    session.bind(`grad/${name}`, optimizer.gradientBuffer(name))
  }
  const x = new Float32Array(spec.B * spec.T * spec.H * spec.W * spec.D)
  fill(x, "x", 1, 0)
  const targets = new Float32Array(spec.B * spec.classes)
  for (let b = 0; b < spec.B; b++) targets[b * spec.classes + (b % spec.classes)] = 1
  return async (steps) => {
    const answer: Answer = { times: [], cpu: [], losses: [], peakMiB: 0, library: "ONNX Runtime" }
    for (let step = 0; step < Number(steps); step++) {
      const { value: results, cost } = await timed(async () => {
        const results = await session.run({ ...weights, x, targets })
        await optimizer.step({ learningRate: 1e-4 })
        return results
      })
      answer.losses.push(Number(results.loss[0]))
      answer.times.push(cost.clock)
      answer.cpu.push(cost.processor)
    }
    return { ...answer, peakMiB: peakMemory() / 2 ** 20 }
  }
}

/** A process that was given its case and has taken the first steps. */
async function startSide(command: string, args: readonly string[], spec: object, environment = process.env) {
  const partner = new Partner(command, args, environment)
  partner.tell(spec)
  return { partner, first: await partner.ask(WARMUP_STEPS, answerSchema) }
}

const costsOf = ({ times, cpu }: Answer): Cost[] => times.map((clock, i) => ({ clock, processor: cpu[i] }))

async function compare(rounds: number, python: string, threadCounts: readonly number[]): Promise<void> {
  pythonVersion(python, "torch", "apt-get install python3-torch libopenblas0-pthread")
  const columns = [
    "shape",
    "ffn",
    "threads",
    "fourtier_s",
    "pytorch_s",
    "time_ratio",
    "fourtier_cpu_s",
    "pytorch_cpu_s",
  ]
  const more = ["cpu_ratio", "fourtier_MiB", "pytorch_MiB", "memory_ratio", "max_loss_difference", "pytorch_blas"]
  const peer = ["pytorch_kernel", "pytorch_memory", "pytorch_s_memory_returned"]
  const rateColumns = ["pytorch_matmul_gflops", "fourtier_matmul_gflops"]
  const table = new Table(join(BENCH, "train_step.csv"), [...columns, ...more, ...peer, ...rateColumns])
  const cases = threadCounts.flatMap((threads) => CASES.map((known) => ({ ...known, threads })))
  const settings = new Map(threadCounts.map((threads) => [threads, torchSettings(python, threads, 2)]))
  const rates = new Map<number, number>()
  for (const threads of threadCounts) rates.set(threads, await ownRate(threads))
  for (const spec of cases) {
    const { threads } = spec
    const weights = head(spec).params.map(({ name, shape }) => {
      const { scale, base } = firstValues(name, shape)
      return [name, shape, scale, base]
    })
    const script = join(BENCH, "train_step_torch.py")
    const here = await startSide(process.execPath, [fileURLToPath(import.meta.url), "serve"], spec)
    const theirSide = ({ environment }: Peer) =>
      startSide(python, [script], { ...spec, weights, foreach: false }, environment)
    const { peer: best, asInstalled } = await fastestPeer(settings.get(threads) ?? [], async (peer) => {
      const { partner, first } = await theirSide(peer)
      partner.end()
      return median(first.times.slice(1))
    })
    const there = await theirSide(best)
    const difference = Math.max(...here.first.losses.map((loss, i) => Math.abs(loss - there.first.losses[i])))
    if (difference > 1e-4) throw new Error(`the two sides compute different losses: ${difference}`)
    const sides = [here, there].map(
      ({ partner }) =>
        () =>
          partner.ask(STEPS_A_ROUND, answerSchema),
    )
    const answers = await takeTurns(sides, rounds, 0)
    for (const { partner } of [here, there]) partner.end()
    const [ours, theirs] = answers.map((side) => ({
      ...medianCost(side.flatMap(costsOf)),
      peak: side[side.length - 1].peakMiB,
    }))
    const figures = [
      ...[ours.clock, theirs.clock, ours.clock / theirs.clock],
      ...[ours.processor, theirs.processor, ours.processor / theirs.processor],
      ...[ours.peak, theirs.peak, ours.peak / theirs.peak, difference],
    ].map((figure) => Number(figure.toPrecision(4)))
    const gflops = [best.rate, rates.get(threads) ?? 0].map(Math.round)
    const setting = [[spec.B, spec.T, spec.H, spec.W, spec.D].join("x"), spec.ffn, threads]
    const peerSetting = [there.first.library, best.kernel, best.memory, Number(asInstalled.toPrecision(4))]
    table.add([...setting, ...figures, ...peerSetting, ...gflops])
  }
  await table.write()
}

if (process.argv[2] === "serve") await answerLines(caseSchema, serve)
else {
  const [rounds = "20", python = "/usr/bin/python3", threads = "1,2"] = process.argv.slice(2)
  await compare(Number(rounds), python, threads.split(",").map(Number))
}
