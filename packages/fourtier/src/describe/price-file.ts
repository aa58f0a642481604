/** A person's own prices, in a file. */

import { FourtierError } from "@fourtier/tensor"
import { readJson } from "@fourtier/tensor/node"
import { z } from "zod"
import { listPrices, type Price, pricesSchema } from "./cost.ts"

/**
 * Reads a price file.
 * @throws FourtierError that names the wrong entry
 *
 * @example
 * ```ts
 * import { readPrices } from "fourtier/describe"
 *
 * const prices = await readPrices("prices.json") // as `fourtier describe prices` prints one
 * ```
 */
export async function readPrices(file: string): Promise<Record<string, Price>> {
  const parsed = pricesSchema.safeParse(await readJson(file))
  if (parsed.success) return parsed.data
  throw new FourtierError({
    where: file,
    what: "not a price file",
    expected: JSON.stringify({ "model-name": listPrices["gpt-4o"] }),
    found: z.prettifyError(parsed.error),
  })
}
