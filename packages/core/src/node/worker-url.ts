/** Where a worker thread's entry file lies. Workers always run the compiled JavaScript. */

import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { FourtierError } from "@fourtier/tensor"

/**
 * The URL of a worker's compiled code.
 * @param from the caller's `import.meta.url`
 * @param entry the worker's source beside the caller, for example `"./probe.worker.ts"`
 * @throws FourtierError where a bundler has put the caller elsewhere
 * @returns the URL of its compiled form: beside the caller in `dist`, or under `dist` when the caller runs from `src`
 *
 * @example
 * ```ts
 * import { workerUrl } from "@fourtier/core/node"
 *
 * workerUrl(import.meta.url, "./square.worker.ts") // in src/math.ts: file:///…/dist/square.worker.js
 * ```
 */
export function workerUrl(from: string | undefined, entry: string): URL {
  // a bundler that writes CommonJS leaves nothing of import.meta.url
  if (from === undefined) throw movedByBundler(entry)
  const url = new URL(entry.replace(/\.ts$/, ".js"), from)
  const fromSource = from.endsWith(".ts")
  if (fromSource) url.pathname = url.pathname.replace(/\/src\/(?!.*\/src\/)/, "/dist/")
  else if (!existsSync(url)) throw movedByBundler(fileURLToPath(url))
  return url
}

/** The error where a bundler has put this code elsewhere, so that the files beside it are not there. */
function movedByBundler(file: string): FourtierError {
  return new FourtierError({
    where: file,
    what: "the code of a worker thread is not here: a bundler has moved what starts it",
    fix: "leave fourtier and @fourtier/* out of the bundle: esbuild --external:fourtier --external:@fourtier/*",
  })
}
