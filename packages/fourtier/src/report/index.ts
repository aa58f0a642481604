/**
 * `fourtier/report`: what a comparison found, for people.
 *
 * 1. `report.ts` tables, charts and every prediction
 * 2. `run-report.ts`, `run-files.ts` what a run writes down for its page; `page.ts` the page from that; `serve.ts` keeps it up to date
 * 3. `timeline.ts` the page of what was found in long videos
 *
 * @module
 */

export { type CardInput, modelCard } from "./card.ts"
export { COMPARISON_TABLES, type ComparisonTable, classGainChart, writeComparison } from "./comparison.ts"
export { scriptJson } from "./html.ts"
export { writePage } from "./page.ts"
export type * from "./page-data.ts"
export { type Report, type ReportInput, terminalReport, writeReport } from "./report.ts"
export type { About, StageTime } from "./run-files.ts"
export { type ReportServer, type ServeOptions, serveReport } from "./serve.ts"
export { timelineOf } from "./timeline.ts"
export type * from "./timeline-data.ts"
