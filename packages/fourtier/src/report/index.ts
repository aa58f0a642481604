/**
 * `fourtier/report`: what a comparison found, for people: tables, charts and every prediction.
 *
 * @module
 */

export { COMPARISON_TABLES, type ComparisonTable, classGainChart, writeComparison } from "./comparison.ts"
export { type Report, type ReportInput, terminalReport, writeReport } from "./report.ts"
