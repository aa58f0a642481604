/**
 * `fourtier/evaluate`: from predictions to a report.
 *
 * 1. `metrics.ts`, `detection.ts` figures of one set of predictions; `views.ts` averages views first.
 * 2. `intervals.ts` how sure they are.
 * 3. `summary.ts` methods side by side over folds and seeds, as `results.ts` has them; `report.ts` writes it down.
 */

export * from "./detection.ts"
export * from "./intervals.ts"
export * from "./metrics.ts"
export { type Report, type ReportInput, terminalReport, writeReport } from "./report.ts"
export * from "./results.ts"
export * from "./summary.ts"
export * from "./views.ts"
