/** Packages that may be missing: only those who use them need to install them. */

import { createRequire } from "node:module"
import { FourtierError, messageOf } from "@fourtier/tensor"

export interface OptionalPackage {
  name: string
  version: string
}

/**
 * The path of a file of the package.
 * @param where what needs it, for the error
 * @throws FourtierError with the install command where the package is missing
 */
export function packageFile(wanted: OptionalPackage, file: string, where: string): string {
  try {
    return createRequire(import.meta.url).resolve(`${wanted.name}/${file}`)
  } catch (error) {
    throw notInstalled(wanted, where, error)
  }
}

/**
 * Loads the package.
 * @param load imports it, by a literal name so that its types are known
 * @param where what needs it, for the error
 * @throws FourtierError with the install command where the package is missing
 * @example
 * const { generatePuppets } = await loadPackage(PUPPETS, () => import("@fourtier/puppets"), "fourtier demo")
 */
export async function loadPackage<Module>(
  wanted: OptionalPackage,
  load: () => Promise<Module>,
  where: string,
): Promise<Module> {
  try {
    return await load()
  } catch (error) {
    if (isMissing(error, wanted.name)) throw notInstalled(wanted, where, error)
    throw error
  }
}

/** Whether it is this package that was not found, rather than something that it imports. */
function isMissing(error: unknown, name: string): boolean {
  return (
    error instanceof Error &&
    "code" in error &&
    error.code === "ERR_MODULE_NOT_FOUND" &&
    error.message.includes(`'${name}'`)
  )
}

function notInstalled({ name, version }: OptionalPackage, where: string, cause: unknown): FourtierError {
  return new FourtierError(
    {
      where,
      what: `the package ${name} is not installed`,
      found: messageOf(cause).split("\n")[0],
      fix: `npm install ${name}@${version}`,
    },
    { cause },
  )
}
