/** The rendered clips' package, which need not be installed. */

import { loadPackage } from "../../util/optional.ts"
import { version } from "../../util/version.ts"

export type Puppets = typeof import("@fourtier/puppets")

/**
 * Loads `@fourtier/puppets`.
 * @param verb what needs it, for the error
 * @throws FourtierError with the install command where the package is missing
 */
export function loadPuppets(verb: string): Promise<Puppets> {
  return loadPackage({ name: "@fourtier/puppets", version }, () => import("@fourtier/puppets"), verb)
}
