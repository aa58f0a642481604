/** Token counts as servers give them: as numbers, as texts, in part or not at all. */

import { z } from "zod"

/** A count; null for anything else. An odd count is no reason to lose an answer that has been paid for. */
export const tokenCount = z
  .union([z.number().nonnegative(), z.string().regex(/^\d+$/).transform(Number)])
  .nullable()
  .catch(null)
