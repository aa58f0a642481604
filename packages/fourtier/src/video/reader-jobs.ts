/** What the thread of a `VideoReader` is asked, and what it answers. */

import { z } from "zod"

const sizeSchema = z.union([
  z.object({ width: z.number(), height: z.number() }),
  z.object({ shortSide: z.number() }),
  z.object({ longSide: z.number() }),
  z.object({ within: z.object({ width: z.number(), height: z.number() }) }),
])

export const readerJobSchema = z.union([
  /** When the frames of a file are shown, and how large they are. */
  z.object({ look: z.string() }),
  /** Frames of the window [start, end) of a file, by their number in it. */
  z.object({
    path: z.string(),
    start: z.number(),
    end: z.number(),
    indices: z.array(z.number()),
    size: sizeSchema.optional(),
    deinterlace: z.boolean(),
  }),
])

export type ReaderJob = z.infer<typeof readerJobSchema>

export const readerReplySchema = z.union([
  z.object({
    times: z.instanceof(Float64Array),
    duration: z.number(),
    width: z.number(),
    height: z.number(),
  }),
  z.object({ data: z.instanceof(Uint8Array<ArrayBuffer>), width: z.number(), height: z.number() }),
])

export type ReaderReply = z.infer<typeof readerReplySchema>
