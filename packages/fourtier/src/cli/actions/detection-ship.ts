/** A trained detector becomes a bundle. */

import { plural, type Reporter } from "@fourtier/core"
import type { ViewRecipe } from "@fourtier/core/frames"
import type { SessionOptions } from "@fourtier/tensor"
import type { Config } from "../../config.ts"
import { exportDetector } from "../../deploy/export-detector.ts"
import type { PromptSet } from "../../describe/prompts.ts"
import { type Comparison, type Detector, learnsWords } from "../../detection/compare.ts"
import type { ActionClass } from "../../detection/data.ts"
import type { VisualEncoder } from "../../encoders/encoder.ts"
import { hashOf } from "../../requirements.ts"
import { version } from "../../util/version.ts"

/** What is shipped: the first of these that was trained. The control is not. */
const SHIPPED: readonly Detector[] = ["full", "baseline", "attentive-probe", "linear-probe"]

/** Exports a method as it was trained with the first seed, and proves it on key frames that it was not trained on. */
export async function shipDetector(
  folder: string,
  { models, scores, trained }: Comparison,
  about: {
    encoder: VisualEncoder
    recipe: Pick<ViewRecipe, "sampling" | "steps">
    window: number
    classes: readonly ActionClass[]
    prompts: PromptSet["prompts"]
    config: Config
    runtime: SessionOptions
    reporter: Reporter
  },
): Promise<void> {
  const { encoder, recipe, window, classes, prompts, config, runtime, reporter } = about
  const method = SHIPPED.find((name) => models.has(name))
  const model = method && models.get(method)
  if (!model) {
    reporter.warn("no method was trained that can be shipped, so there is no bundle")
    return
  }
  const score = scores.find((one) => one.method === method && one.boxes === "true")
  const seeds = plural(config.seeds, "seed")
  const { parity } = await exportDetector({
    ...{ folder, encoder, recipe, window, classes, network: model.network, weights: model.weights },
    provenance: {
      fourtier: version,
      created: new Date().toISOString(),
      method,
      encoder: { name: encoder.name, id: encoder.id },
      prompts: learnsWords(method) ? prompts.map(({ id, text }) => ({ id, text })) : [],
      config: hashOf(config),
      seed: model.seed,
      keyFrames: trained.clips,
      people: trained.people,
    },
    quality: score
      ? {
          on: `${score.part}, true boxes, ${seeds}`,
          meanAveragePrecision: score.meanAveragePrecision.value,
          low: score.meanAveragePrecision.low,
          high: score.meanAveragePrecision.high,
        }
      : null,
    ...{ expected: model.expected, reporter, runtime },
  })
  const matches = `matches the trainer within ${parity.largestDifference.toExponential(1)}`
  reporter.say(`bundle (${method}): ${folder}, ${matches}`)
}
