/** One clip from file to network input: decode, sample, transform. Blocks; `pool.ts` runs it in workers. */

import {
  type FrameTimes,
  leadingSize,
  type Pictures,
  repeatedFrames,
  sampleFrames,
  viewsOfPictures,
} from "@fourtier/core/frames"
import { samplingSchema, transformSchema } from "@fourtier/core/schemas"
import { Rng } from "@fourtier/tensor"
import { z } from "zod"
import { decodeFrames } from "./decode.ts"

/** What `decodeFrames` must know of a clip. */
export const decodableSchema = z.object({
  id: z.string(),
  path: z.string(),
  start: z.number().nullable(),
  end: z.number().nullable(),
  frames: z.number(),
  fps: z.number(),
})

export const viewsJobSchema = z.object({
  clip: decodableSchema,
  sampling: samplingSchema,
  transform: transformSchema,
  /** Temporal views that are wanted, by number; all where absent. */
  only: z.array(z.int()).optional(),
  /** Random sampling and steps, by this seed and the clip's id; null for the fixed places of evaluation. */
  seed: z.union([z.string(), z.number()]).nullable(),
  /** Let the decoder do the transform's first resize: up to twice as fast, pixels differ by about one level in 255. */
  scaleWhileDecoding: z.boolean(),
})

export type ViewsJob = z.infer<typeof viewsJobSchema>

export const clipViewsSchema = z.object({
  views: z.array(z.instanceof(Float32Array<ArrayBuffer>)),
  shape: z.array(z.number()),
  frameIndices: z.array(z.array(z.number())),
  padded: z.number(),
})

export interface ClipViews {
  /** Views in the order temporal clip, then crop; each `[T,H,W,3]` or `[T,3,H,W]`. */
  views: Float32Array<ArrayBuffer>[]
  /** Of one view. */
  shape: number[]
  /** Frames of each temporal clip, `[clips][T]`. */
  frameIndices: number[][]
  /** Places, over all temporal clips, that hold a stand-in: a neighbour, or a frame repeated because the clip has too few. */
  padded: number
}

/**
 * Decodes, samples and transforms one clip.
 * @throws FourtierError when the clip cannot be decoded or the transform does not fit it
 *
 * @example
 * ```ts
 * import { transformOf } from "@fourtier/core/frames"
 * import { clipOfFile, loadViews } from "fourtier/video"
 *
 * const transform = transformOf([{ step: "stretch", width: 192, height: 192 }])
 * const sampling = { kind: "segments" as const, frames: 8, clips: 2 }
 * const job = { clip: clipOfFile("jump.mp4"), sampling, transform, seed: null, scaleWhileDecoding: true }
 * loadViews(job).views.length // 2
 * ```
 */
export function loadViews(job: ViewsJob): ClipViews {
  const rng = job.seed === null ? null : Rng.fork(job.seed, job.clip.id)
  const drawn: number[][] = []
  let total = 0
  const pick = (frames: FrameTimes) => {
    total = frames.times.length
    const all = sampleFrames(frames, job.sampling, rng)
    drawn.push(...(job.only?.map((clip) => all[clip]) ?? all))
    return drawn.flat()
  }
  const size = job.scaleWhileDecoding ? leadingSize(job.transform) : undefined
  const { data, height, width, frameIndices, padded } = decodeFrames(job.clip, pick, {
    size,
    deinterlace: job.sampling.deinterlace,
  })
  const count = job.sampling.frames
  const pictures: Pictures = { data, count: frameIndices.length, height, width }
  const { views, shape } = viewsOfPictures(pictures, drawn.length, job.transform, rng)
  const held = drawn.map((_, place) => frameIndices.slice(place * count, (place + 1) * count))
  return { views, shape, frameIndices: held, padded: padded + repeatedFrames(drawn, total) }
}
