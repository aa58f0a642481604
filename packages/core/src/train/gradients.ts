/** Gradient buffers of an optimiser, by the names of its parameters. */

import type { AdamW } from "@fourtier/tensor/optim"

/** Sets gradients to zero: of parameters that a part of a batch has no share in. */
export function clearGradients(optimizer: AdamW, params: readonly { name: string }[]): void {
  for (const { name } of params) optimizer.gradientBuffer(name).fill(0)
}
