/** Reads `bundle.json`. */

import { FourtierError } from "@fourtier/tensor"
import { type Bundle, bundleSchema } from "../schemas/bundle.ts"

/**
 * Checks parsed JSON.
 * @param where the file, for errors
 * @throws FourtierError that names the field
 *
 * @example
 * ```ts
 * import { parseBundle } from "@fourtier/core/bundle"
 *
 * const address = "https://example.org/bundle/bundle.json"
 * const { labels } = parseBundle(await (await fetch(address)).json(), address)
 * ```
 */
export function parseBundle(value: unknown, where: string): Bundle {
  const parsed = bundleSchema.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new FourtierError({
    where: `${where}, ${issue.path.join(".") || "top level"}`,
    what: "not a bundle of this version",
    found: issue.message,
    fix: "export the model again",
  })
}
