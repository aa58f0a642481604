/**
 * `@fourtier/core/metrics`: figures of one set of predictions, and how sure they are.
 *
 * @module
 */

export * from "./ava-file.ts"
export * from "./ava-order.ts"
export * from "./box-recall.ts"
export * from "./boxes.ts"
export * from "./calibration.ts"
export * from "./detection.ts"
export * from "./intervals.ts"
export * from "./metrics.ts"
export * from "./multi-label.ts"
export * from "./neighbours.ts"
export * from "./permutation.ts"
export * from "./span-figures.ts"
export * from "./spans.ts"
export * from "./statistics.ts"
export * from "./unknown.ts"
export * from "./views.ts"
