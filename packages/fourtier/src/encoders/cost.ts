/** What a network costs on one view of a clip: the encoder, and the head of a method behind it. */

import { countHeadFlops, type Method, methodNamed } from "@fourtier/core/model"
import type { ModelConfig } from "@fourtier/core/schemas"
import type { Flops } from "@fourtier/tensor"
import type { VisualEncoder } from "./encoder.ts"

export interface HeadCost {
  classes: number
  prompts: readonly string[]
  model: ModelConfig
  /** Dt; 0 where the network does not depend on it. */
  textWidth: number
}

/**
 * Weights and multiply-adds of the head, part by part.
 *
 * @example
 * ```ts
 * import { modelSchema } from "@fourtier/core/schemas"
 * import { encoderSchema, headCost, openVisualEncoder } from "fourtier/encoders"
 *
 * const encoder = await openVisualEncoder(encoderSchema.parse({ kind: "movenet" }))
 * const parts = headCost(encoder, { classes: 10, prompts: ["A"], model: modelSchema.parse({}), textWidth: 512 })
 * parts.map(({ part, macs }) => [part, macs])
 * ```
 */
export function headCost({ size }: VisualEncoder, { classes, prompts, model, textWidth }: HeadCost): Flops[] {
  return countHeadFlops({ ...size, D: model.width ?? size.D }, classes, prompts, model, textWidth)
}

/**
 * Weights and multiply-adds of encoder and head for one view. The encoder counts as a whole where that is known: as it was published,
 * without its classification layer; else the part that the map needs.
 *
 * @returns null for methods whose head is none of the paper's: the probes
 *
 * @example
 * ```ts
 * import { modelSchema } from "@fourtier/core/schemas"
 * import { costOfView, encoderSchema, openVisualEncoder } from "fourtier/encoders"
 *
 * const encoder = await openVisualEncoder(encoderSchema.parse({ kind: "movenet" }))
 * const head = { classes: 10, prompts: ["A"], model: modelSchema.parse({}), textWidth: 512 }
 * const views = 4 * 3
 * const tflops = (views * ((await costOfView(encoder, "full", head))?.macs ?? 0)) / 1e12
 * ```
 */
export async function costOfView(
  encoder: VisualEncoder,
  method: Method,
  head: HeadCost,
): Promise<{ weights: number; macs: number } | null> {
  const { aligned, trainedBy } = methodNamed(method)
  if (trainedBy !== "finetune") return null
  const parts = [
    await (encoder.whole ?? encoder.flops)(),
    ...headCost(encoder, { ...head, prompts: aligned ? head.prompts : [] }),
  ]
  return {
    weights: parts.reduce((sum, { weights }) => sum + weights, 0),
    macs: parts.reduce((sum, { macs }) => sum + macs, 0),
  }
}
