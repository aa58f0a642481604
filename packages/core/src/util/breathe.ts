/** Long arithmetic that leaves the event loop a turn now and then, so that timers, progress and Ctrl-C come through. */

const EVERY_MS = 100

/**
 * A function to be awaited within long loops: it lets the event loop turn where a tenth of a second has passed since it last did.
 * @param signal ends the work with its reason
 *
 * @example
 * ```ts
 * import { breather } from "@fourtier/core"
 *
 * async function total(rows: readonly Float64Array[], signal?: AbortSignal) {
 *   const breathe = breather(signal)
 *   let sum = 0
 *   for (const row of rows) {
 *     await breathe()
 *     for (const x of row) sum += x
 *   }
 *   return sum
 * }
 * ```
 */
export function breather(signal?: AbortSignal): () => Promise<void> {
  let last = performance.now()
  return async () => {
    if (performance.now() - last < EVERY_MS) return
    await new Promise((resolve) => setTimeout(resolve, 0))
    signal?.throwIfAborted()
    last = performance.now()
  }
}
