/** What the threads of a recogniser are asked, and what they answer. */

import { samplingSchema, transformSchema } from "@fourtier/core/schemas"
import { PROVIDERS } from "@fourtier/tensor"
import { z } from "zod"
import { decodableSchema } from "../video/views.ts"

export const decodeJobSchema = z.object({
  clip: decodableSchema,
  sampling: samplingSchema,
  transform: transformSchema,
})

export type DecodeJob = z.infer<typeof decodeJobSchema>

export const decodedSchema = z.object({ views: z.array(z.instanceof(Float32Array<ArrayBuffer>)), padded: z.number() })

export type Decoded = z.infer<typeof decodedSchema>

export const modelJobSchema = z.union([
  z.object({
    load: z.string(),
    folder: z.string(),
    options: z.object({ provider: z.enum(["auto", ...PROVIDERS]).optional(), threads: z.number().optional() }),
  }),
  z.object({ frames: z.instanceof(Float32Array<ArrayBuffer>) }),
  z.object({ release: z.literal(true) }),
])

export type ModelJob = z.infer<typeof modelJobSchema>

export const modelReplySchema = z.union([
  z.object({ provider: z.enum(PROVIDERS) }),
  z.object({ probabilities: z.instanceof(Float32Array<ArrayBuffer>) }),
  z.null(),
])

export type ModelReply = z.infer<typeof modelReplySchema>
