/** This package's version and description, as its package.json has them. */

import { readFileSync } from "node:fs"
import { FourtierError } from "@fourtier/tensor"

export const { version, description } = readManifest(import.meta.url)

/** @param from undefined where a bundler has written CommonJS */
function readManifest(from: string | undefined): { version: string; description: string } {
  try {
    return JSON.parse(readFileSync(new URL("../../package.json", from), "utf8"))
  } catch (error) {
    throw new FourtierError(
      {
        where: "fourtier",
        what: "its files are not beside its code: a bundler has moved it",
        fix: "leave fourtier and @fourtier/* out of the bundle: esbuild --external:fourtier --external:@fourtier/*",
      },
      { cause: error },
    )
  }
}
