/** The detector that a user names. */

import { extname } from "node:path"
import { FourtierError, nearest } from "@fourtier/tensor"
import type { PersonDetector } from "./detector.ts"
import { EMBEDDED, type EmbeddedName, openEmbeddedDetector } from "./embedded.ts"
import { type OnnxDetectorOptions, openOnnxDetector } from "./onnx.ts"

/** The embedded detector that is used where none is named. */
export const DEFAULT_DETECTOR: EmbeddedName = "movenet"

/**
 * Opens a detector by its name, or an ONNX file.
 * @param name one of `EMBEDDED`, or the path of an ONNX file
 * @throws FourtierError where it is neither
 *
 * @example
 * ```ts
 * import { openDetector } from "fourtier/people"
 *
 * const detector = await openDetector("yolo11n.onnx", { format: "yolov8" })
 * ```
 */
export async function openDetector(
  name: string = DEFAULT_DETECTOR,
  options: OnnxDetectorOptions = {},
): Promise<PersonDetector> {
  const embedded = EMBEDDED.find((known) => known === name)
  if (embedded) return openEmbeddedDetector(embedded, options)
  if (extname(name).toLowerCase() === ".onnx") return openOnnxDetector(name, options)
  const close = nearest(name, EMBEDDED)
  throw new FourtierError({
    where: "detector",
    what: "no such detector",
    expected: `${EMBEDDED.join(", ")}, or the path of an ONNX file`,
    found: name,
    ...(close ? { fix: `did you mean ${close}?` } : {}),
  })
}
