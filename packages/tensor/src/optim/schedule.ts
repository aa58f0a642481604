/** Learning rates as pure functions of the step: nothing to store, nothing to resume. */

import { FourtierError } from "../errors.ts"

export interface CosineSchedule {
  /** Learning rate at the end of the warm-up. */
  peak: number
  /** Steps of linear rise from near zero; default 0. */
  warmup?: number
  /** Steps in all; later steps keep `final`. */
  steps: number
  /** Learning rate at the end; default 0. */
  final?: number
}

/**
 * Linear warm-up, then half a cosine (Loshchilov & Hutter 2017).
 *
 * @param step from 0. Step `warmup - 1` has the peak rate; step `steps` would have the final one.
 *
 * @example
 * ```ts
 * import { cosineWithWarmup } from "@fourtier/tensor/optim"
 *
 * const schedule = { peak: 1e-3, warmup: 10, steps: 100 }
 * cosineWithWarmup(0, schedule) // 1e-4
 * cosineWithWarmup(9, schedule) // 1e-3
 * cosineWithWarmup(55, schedule) // 5e-4
 * ```
 */
export function cosineWithWarmup(step: number, { peak, warmup = 0, steps, final = 0 }: CosineSchedule): number {
  if (!(warmup >= 0 && steps > 0 && warmup <= steps)) {
    throw new FourtierError({
      where: "learning rate schedule",
      what: "warm-up does not fit",
      expected: "0 <= warmup <= steps and steps > 0",
      found: `warmup ${warmup}, steps ${steps}`,
    })
  }
  if (step < warmup) return (peak * (step + 1)) / warmup
  const progress = Math.min(1, (step - warmup) / Math.max(1, steps - warmup))
  return final + (peak - final) * 0.5 * (1 + Math.cos(Math.PI * progress))
}
