/** What the thread that draws on a video is asked, and what it answers. */

import { z } from "zod"

const colourSchema = z.tuple([z.number(), z.number(), z.number()])

const markSchema = z.union([
  z.object({
    box: z.tuple([z.number(), z.number(), z.number(), z.number()]),
    colour: colourSchema,
    /** Numbers of masks, one a line. */
    texts: z.array(z.number()),
  }),
  z.object({ caption: z.number() }),
])

export const annotateJobSchema = z.object({
  path: z.string(),
  out: z.string(),
  fps: z.number(),
  /** Of each frame. */
  marks: z.array(z.array(markSchema)),
  masks: z.array(z.object({ data: z.instanceof(Uint8Array), width: z.number(), height: z.number(), line: z.number() })),
  /** Frames that are done; and not 0 where the work shall end. */
  state: z.instanceof(SharedArrayBuffer),
})

export type AnnotateJob = z.infer<typeof annotateJobSchema>

export const annotateReplySchema = z.object({ frames: z.number() })

export type AnnotateReply = z.infer<typeof annotateReplySchema>
