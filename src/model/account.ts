/** Weights and multiply–adds of the head, part by part. */

import { type Account, multiplyAdds } from "../tensor/account.ts"
import type { Param } from "../tensor/nn/params.ts"
import { input, type Tensor } from "../tensor/tensor.ts"
import { type MapSize, type ModelConfig, placesOf } from "./config.ts"
import { buildHead } from "./recognizer.ts"

const weightsOf = (params: readonly Param[]) => params.reduce((sum, { tensor }) => sum + tensor.size, 0)

/** The head's parts for one clip. */
export function accountHead(
  size: MapSize,
  classes: number,
  prompts: readonly string[],
  config: ModelConfig,
): Account[] {
  const m = input("m", [1, size.T, placesOf(size), size.D])
  const head = buildHead(m, size, classes, prompts, config)
  const counted = new Set<Tensor>()
  const integration = head.trained.filter(({ name }) => name.startsWith("integration."))
  const linear = head.trained.filter(({ name }) => name.startsWith("classifier.linear."))
  const blocks = head.trained.filter((param) => !integration.includes(param) && !linear.includes(param))
  const lastBlock = head.logits.inputs[0].inputs[0]
  return [
    { part: "processors", weights: weightsOf(head.processors), macs: multiplyAdds([...head.values.values()], counted) },
    { part: "integration", weights: weightsOf(integration), macs: multiplyAdds([head.fused], counted) },
    { part: "blocks", weights: weightsOf(blocks), macs: multiplyAdds([lastBlock], counted) },
    { part: "classifier", weights: weightsOf(linear), macs: multiplyAdds([head.logits], counted) },
  ]
}
