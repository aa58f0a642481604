/**
 * Several views of one clip as the field counts them: temporal clips × spatial crops, 4×3 for example (Table 1 of the paper).
 * Their softmax outputs are averaged.
 */

import { FourtierError } from "@fourtier/tensor"
import type { Sampling } from "../schemas/sampling.ts"
import { CROPS, type Crops, type Step } from "../schemas/transform.ts"
import { viewsOf } from "./transform.ts"
import { transformOf } from "./views.ts"

export interface ViewGrid {
  /** Temporal views. */
  clips: number
  crops: Crops
}

/** Which frames, and how they become the network's input: what a `ViewRecipe` and a bundle have in common. */
export interface FixedViews {
  sampling: Sampling
  steps: readonly Step[]
}

/**
 * Reads "4x3" or "4×3".
 * @param where names the setting or option in errors
 * @throws FourtierError for anything else
 *
 * @example
 * ```ts
 * import { parseViewGrid } from "@fourtier/core/frames"
 *
 * parseViewGrid("4x3", "--views") // { clips: 4, crops: 3 }
 * ```
 */
export function parseViewGrid(text: string, where: string): ViewGrid {
  const [, clips, crops] = /^\s*(\d+)\s*[x×]\s*(\d+)\s*$/i.exec(text) ?? []
  const known = CROPS.find((count) => count === Number(crops))
  if (known !== undefined && Number(clips) >= 1) return { clips: Number(clips), crops: known }
  throw new FourtierError({
    where,
    what: "not a number of views",
    expected: `temporal clips x spatial crops, such as 4x3; crops are ${CROPS.join(", ")}`,
    found: text,
  })
}

/**
 * The views that fixed steps make: temporal clips, and views of each.
 *
 * @example
 * ```ts
 * import { countViews } from "@fourtier/core/frames"
 *
 * const sampling = { kind: "segments" as const, frames: 8, clips: 4 }
 * countViews({ sampling, steps: [{ step: "crop", size: 224, views: "three" }] }) // { clips: 4, crops: 3 }
 * ```
 */
export function countViews({ sampling, steps }: FixedViews): { clips: number; crops: number } {
  return { clips: sampling.clips, crops: viewsOf(transformOf(steps)) }
}

const CROP_VIEWS = { 1: "center", 3: "three", 10: "ten" } as const

/**
 * The same with other numbers of views.
 * @param where names the setting or option in errors
 * @throws FourtierError where several crops are wanted and no step cuts any
 *
 * @example
 * ```ts
 * import { withViewGrid } from "@fourtier/core/frames"
 *
 * const sampling = { kind: "segments" as const, frames: 8, clips: 1 }
 * const views = { sampling, steps: [{ step: "crop" as const, size: 224, views: "center" as const }] }
 * withViewGrid(views, { clips: 4, crops: 3 }, "--views").sampling.clips // 4
 * ```
 */
export function withViewGrid<V extends FixedViews>(views: V, { clips, crops }: ViewGrid, where: string): V {
  const cuts = views.steps.some(({ step }) => step === "crop")
  if (!cuts && crops > 1) {
    throw new FourtierError({
      where,
      what: `${crops} crops are wanted, but no step of the views cuts any`,
      found: views.steps.map(({ step }) => step).join(", ") || "no steps",
      fix: `ask for one crop (${clips}x1), or let the test steps end with a crop, as in --preset paper`,
    })
  }
  const steps = views.steps.map((step): Step => (step.step === "crop" ? { ...step, views: CROP_VIEWS[crops] } : step))
  return { ...views, sampling: { ...views.sampling, clips }, steps }
}

/**
 * Numbers of fixed views that are the same in every grid: views at one place in time have one number however many are looked at,
 * so that 9×3 takes over what 3×3 has, and 3×3 what 1×3 has. With one temporal view they count from 0.
 *
 * @example
 * ```ts
 * import { viewNumbers } from "@fourtier/core/frames"
 *
 * const grid = (clips: number) => viewNumbers({ sampling: { kind: "segments", frames: 8, clips }, steps: [] })
 * grid(1) // [0]
 * grid(3).includes(0) // true: the view from the middle
 * ```
 */
export function viewNumbers({ sampling, steps }: FixedViews): number[] {
  const { clips, crops } = countViews({ sampling, steps })
  return Array.from({ length: clips }, (_, clip) => placeNumber(...placeOf(clip, sampling))).flatMap((place) =>
    Array.from({ length: crops }, (_, crop) => place * crops + crop),
  )
}

/** Where in time a temporal view is taken, as a fraction from 0 to 1: see `sampleFrames`. */
function placeOf(clip: number, { kind, clips }: Sampling): [number, number] {
  if (kind === "segments" || clips === 1) return [2 * clip + 1, 2 * clips]
  return [clip, clips - 1]
}

/** A number for every fraction, 0 for a half: 0 and 1 come next, then proper fractions by their lowest terms. */
function placeNumber(part: number, whole: number): number {
  const divisor = commonDivisor(part, whole)
  const [a, b] = [part / divisor, whole / divisor]
  if (b === 1) return a + 1
  const rank = ((b - 1) * (b - 2)) / 2 + a - 1
  return rank === 0 ? 0 : rank + 2
}

function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b)
}
