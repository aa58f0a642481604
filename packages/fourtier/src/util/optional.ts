/** Files of packages that need not be installed. */

import { createRequire } from "node:module"
import { FourtierError, messageOf } from "@fourtier/tensor"

export interface OptionalPackage {
  name: string
  version: string
}

/** Where a file of the package lies. @throws FourtierError with the install command where the package is missing */
export function packageFile({ name, version }: OptionalPackage, file: string, where: string): string {
  try {
    return createRequire(import.meta.url).resolve(`${name}/${file}`)
  } catch (error) {
    throw new FourtierError(
      {
        where,
        what: `the package ${name} is not installed`,
        found: messageOf(error).split("\n")[0],
        fix: `npm install ${name}@${version}`,
      },
      { cause: error },
    )
  }
}
