#!/usr/bin/env node

/** Starts the compiled command line. Committed, so that npm can link it in a clone that has not been built yet. */

import { existsSync } from "node:fs"

const main = new URL("../dist/cli/main.js", import.meta.url)

if (existsSync(main)) {
  await import(main.href)
} else {
  process.stderr.write("fourtier has not been built yet: run `npm run build` first\n")
  process.exitCode = 1
}
