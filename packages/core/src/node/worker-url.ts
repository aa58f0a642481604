/** Where a worker thread's entry file lies. Workers always run the compiled JavaScript. */

/**
 * The URL of a worker's compiled code.
 * @param from the caller's `import.meta.url`
 * @param entry the worker's source beside the caller, for example `"./probe.worker.ts"`
 * @returns the URL of its compiled form: beside the caller in `dist`, or under `dist` when the caller runs from `src`
 *
 * @example
 * ```ts
 * import { workerUrl } from "@fourtier/core/node"
 *
 * workerUrl(import.meta.url, "./square.worker.ts") // in src/math.ts: file:///…/dist/square.worker.js
 * ```
 */
export function workerUrl(from: string, entry: string): URL {
  const url = new URL(entry.replace(/\.ts$/, ".js"), from)
  if (from.endsWith(".ts")) url.pathname = url.pathname.replace(/\/src\/(?!.*\/src\/)/, "/dist/")
  return url
}
