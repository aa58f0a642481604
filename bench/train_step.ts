/**
 * A training step of the head (two pre-norm blocks with joint attention, then the classifier) beside the same in PyTorch:
 * forward, backward and AdamW update. The two take turns in one run, so that a busy machine slows both.
 *
 * Debian's python3-torch takes its matrix products from libblas3; with libopenblas0 beside it (installed, or its folder in
 * LD_LIBRARY_PATH) it is thirty times faster, and only then is the comparison fair.
 *
 *     npx tsc -p bench/tsconfig.json && node .fourtier/bench/bench/train_step.js [rounds] [python] [threads]
 *
 * Writes bench/train_step.csv: median seconds a step of each, on the clock and of the processors (which counts where
 * the machine is shared), their ratios, and the peak resident memory of each process.
 */

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { classify, modelSchema } from "@fourtier/core/model"
import { softCrossEntropy } from "@fourtier/core/objective"
import { AdamW, grad, input, reshape, Session, type Shape, sizeOf } from "@fourtier/tensor"
import { Scope } from "@fourtier/tensor/nn"
import { z } from "zod"

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
  const logits = classify(scope.in("classifier"), f, { T, H, W, D }, classes, config, null)
  const loss = softCrossEntropy(logits, input("targets", [B, classes]))
  return { loss, params: scope.params }
}

/** Answers requests on standard input: so many steps. */
async function serve(): Promise<void> {
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
  const first = await lines.next()
  const spec = caseSchema.parse(JSON.parse(String(first.value)))
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
  for (let line = await lines.next(); !line.done; line = await lines.next()) {
    const times: number[] = []
    const cpu: number[] = []
    const losses: number[] = []
    for (let step = 0; step < Number(line.value); step++) {
      const start = performance.now()
      const busy = process.cpuUsage()
      const results = await session.run({ ...weights, x, targets })
      await optimizer.step({ learningRate: 1e-4 })
      losses.push(Number(results.loss[0]))
      times.push((performance.now() - start) / 1000)
      const used = process.cpuUsage(busy)
      cpu.push((used.user + used.system) / 1e6)
    }
    console.log(
      JSON.stringify({ times, cpu, losses, peakMiB: process.resourceUsage().maxRSS / 1024, library: "ONNX Runtime" }),
    )
  }
}

class Side {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #lines: AsyncIterator<string>
  readonly times: number[] = []
  readonly cpu: number[] = []
  peakMiB = 0

  constructor(command: string, args: readonly string[], spec: object, environment: NodeJS.ProcessEnv = process.env) {
    this.#child = spawn(command, args, { env: environment })
    this.#child.stderr.pipe(process.stderr)
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
    this.#child.stdin.write(`${JSON.stringify(spec)}\n`)
  }

  async steps(count: number): Promise<Answer> {
    this.#child.stdin.write(`${count}\n`)
    const line = await this.#lines.next()
    return answerSchema.parse(JSON.parse(String(line.value)))
  }

  async measure(count: number): Promise<void> {
    const { times, cpu, peakMiB } = await this.steps(count)
    this.times.push(...times)
    this.cpu.push(...cpu)
    this.peakMiB = peakMiB
  }

  end(): void {
    this.#child.stdin.end()
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length / 2
  return (sorted[Math.ceil(middle) - 1] + sorted[Math.floor(middle)]) / 2
}

async function compare(rounds: number, python: string, threads: number): Promise<void> {
  const here = fileURLToPath(import.meta.url)
  const bench = join(process.cwd(), "bench")
  // a forced core type would keep OpenBLAS from using what the machine has
  const { OPENBLAS_CORETYPE: _, ...environment } = process.env
  const rows = [
    "shape,ffn,threads,fourtier_s,pytorch_s,time_ratio,fourtier_cpu_s,pytorch_cpu_s,cpu_ratio,fourtier_MiB,pytorch_MiB,memory_ratio,max_loss_difference,pytorch_blas",
  ]
  console.log(rows[0])
  for (const known of CASES) {
    const spec = { ...known, threads }
    const weights = head(spec).params.map(({ name, shape }) => {
      const { scale, base } = firstValues(name, shape)
      return [name, shape, scale, base]
    })
    const ours = new Side(process.execPath, [here, "serve"], spec)
    const theirs = new Side(
      python,
      [join(bench, "train_step_torch.py")],
      { ...spec, weights, foreach: false },
      environment,
    )
    const warm = [await ours.steps(3), await theirs.steps(3)]
    const difference = Math.max(...warm[0].losses.map((loss, i) => Math.abs(loss - warm[1].losses[i])))
    if (difference > 1e-4) throw new Error(`the two sides compute different losses: ${difference}`)
    for (let round = 0; round < rounds; round++) {
      await ours.measure(2)
      await theirs.measure(2)
    }
    ours.end()
    theirs.end()
    const [a, b] = [median(ours.times), median(theirs.times)]
    const shape = [spec.B, spec.T, spec.H, spec.W, spec.D].join("x")
    const [c, d] = [median(ours.cpu), median(theirs.cpu)]
    const figures = [a, b, a / b, c, d, c / d, ours.peakMiB, theirs.peakMiB, ours.peakMiB / theirs.peakMiB, difference]
    const rounded = figures.map((figure) => Number(figure.toPrecision(4)))
    rows.push([shape, spec.ffn, spec.threads, ...rounded, warm[1].library].join(","))
    console.log(rows[rows.length - 1])
  }
  await writeFile(join(bench, "train_step.csv"), `${rows.join("\n")}\n`)
}

if (process.argv[2] === "serve") await serve()
else {
  const [rounds = "20", python = "/usr/bin/python3", threads = "2"] = process.argv.slice(2)
  await compare(Number(rounds), python, Number(threads))
}
