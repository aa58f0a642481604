/** Writes `report.html`: the page of runs, from the files in their folders. */

import { writeFileAtomic } from "@fourtier/tensor/node"
import { version } from "../util/version.ts"
import { collectRun } from "./collect.ts"
import { htmlOf } from "./html.ts"
import type { PageData } from "./page-data.ts"

/** What a page may have in all, in bytes. */
export const PAGE_LIMIT = 15e6

/** What the page of these runs holds as data. */
export async function pageData(runs: readonly string[], live = false): Promise<PageData> {
  const collected = []
  for (const run of runs) collected.push(await collectRun(run, { runs: runs.length }))
  return { format: 1, fourtier: version, live, runs: collected }
}

/**
 * Makes the page of one run or several from the files in their folders.
 * @returns its path and size in bytes
 * @throws FourtierError where a folder is not that of a run
 *
 * @example
 * ```ts
 * import { writePage } from "fourtier/report"
 *
 * const { bytes } = await writePage(["runs/mine"], "runs/mine/report.html")
 * ```
 */
export async function writePage(runs: readonly string[], path: string): Promise<{ path: string; bytes: number }> {
  const html = await pageOf(await pageData(runs))
  await writeFileAtomic(path, html)
  return { path, bytes: Buffer.byteLength(html) }
}

/** The whole page as text. */
export async function pageOf(data: PageData): Promise<string> {
  return htmlOf({
    title: data.runs.map((run) => run.title).join(" · "),
    program: "report-page",
    data,
    allowed: "img-src data:; connect-src 'self'",
    without: "This report needs JavaScript; its tables are in report.md beside it.",
  })
}
