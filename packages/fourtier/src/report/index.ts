/**
 * `fourtier/report`: what a comparison found, for people: tables, charts and every prediction.
 *
 * @module
 */

export { type Report, type ReportInput, terminalReport, writeReport } from "./report.ts"
