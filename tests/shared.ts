/** Data that is no part of the repository: real clips with recorded answers, and outputs of reference implementations. */

import { existsSync } from "node:fs"
import { join } from "node:path"

/** A file or folder of `../shared`, beside the repository. Tests that need it say that they skip where it is missing. */
export function shared(...path: string[]): string {
  return join(import.meta.dirname, "../../shared", ...path)
}

/** Whether it is there; says on standard error what is skipped where it is not. */
export function hasShared(what: string, ...path: string[]): boolean {
  const there = existsSync(shared(...path))
  if (!there) process.stderr.write(`skipped, no ../shared/${path.join("/")}: ${what}\n`)
  return there
}
