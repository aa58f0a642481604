/**
 * Where the gradients of several processes meet. Each rank trains on its share of every batch; between gradients and update, the
 * loop replaces the gradient by its mean over all ranks, so that every rank makes the same update.
 *
 * ```
 * rank 0: first part of the batch ─ gradients ─┐               ┌─ AdamW ─► same weights
 *                                              ├─ mean, in place
 * rank 1: second part of the batch ─ gradients ┘               └─ AdamW ─► same weights
 * ```
 */

import type { AdamW } from "@fourtier/tensor/optim"
import type { Metrics } from "./journal.ts"

export interface Collective {
  /** This process, from 0. */
  readonly rank: number
  /** Processes in all. */
  readonly size: number
  /** Replaces `values` by their mean over all ranks, in place. Every rank calls it equally often, with arrays of one length. */
  mean(values: Float32Array): Promise<void>
}

/** One process by itself: its gradient is the mean already. */
export const alone: Collective = { rank: 0, size: 1, mean: async () => {} }

/**
 * Gradients and losses become their means over all ranks.
 *
 * @example
 * ```ts
 * import { alone, combineGradients } from "@fourtier/core/train"
 * import { AdamW } from "@fourtier/tensor/optim"
 *
 * const optimizer = await AdamW.create([{ name: "w", shape: [2, 2], decay: true }])
 * await combineGradients(alone, optimizer, { loss: 0.7 }) // one process: nothing changes
 * await optimizer.release()
 * ```
 */
export async function combineGradients(collective: Collective, optimizer: AdamW, losses: Metrics): Promise<void> {
  if (collective.size === 1) return
  const means = Float32Array.from(Object.values(losses))
  await collective.mean(optimizer.pendingGradient)
  await collective.mean(means)
  for (const [i, name] of Object.keys(losses).entries()) losses[name] = means[i]
}
