/**
 * The space that the image tower and the text tower of one model share.
 *
 * ```
 * clip  ─ image tower ─ rows [R,E] ─┐
 *                                   ├─ logits [C]: how well each class's text fits the clip
 * class ─ text tower ─ [E] ─────────┘
 * ```
 * Row 0 is the clip's embedding of length 1. X-CLIP has further rows: its texts are prompted by the clip's patches.
 */

import { exp, matmul, mean, mul, narrow, reshape, type Tensor } from "@fourtier/tensor"
import { normalised } from "./blocks.ts"
import type { WeightBinder } from "./weight-binder.ts"

/** Pairs of towers: the setting `text.encoder` that chooses the text tower. */
export type JointTower = "clip" | "siglip" | "xclip" | "pe_core"

/** Names the space: equal for the two towers of one file of weights, and for nothing else. @param weights their identity */
export function jointSpace(tower: JointTower, weights: string): string {
  return `${tower} ${weights}`
}

/** Embeddings [B,E] of frames in their clips' order, as one row of each clip: [B/T,1,E], of length 1. */
export function frameMean(frames: Tensor, T: number): Tensor {
  const [rows, width] = frames.shape
  return normalised(mean(reshape(normalised(frames), [rows / T, T, width]), 1, true))
}

/** Cosines of row 0 of clips [B,R,E] with texts [C,E] over the temperature: [B,C] */
export function cosineLogits(binder: WeightBinder, rows: Tensor, texts: Tensor): Tensor {
  const [B, , width] = rows.shape
  const clips = normalised(reshape(narrow(rows, 1, 0, 1), [B, width]))
  const cosines = matmul(clips, normalised(texts), { transposeB: true })
  return binder.has("logit_scale") ? mul(cosines, exp(binder.weight("logit_scale", []))) : cosines
}
