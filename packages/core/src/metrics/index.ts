/**
 * `@fourtier/core/metrics`: figures of one set of predictions, and how sure they are.
 *
 * @module
 */

export * from "./detection.ts"
export * from "./intervals.ts"
export * from "./metrics.ts"
export * from "./neighbours.ts"
export * from "./statistics.ts"
export * from "./views.ts"
