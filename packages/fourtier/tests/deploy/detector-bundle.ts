/** A bundle of action detection that is small enough for tests: what it answers is arbitrary, and depends on frames and boxes. */

import { silent } from "@fourtier/core"
import { placesOf, regionMethod, regionsOnRawMap } from "@fourtier/core/model"
import { modelSchema } from "@fourtier/core/schemas"
import { input, Rng } from "@fourtier/tensor"
import { initialize } from "@fourtier/tensor/nn"
import { exportDetector } from "../../src/deploy/export-detector.ts"
import { quarters, SIDE, T } from "./fixtures.ts"

/** Its classes. */
export const ACTIONS = [
  { id: 12, name: "stand" },
  { id: 14, name: "walk" },
  { id: 80, name: "watch (a person)" },
]

/** Writes it to a folder. */
export async function writeDetectorBundle(folder: string): Promise<void> {
  const model = modelSchema.parse({ headWidth: 3, blocks: 1 })
  const build = regionMethod("baseline", { prompts: [], model, textWidth: 0 })
  const network = { width: null, pool: model.pool, build }
  const spec = { ...network, size: quarters.size, classes: ACTIONS.length }
  const built = regionsOnRawMap(input("m", [1, T, placesOf(spec.size), 3]), input("boxes", [1, 2, 4]), spec, null)
  const weights = initialize([...built.trained, ...built.frozen], (name) => Rng.fork(3, name))
  for (const [name, values] of weights) {
    if (name.endsWith("linear.weight"))
      weights.set(
        name,
        values.map((_, i) => 2 * Math.sin(3 * i)),
      )
  }
  await exportDetector({
    ...{ folder, encoder: quarters, window: 1, classes: ACTIONS, network, weights },
    recipe: {
      sampling: { kind: "segments", frames: T, clips: 1 },
      steps: [{ step: "letterbox", size: SIDE, fill: [0, 0, 0] }],
    },
    provenance: {
      ...{ fourtier: "0.0.0", created: "2026-01-01T00:00:00Z", method: "baseline", prompts: [], config: "made up" },
      ...{ encoder: { name: quarters.name, id: quarters.id }, seed: 0, keyFrames: 1, people: 2 },
    },
    ...{ quality: null, expected: [], reporter: silent },
  })
}
