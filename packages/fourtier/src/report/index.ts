/** `fourtier/report`: what a comparison found, for people: tables, charts and every prediction. */

export { type Report, type ReportInput, terminalReport, writeReport } from "./report.ts"
