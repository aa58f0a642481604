/** What the process that captures a live source is told, and what it tells. */

import { z } from "zod"
import { liveSourceSchema } from "./address.ts"

const sizeSchema = z.union([
  z.object({ width: z.number(), height: z.number() }),
  z.object({ shortSide: z.number() }),
  z.object({ longSide: z.number() }),
  z.object({ within: z.object({ width: z.number(), height: z.number() }) }),
])

export const captureJobSchema = z.object({
  source: liveSourceSchema,
  /** Pictures of this size; null: as they come. */
  size: sizeSchema.nullable(),
  /** Seconds of the source that a second takes; null: as fast as frames are taken. Sources that have their own pace have no other. */
  pace: z.number().positive().nullable(),
  /** Whether frames that nobody has taken make room for newer ones. */
  live: z.boolean(),
})

export type CaptureJob = z.infer<typeof captureJobSchema>

/** To the process: the job first, then how many more frames may be sent. */
export const captureOrderSchema = z.union([z.object({ job: captureJobSchema }), z.object({ more: z.int() })])

/** What a source is, known once it is open. */
export interface OpenedSource {
  width: number
  height: number
  /** Frames a second that the source declares; 0 where it does not. */
  rate: number
  codec: string
  /** Seconds that it goes on for; null where it has no end. */
  duration: number | null
}

const openedSchema = z.object({
  width: z.int(),
  height: z.int(),
  rate: z.number(),
  codec: z.string(),
  duration: z.number().nullable(),
}) satisfies z.ZodType<OpenedSource>

export const captureNewsSchema = z.union([
  z.object({ opened: openedSchema }),
  z.object({
    /** Seconds from the source's first frame; `dropped`: frames so far that made room for newer ones. */
    frame: z.object({
      time: z.number(),
      width: z.int(),
      height: z.int(),
      data: z.instanceof(Uint8Array),
      dropped: z.int(),
    }),
  }),
  /** The source has ended by itself. */
  z.object({ ended: z.literal(true) }),
  /** It cannot be opened or read any further. */
  z.object({
    failed: z.object({ what: z.string(), found: z.string().optional(), fix: z.string().optional() }),
    /** Whether another attempt may do better. */
    passing: z.boolean(),
  }),
])

export type CaptureNews = z.infer<typeof captureNewsSchema>
