/** This package's version and description, as its package.json has them. */

import { readFileSync } from "node:fs"

const manifest: { version: string; description: string } = JSON.parse(
  readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
)

export const { version, description } = manifest
