/** How a clip's frames become the views that a network sees: which frames, then which steps. */

import type { Rng } from "@fourtier/tensor"
import type { Sampling } from "../schemas/sampling.ts"
import type { Step, Transform } from "../schemas/transform.ts"
import type { Pictures } from "./resize.ts"
import { applyTransform, viewsOf } from "./transform.ts"

/** How clips become the encoder's input. */
export interface ViewRecipe {
  sampling: Sampling
  /** Steps that end at the encoder's resolution. */
  steps: readonly Step[]
  /** Random draws a clip, for training; null: the fixed views of evaluation. */
  draws: { count: number; seed: number | string } | null
}

/**
 * The transform of a recipe: its steps, then pixels as they are, 0..255.
 *
 * @example
 * ```ts
 * import { transformOf } from "@fourtier/core/frames"
 *
 * transformOf([{ step: "stretch", width: 192, height: 192 }]).layout // "NHWC"
 * ```
 */
export function transformOf(steps: readonly Step[]): Transform {
  const std: [number, number, number] = [1 / 255, 1 / 255, 1 / 255]
  return { steps: [...steps], mean: [0, 0, 0], std, layout: "NHWC" }
}

/**
 * Views that a recipe makes of each clip.
 *
 * @example
 * ```ts
 * import { viewCount } from "@fourtier/core/frames"
 *
 * viewCount({ sampling: { kind: "segments", frames: 8, clips: 2 }, steps: [{ step: "mirrored" }], draws: null }) // 4
 * ```
 */
export function viewCount({ sampling, steps, draws }: ViewRecipe): number {
  return sampling.clips * viewsOf(transformOf(steps)) * (draws?.count ?? 1)
}

/**
 * The views of one clip's sampled frames.
 * @param pictures the frames of every temporal clip, one clip after another: `sampling.clips` times T
 * @param rng drawn from by random steps; null where there are none
 * @returns views in the order temporal clip, then crop, and the shape of one
 *
 * @example
 * ```ts
 * import { transformOf, viewsOfPictures } from "@fourtier/core/frames"
 *
 * const pictures = { data: new Uint8Array(16 * 4 * 4 * 3), count: 16, height: 4, width: 4 } // twice 8 frames
 * viewsOfPictures(pictures, 2, transformOf([]), null).shape // [8, 4, 4, 3], of either view
 * ```
 */
export function viewsOfPictures(
  { data, count, height, width }: Pictures,
  clips: number,
  transform: Transform,
  rng: Rng | null,
): { views: Float32Array<ArrayBuffer>[]; shape: number[] } {
  const frames = count / clips
  const area = frames * height * width * 3
  const views: Float32Array<ArrayBuffer>[] = []
  let shape: number[] = []
  for (let clip = 0; clip < clips; clip++) {
    const own = { data: data.subarray(clip * area, (clip + 1) * area), count: frames, height, width }
    const transformed = applyTransform(own, transform, rng)
    views.push(...transformed.views)
    shape = transformed.shape
  }
  return { views, shape }
}
