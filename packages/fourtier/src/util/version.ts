/** This package's version and description, as its package.json has them. */

import { readFileSync } from "node:fs"

export const { version, description } = readManifest(import.meta.url)

/** @param from undefined where a bundler has written CommonJS */
function readManifest(from: string | undefined): { version: string; description: string } {
  try {
    return JSON.parse(readFileSync(new URL("../../package.json", from), "utf8"))
  } catch (error) {
    // in the form of a FourtierError, whose package would make the help start later
    const what = "fourtier: its files are not beside its code: a bundler has moved it"
    const fix = "leave fourtier and @fourtier/* out of the bundle: esbuild --external:fourtier --external:@fourtier/*"
    throw new Error(`${what}\n  fix:      ${fix}`, { cause: error })
  }
}
