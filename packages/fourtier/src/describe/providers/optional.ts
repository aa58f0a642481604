/** Packages that bring a model into this process. They are installed by those who use them, and loaded on first use. */

import { FourtierError, messageOf } from "@fourtier/tensor"
import type { z } from "zod"
import { loadPackage, type OptionalPackage } from "../../util/optional.ts"

/**
 * Loads a package whose types are not known here.
 * @param wanted the package, and the version that is known to work
 * @param schema what it must export
 * @param where what needs it, for the error
 * @throws FourtierError when it is not installed, cannot be loaded, or does not export what is expected
 */
export async function importOptional<T>(wanted: OptionalPackage, schema: z.ZodType<T>, where: string): Promise<T> {
  const { name, version } = wanted
  const fix = `npm install ${name}@${version}`
  let loaded: unknown
  try {
    loaded = await loadPackage(wanted, () => import(name), where)
  } catch (error) {
    if (error instanceof FourtierError) throw error
    const what = `the package ${name} cannot be loaded`
    throw new FourtierError({ where, what, found: messageOf(error), fix }, { cause: error })
  }
  const parsed = schema.safeParse(loaded)
  if (parsed.success) return parsed.data
  throw new FourtierError({
    where,
    what: `this version of the package ${name} is not supported`,
    found: parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; "),
    fix,
  })
}
