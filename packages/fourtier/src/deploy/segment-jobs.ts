/** What the thread that decodes long video is asked, and what it answers. */

import { transformSchema } from "@fourtier/core/schemas"
import { z } from "zod"

export const stretchJobSchema = z.union([
  /** When the frames of a file are shown. */
  z.object({ times: z.string() }),
  /** Frames of the window [start, end) of a file, by their number in it. */
  z.object({
    path: z.string(),
    start: z.number(),
    end: z.number(),
    indices: z.array(z.number()),
    transform: transformSchema,
    deinterlace: z.boolean(),
  }),
])

export type StretchJob = z.infer<typeof stretchJobSchema>

export const stretchReplySchema = z.union([
  z.object({ times: z.instanceof(Float64Array), duration: z.number() }),
  z.object({ data: z.instanceof(Uint8Array<ArrayBuffer>), width: z.number(), height: z.number() }),
])

export type StretchReply = z.infer<typeof stretchReplySchema>
