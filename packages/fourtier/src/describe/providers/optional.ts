/** Packages that are loaded only where they are used, and may be missing. */

import { FourtierError, messageOf } from "@fourtier/tensor"
import type { z } from "zod"

/**
 * @param name the package
 * @param schema what it must export
 * @throws FourtierError that says how to install it, or that its exports are not the expected ones
 */
export async function importOptional<T>(name: string, schema: z.ZodType<T>, use: string): Promise<T> {
  let loaded: unknown
  try {
    loaded = await import(name)
  } catch (error) {
    throw new FourtierError(
      { where: use, what: `package ${name} cannot be loaded`, found: messageOf(error), fix: `npm install ${name}` },
      { cause: error },
    )
  }
  const parsed = schema.safeParse(loaded)
  if (parsed.success) return parsed.data
  throw new FourtierError({
    where: use,
    what: `package ${name} is of a version that is not known here`,
    found: parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; "),
    fix: `npm install ${name}@latest`,
  })
}
