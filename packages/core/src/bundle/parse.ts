/** Reads `bundle.json`. */

import { FourtierError } from "@fourtier/tensor"
import type { z } from "zod"
import { type Bundle, bundleSchema } from "../schemas/bundle.ts"
import { type DetectionBundle, detectionBundleSchema } from "../schemas/detection-bundle.ts"

/**
 * Checks parsed JSON.
 * @param where the file, for errors
 * @throws FourtierError that names the field, or says that the bundle is of a detector
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
  if (isDetection(value)) {
    throw new FourtierError({
      where,
      what: "a bundle of action detection: it answers about single people",
      expected: "a bundle that recognises what a clip shows, as `fourtier run` exports it",
      fix: "use it with `fourtier detect`, or `loadDetector` of fourtier/deploy",
    })
  }
  return parsed(bundleSchema, value, where)
}

/**
 * Checks parsed JSON of a bundle of action detection.
 * @param where the file, for errors
 * @throws FourtierError that names the field, or says that the bundle is another
 *
 * @example
 * ```ts
 * import { parseDetectionBundle } from "@fourtier/core/bundle"
 *
 * const address = "https://example.org/bundle/bundle.json"
 * const { labels, window } = parseDetectionBundle(await (await fetch(address)).json(), address)
 * ```
 */
export function parseDetectionBundle(value: unknown, where: string): DetectionBundle {
  if (!isDetection(value) && bundleSchema.safeParse(value).success) {
    throw new FourtierError({
      where,
      what: "a bundle that recognises what a clip shows: it knows nothing of single people",
      expected: "a bundle of action detection, as `fourtier detection` exports it",
      fix: "use it with `fourtier predict` or `fourtier segment`",
    })
  }
  return parsed(detectionBundleSchema, value, where)
}

function isDetection(value: unknown): boolean {
  return typeof value === "object" && value !== null && "task" in value && value.task === "detection"
}

function parsed<T>(schema: z.ZodType<T>, value: unknown, where: string): T {
  const found = schema.safeParse(value)
  if (found.success) return found.data
  const [issue] = found.error.issues
  throw new FourtierError({
    where: `${where}, ${issue.path.join(".") || "top level"}`,
    what: "not a bundle of this version",
    found: issue.message,
    fix: "export the model again",
  })
}
