/** Weights and multiply–adds of the head, part by part. */

import { type Flops, input, multiplyAdds, type Tensor } from "@fourtier/tensor"
import type { Param } from "@fourtier/tensor/nn"
import type { ModelConfig } from "../schemas/model.ts"
import { buildHead } from "./head.ts"
import { type MapSize, placesOf } from "./map.ts"
import { poolMap } from "./pooling.ts"
import { buildProcessors } from "./processor.ts"

const weightsOf = (params: readonly Param[]) => params.reduce((sum, { tensor }) => sum + tensor.size, 0)

/**
 * The head's parts for one clip.
 * @param textWidth Dt, the width of processors of the text space
 *
 * @example
 * ```ts
 * import { countHeadFlops } from "@fourtier/core/model"
 * import { modelSchema } from "@fourtier/core/schemas"
 *
 * const parts = countHeadFlops({ T: 8, H: 6, W: 6, D: 64 }, 12, ["A", "B", "C", "D"], modelSchema.parse({}), 512)
 * parts[0] // { part: "processors", weights: 33_280, macs: … }
 * ```
 */
export function countHeadFlops(
  size: MapSize,
  classes: number,
  prompts: readonly string[],
  config: ModelConfig,
  textWidth: number,
): Flops[] {
  const m = input("m", [1, size.T, placesOf(size), size.D])
  const processors = buildProcessors(poolMap(m, config.pool), prompts, config, textWidth)
  const head = buildHead(m, processors.values, size, classes, config)
  const counted = new Set<Tensor>()
  const integration = head.trained.filter(({ name }) => name.startsWith("integration."))
  const linear = head.trained.filter(({ name }) => name.startsWith("classifier.linear."))
  const blocks = head.trained.filter((param) => !integration.includes(param) && !linear.includes(param))
  const lastBlock = head.logits.inputs[0].inputs[0]
  return [
    {
      part: "processors",
      weights: weightsOf(processors.params),
      macs: multiplyAdds([...processors.values.values()], counted),
    },
    { part: "integration", weights: weightsOf(integration), macs: multiplyAdds([head.fused], counted) },
    { part: "blocks", weights: weightsOf(blocks), macs: multiplyAdds([lastBlock], counted) },
    { part: "classifier", weights: weightsOf(linear), macs: multiplyAdds([head.logits], counted) },
  ]
}
