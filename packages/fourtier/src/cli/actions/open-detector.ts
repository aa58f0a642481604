/** The person detector that a command line names. */

import type { PersonDetector } from "../../people/detector.ts"
import { DEFAULT_DETECTOR, openDetector } from "../../people/open.ts"
import { FORMAT_NAMES } from "../../people/outputs.ts"
import type { DetectorOptions } from "../options.ts"
import { oneOf } from "./one-of.ts"

/** @throws FourtierError where it is not there, or of no known format */
export async function openNamedDetector(
  { detector = DEFAULT_DETECTOR, detectorFormat, detectorSize, personClass }: DetectorOptions,
  threads?: number,
): Promise<PersonDetector> {
  return openDetector(detector, {
    ...(detectorFormat === undefined ? {} : { format: oneOf("--detector-format", detectorFormat, FORMAT_NAMES) }),
    ...(detectorSize === undefined ? {} : { size: detectorSize }),
    ...(personClass === undefined ? {} : { person: personClass }),
    ...(threads === undefined ? {} : { threads }),
  })
}
