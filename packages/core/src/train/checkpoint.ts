/**
 * Checkpoints: everything that training needs to go on as if it had never stopped. Random numbers are functions of seed and
 * step, so the step is the only cursor. `@fourtier/core/node` keeps them in files.
 */

import type { Weights } from "@fourtier/tensor/nn"
import type { AdamW } from "@fourtier/tensor/optim"

/** Where training stands. */
export interface Cursor {
  /** Updates done. */
  step: number
  finished: boolean
  /** The best validation so far, and how many came after it. */
  best: { score: number; step: number; stale: number } | null
}

export interface Restored extends Cursor {
  /** Weights of the best validation. */
  bestWeights: Weights | null
}

/** Keeps the checkpoint of one training. */
export interface Checkpoints {
  /** Restores the optimiser; null when there is nothing to go on from. */
  restore(optimizer: AdamW): Promise<Restored | null>
  /** Replaces what was kept: cursor, weights, moments and the best weights. */
  save(cursor: Cursor, optimizer: AdamW, bestWeights: Weights | null): Promise<void>
}
