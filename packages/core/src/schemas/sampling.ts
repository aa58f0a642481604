/** Which frames of a clip are sampled, as data. */

import { z } from "zod"

/** Absent where it is off: then stored features and bundles are named as if there were no such setting. */
const deinterlace = z
  .boolean()
  .optional()
  .describe("true: interlaced frames pass FFmpeg's deinterlacer bwdif; else they stay as they are")

/**
 * - `segments`: T equal segments, one frame of each (TSN, Wang et al. 2016): a random one in training, the centre else.
 *   Several clips take evenly shifted places within the segments.
 * - `dense`: T frames, `stride` frames apart (at the clip's mean rate): from a random start in training; else the clips'
 *   starts are spread evenly, one clip being taken from the middle. Frames past the end are asked for and get padded.
 */
export const samplingSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z
      .literal("segments")
      .describe("segments: one frame from each of T equal segments; dense: T frames, `stride` frames apart"),
    frames: z.int().positive().default(8).describe("frames per clip, T"),
    clips: z.int().positive().default(1).describe("temporal views per clip"),
    deinterlace,
  }),
  z.strictObject({
    kind: z.literal("dense"),
    frames: z.int().positive().default(8).describe("frames per clip, T"),
    stride: z.int().positive().default(4).describe("dense: distance between sampled frames, in frames"),
    clips: z.int().positive().default(1).describe("temporal views per clip"),
    deinterlace,
  }),
])

export type Sampling = z.infer<typeof samplingSchema>
