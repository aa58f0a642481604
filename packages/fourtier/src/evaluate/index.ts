/**
 * `fourtier/evaluate`: methods side by side.
 *
 * 1. `comparability.ts` whether their predictions can be compared at all
 * 2. `summary.ts` figures with intervals over folds and seeds, as `results.ts` has them
 * 3. `stored.ts` runs read back from their folders; `compare.ts` side by side
 *
 * Metrics and intervals themselves: `@fourtier/core/metrics`.
 *
 * @module
 */

export * from "./comparability.ts"
export * from "./compare.ts"
export * from "./published.ts"
export * from "./results.ts"
export * from "./stored.ts"
export { leaveOut, summarise } from "./summary.ts"
