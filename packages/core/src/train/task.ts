/** What a training stage is to the loop. */

import { FourtierError, type Rng } from "@fourtier/tensor"
import type { Param } from "@fourtier/tensor/nn"
import type { AdamW } from "@fourtier/tensor/optim"
import type { ScheduleConfig } from "../schemas/schedule.ts"
import type { Collective } from "./collective.ts"
import type { Metrics } from "./journal.ts"

/**
 * Rows of a batch whose gradients are asked for. Views, mixup and dropout are drawn for the batch as a whole, so that a row is the
 * same in whatever part it is computed, by whichever rank.
 */
export interface BatchPart {
  /** Clips of the whole batch by number, a row each. */
  readonly clips: readonly number[]
  /** Rows `start` to `end` of it, none where they are equal. */
  readonly start: number
  readonly end: number
  /** Random numbers of the batch: all its parts get the same. */
  readonly rng: Rng
  /** Who computes the other rows, where a batch is computed together. */
  readonly collective: Collective
}

/** What a stage is to the loop: its weights, and how to get losses and gradients of a batch. */
export interface TrainTask {
  readonly name: string
  readonly params: readonly Param[]
  /** Training clips. */
  readonly examples: number
  /** Rows of one call of `gradients`, at most. */
  readonly microBatch: number
  /** A batch is a multiple of so many clips, however many processes share it; default: `microBatch`. */
  readonly unit?: number
  /** How often a batch holds each of its clips: repeated augmentation; default 1. */
  readonly repeats?: number
  /**
   * Whether losses compare the rows of a batch with each other: then `microBatch` rows are a batch of their own, which the ranks
   * compute together, and their calls of `gradients` are one.
   */
  readonly joint?: boolean
  /**
   * Writes this part's share of the gradients into `optimizer.gradientBuffer(name)`, that is the sum over its rows divided by
   * `microBatch`; it may accumulate some of it before. Returns named losses, summed and divided the same way; of a joint task those
   * of all rows.
   */
  gradients(part: BatchPart, optimizer: AdamW): Promise<Metrics>
  /**
   * Figures on the validation clips, `score` (larger is better) among them; null when there are none. Those of rank 0 count.
   * @param collective who may look at a share of the clips each
   */
  validate(
    weights: (name: string) => Float32Array,
    collective: Collective,
  ): Promise<(Metrics & { score: number }) | null>
}

/**
 * The batch asked for, or all clips where there are fewer, in whole units of the task.
 * @throws FourtierError when there are fewer clips than one unit
 *
 * @example
 * ```ts
 * import { batchSize } from "@fourtier/core/train"
 *
 * batchSize({ name: "full", examples: 50, microBatch: 16 }, { batch: 64 }) // 48
 * ```
 */
export function batchSize(
  { name, examples, microBatch, unit = microBatch }: Pick<TrainTask, "name" | "examples" | "microBatch" | "unit">,
  { batch }: Pick<ScheduleConfig, "batch">,
): number {
  const most = Math.min(batch, examples)
  if (most < unit) {
    throw new FourtierError({
      where: name,
      what: examples === 0 ? "no clips to train on" : "too few clips to train on",
      expected: `${unit} at least, the size of a batch`,
      found: `${examples} clips, batches of ${batch}`,
    })
  }
  return most - (most % unit)
}

/**
 * The rows of a batch that a rank computes: equally many for every rank, but for the last ones where the batch does not divide.
 *
 * @example
 * ```ts
 * import { rowsOf } from "@fourtier/core/train"
 *
 * rowsOf(10, { rank: 3, size: 4 }) // { start: 9, end: 10 }
 * ```
 */
export function rowsOf(
  rows: number,
  { rank, size }: Pick<Collective, "rank" | "size">,
): { start: number; end: number } {
  const share = Math.ceil(rows / size)
  return { start: Math.min(rows, rank * share), end: Math.min(rows, (rank + 1) * share) }
}

/**
 * Rows of one call of `gradients` where so many processes share a batch: the micro-batch of one process, or less where a rank has
 * fewer rows.
 *
 * @example
 * ```ts
 * import { microBatchOf } from "@fourtier/core/train"
 *
 * microBatchOf({ rows: 64, microBatch: 64, ranks: 4 }) // 16
 * microBatchOf({ rows: 64, microBatch: 24, ranks: 2 }) // 16: two parts of the 32 rows
 * ```
 */
export function microBatchOf(batch: { rows: number; microBatch: number; ranks: number }): number {
  const share = Math.ceil(batch.rows / batch.ranks)
  return Math.ceil(share / Math.ceil(share / batch.microBatch))
}
