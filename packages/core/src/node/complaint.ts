/** Errors between threads and processes: an error's class does not pass, its complaint does. */

import type { Complaint } from "@fourtier/tensor"
import { z } from "zod"

/**
 * The complaint of a `FourtierError` as another thread or process has sent it.
 *
 * @example
 * ```ts
 * import { parentPort } from "node:worker_threads"
 * import { complaintSchema } from "@fourtier/core/node"
 * import { FourtierError } from "@fourtier/tensor"
 *
 * parentPort?.on("message", (message: unknown) => {
 *   const complaint = complaintSchema.safeParse(message)
 *   if (complaint.success) throw new FourtierError(complaint.data)
 * })
 * ```
 */
export const complaintSchema: z.ZodType<Complaint> = z.object({
  what: z.string(),
  where: z.string().optional(),
  expected: z.string().optional(),
  found: z.string().optional(),
  fix: z.string().optional(),
})
