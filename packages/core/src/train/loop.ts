/**
 * The training loop of both stages.
 *
 * ```
 * epoch ─ shuffled batches ─ task.gradients ─ (accumulate) ─ AdamW ─ journal ─┐
 *   ▲                                                                         │
 *   └────────── validate ─ keep the best ─ stop early? ─ checkpoint ──────────┘
 * ```
 * Order and random numbers are functions of seed, epoch and step alone: a run that is killed and resumed ends with the same
 * weights, bit for bit, as one that was not; and several processes that share every batch end with those of one, but for the order
 * in which floating-point numbers are added.
 */

import { FourtierError, Rng, type SessionOptions } from "@fourtier/tensor"
import { initialize, type Weights } from "@fourtier/tensor/nn"
import { AdamW, cosineWithWarmup } from "@fourtier/tensor/optim"
import type { ScheduleConfig } from "../schemas/schedule.ts"
import type { Reporter } from "../util/progress.ts"
import type { Checkpoints, Cursor, Restored } from "./checkpoint.ts"
import { alone, type Collective, fromFirst, shareState, UpdateMessage } from "./collective.ts"
import type { Journal, Metrics } from "./journal.ts"
import { batchSize, rowsOf, type TrainTask } from "./task.ts"

export interface LoopOptions {
  schedule: ScheduleConfig
  seed: number
  /** First values instead of fresh ones, by name. */
  start?: Weights
  /** Where training can go on from; default: it always starts anew. */
  checkpoints?: Checkpoints
  journal?: Journal
  reporter: Reporter
  /**
   * The processes that train together; default: this one alone. Checkpoints, journal and first values are rank 0's; the others
   * follow it.
   */
  collective?: Collective
  /** Device and threads of the optimiser. */
  runtime?: SessionOptions
  signal?: AbortSignal
}

export interface Trained {
  weights: Weights
  /** Updates done, and the one whose weights are kept. */
  steps: number
  keptStep: number
  /** The kept validation's score. */
  score: number | null
}

/**
 * Trains a task to its end, or to an early stop, going on from a checkpoint where there is one.
 *
 * @example
 * ```ts
 * import { silent } from "@fourtier/core"
 * import { scheduleSchema } from "@fourtier/core/schemas"
 * import { type TrainTask, train } from "@fourtier/core/train"
 *
 * async function weightsOf(task: TrainTask) {
 *   const schedule = scheduleSchema.parse({ epochs: 50, batch: 16, learningRate: 1e-3, patience: 5 })
 *   return (await train(task, { schedule, seed: 0, reporter: silent })).weights
 * }
 * ```
 */
export async function train(task: TrainTask, options: LoopOptions): Promise<Trained> {
  const { schedule, seed, checkpoints, journal } = options
  const { beta1, beta2, weightDecay } = schedule
  const optimizer = await AdamW.create(task.params, { beta1, beta2, weightDecay, ...options.runtime })
  try {
    const fresh = initialize(task.params, (name) => Rng.fork(seed, task.name, "init", name))
    for (const [name, values] of fresh) optimizer.parameter(name).set(options.start?.get(name) ?? values)
    const restored = (await checkpoints?.restore(optimizer)) ?? null
    await journal?.rewind(restored?.step ?? 0)
    return await run(task, options, optimizer, restored)
  } finally {
    await optimizer.release()
  }
}

const START: Restored = { step: 0, finished: false, best: null, bestWeights: null }

async function run(
  task: TrainTask,
  options: LoopOptions,
  optimizer: AdamW,
  restored: Restored | null,
): Promise<Trained> {
  const { schedule, seed, checkpoints, journal, signal, collective = alone } = options
  const batch = batchSize(task, schedule)
  const perEpoch = Math.floor(task.examples / batch)
  const steps = Math.max(schedule.minUpdates, Math.round(schedule.epochs * perEpoch), schedule.epochs > 0 ? 1 : 0)
  const warmup = schedule.epochs > 0 ? Math.round(steps * Math.min(0.5, schedule.warmupEpochs / schedule.epochs)) : 0
  const micro = task.microBatch
  const repeats = task.repeats ?? 1
  const { bestWeights: restoredBest, ...position } = restored ?? START
  const cursor: Cursor = await fromFirst(collective, position)
  await shareState(collective, optimizer, cursor.step)
  const message = new UpdateMessage(collective)
  let bestWeights = restoredBest
  let saved = performance.now()
  /** Between two micro-batches nothing of the update has been done yet. */
  const stop = async () => {
    await checkpoints?.save(cursor, optimizer, bestWeights)
    signal?.throwIfAborted()
    throw new DOMException("another process of this training was stopped", "AbortError")
  }
  const progress = steps > cursor.step ? options.reporter.task(task.name, steps - cursor.step, "updates") : null

  while (cursor.step < steps && !cursor.finished) {
    const epoch = Math.floor(cursor.step / perEpoch)
    const order = Rng.fork(seed, task.name, "order", epoch).shuffle([...Array(task.examples).keys()])
    const at = (cursor.step % perEpoch) * batch
    const rows = order.slice(at, at + batch).flatMap((clip) => new Array<number>(repeats).fill(clip))
    const random = Rng.fork(seed, task.name, "step", cursor.step).state
    const losses: Metrics = {}
    const parts = partsOf(rows, task, collective)
    for (const { counted, ...part } of parts) {
      if (signal?.aborted && collective.size === 1) await stop()
      const found = await task.gradients({ ...part, rng: Rng.from(random), collective }, optimizer)
      for (const [name, value] of Object.entries(found)) {
        losses[name] = (losses[name] ?? 0) + (counted ? (value * micro) / rows.length : 0)
      }
      if (parts.length > 1 || optimizer.accumulated > 0) await optimizer.accumulate(1)
    }
    const stopping = await message.combine(optimizer, losses, signal?.aborted ?? false)
    checkFinite(task, cursor.step, losses)
    const learningRate = cosineWithWarmup(cursor.step, { peak: schedule.learningRate, warmup, steps })
    const clipNorm = schedule.clipNorm ?? undefined
    await optimizer.step({ learningRate, clipNorm, weight: rows.length / micro })
    cursor.step++
    journal?.write(cursor.step, epoch, "train", { learningRate, ...losses })
    progress?.tick(1, `loss ${losses.loss.toFixed(3)}`)

    const epochEnds = cursor.step % perEpoch === 0
    if ((epochEnds && (epoch + 1) % schedule.validateEvery === 0) || cursor.step === steps) {
      const figures = await fromFirst(collective, await task.validate((name) => optimizer.parameter(name), collective))
      if (figures) {
        journal?.write(cursor.step, epoch, "val", figures)
        if (cursor.best === null || figures.score > cursor.best.score) {
          cursor.best = { score: figures.score, step: cursor.step, stale: 0 }
          bestWeights = collective.rank === 0 ? copyWeights(task, optimizer) : null
        } else {
          cursor.best = { ...cursor.best, stale: cursor.best.stale + 1 }
          cursor.finished = schedule.patience !== null && cursor.best.stale >= schedule.patience
        }
      }
    }
    const due = performance.now() - saved >= schedule.checkpointSeconds * 1000
    if (checkpoints && (due || cursor.finished || cursor.step === steps)) {
      await checkpoints.save(cursor, optimizer, bestWeights)
      saved = performance.now()
    }
    if (collective.size > 1 ? stopping : signal?.aborted) await stop()
  }
  progress?.done()
  return {
    weights: bestWeights ?? copyWeights(task, optimizer),
    steps: cursor.step,
    keptStep: cursor.best?.step ?? cursor.step,
    score: cursor.best?.score ?? null,
  }
}

/** What this rank computes of a batch, one call after another; `counted`: whether the losses it returns are of rows of its own. */
function partsOf(rows: readonly number[], { microBatch, joint }: TrainTask, collective: Collective) {
  if (joint) {
    return Array.from({ length: rows.length / microBatch }, (_, group) => {
      const clips = rows.slice(group * microBatch, (group + 1) * microBatch)
      return { clips, ...rowsOf(microBatch, collective), counted: collective.rank === 0 }
    })
  }
  const { start, end } = rowsOf(rows.length, collective)
  // a rank without rows is asked for its part as well: for none
  return Array.from({ length: Math.max(1, Math.ceil((end - start) / microBatch)) }, (_, part) => {
    const first = start + part * microBatch
    return { clips: rows, start: first, end: Math.min(end, first + microBatch), counted: true }
  })
}

function copyWeights(task: TrainTask, optimizer: AdamW): Weights {
  return new Map(task.params.map(({ name }) => [name, optimizer.parameter(name).slice()]))
}

function checkFinite(task: TrainTask, step: number, losses: Metrics): void {
  if (Object.values(losses).every(Number.isFinite)) return
  throw new FourtierError({
    where: `${task.name}, update ${step + 1}`,
    what: "the loss is not a number",
    found: JSON.stringify(losses),
    fix: "lower learningRate, or set clipNorm",
  })
}
