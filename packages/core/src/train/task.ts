/** What a training stage is to the loop. */

import { FourtierError, type Rng } from "@fourtier/tensor"
import type { Param } from "@fourtier/tensor/nn"
import type { AdamW } from "@fourtier/tensor/optim"
import type { ScheduleConfig } from "../schemas/schedule.ts"
import type { Metrics } from "./journal.ts"

/** What a stage is to the loop: its weights, and how to get losses and gradients of a batch. */
export interface TrainTask {
  readonly name: string
  readonly params: readonly Param[]
  /** Training clips. */
  readonly examples: number
  /** Clips of one call of `gradients`: a divisor of the batch. */
  readonly microBatch: number
  /** How often a batch holds each of its clips: repeated augmentation; default 1. */
  readonly repeats?: number
  /** Writes gradients into `optimizer.gradientBuffer(name)` for the clips numbered `batch`; returns named losses. */
  gradients(batch: readonly number[], rng: Rng, optimizer: AdamW): Promise<Metrics>
  /** Figures on the validation clips, `score` (larger is better) among them; null when there are none. */
  validate(weights: (name: string) => Float32Array): Promise<(Metrics & { score: number }) | null>
}

/**
 * The batch asked for, or all clips where there are fewer, in whole micro-batches of every rank.
 * @throws FourtierError when there are fewer clips than one micro-batch, whose size is compiled in
 *
 * @example
 * ```ts
 * import { batchSize } from "@fourtier/core/train"
 *
 * batchSize({ name: "full", examples: 50, microBatch: 16 }, { batch: 64 }) // 48
 * ```
 */
export function batchSize(
  { name, examples, microBatch }: Pick<TrainTask, "name" | "examples" | "microBatch">,
  { batch }: Pick<ScheduleConfig, "batch">,
  ranks = 1,
): number {
  const most = Math.min(batch, examples)
  const least = microBatch * ranks
  if (most < least) {
    throw new FourtierError({
      where: name,
      what: examples === 0 ? "no clips to train on" : "too few clips to train on",
      expected: `${least} at least, the size of a batch`,
      found: `${examples} clips, batches of ${batch}`,
    })
  }
  return most - (most % least)
}
