#!/usr/bin/env node

/**
 * Starts the compiled command line. Committed, so that npm can link it in a clone that has not been built yet; there, the first call
 * builds it.
 */

import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"

const main = new URL("../dist/cli/main.js", import.meta.url)
const clone = new URL("../../../", import.meta.url)

if (!existsSync(main) && existsSync(new URL("tsconfig.json", clone))) {
  if (existsSync(new URL("node_modules/typescript", clone))) {
    process.stderr.write("building fourtier, once …\n")
    const options = { cwd: fileURLToPath(clone), encoding: "utf8", shell: process.platform === "win32" }
    const { stdout, stderr, status } = spawnSync("npm", ["run", "build", "--silent"], options)
    if (status !== 0) process.stderr.write(`${stdout ?? ""}${stderr ?? ""}`)
  } else process.stderr.write("run `npm ci` in the clone first\n")
}

if (existsSync(main)) {
  await import(main.href)
} else {
  process.stderr.write("fourtier has not been built yet: run `npm run build` first\n")
  process.exitCode = 1
}
