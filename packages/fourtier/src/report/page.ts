/**
 * Writes `report.html`: one file that opens from disk, without a server or a network. The page's program and style are built from
 * `tools/report-page` and lie in this package as two texts; the data of the runs is put beside them as JSON.
 */

import { existsSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { FourtierError } from "@fourtier/tensor"
import { readText, writeFileAtomic } from "@fourtier/tensor/node"
import { version } from "../util/version.ts"
import { collectRun } from "./collect.ts"
import type { PageData } from "./page-data.ts"
import type { TimelineData } from "./timeline-data.ts"

/** What a page may have in all, in bytes. */
export const PAGE_LIMIT = 15e6

/**
 * JSON that may stand in a `<script>` of a page, whatever its strings hold: no tag ends or begins in it.
 *
 * @example
 * ```ts
 * import { scriptJson } from "fourtier/report"
 *
 * scriptJson({ label: "</script>" }) // {"label":"\u003c/script\u003e"}
 * ```
 */
export function scriptJson(value: unknown): string {
  const escapes: Readonly<Record<string, string>> = {
    "<": "\\u003c",
    ">": "\\u003e",
    "\u2028": "\\u2028",
    "\u2029": "\\u2029",
  }
  return JSON.stringify(value).replaceAll(/[<>\u2028\u2029]/g, (char) => escapes[char] ?? char)
}

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

/**
 * The timeline of what was found in videos as a page that plays them from where they lie.
 *
 * @example
 * ```ts
 * import { timelineOf } from "fourtier/report"
 *
 * const spans = [{ label: "jump", start: 2, end: 4, score: 0.9 }]
 * const html = await timelineOf([{ name: "a.mp4", src: "../videos/a.mp4", duration: 60, spans }])
 * ```
 */
export async function timelineOf(videos: TimelineData["videos"]): Promise<string> {
  const data: TimelineData = { format: 1, fourtier: version, videos }
  return htmlOf({
    title: videos.length === 1 ? videos[0].name : `${videos.length} videos`,
    program: "timeline-page",
    data,
    allowed: "img-src data:; media-src 'self' file: blob:",
    without: "This page needs JavaScript; its spans are in segments.csv beside it.",
  })
}

interface Html {
  title: string
  /** Folder of the page's script and style. */
  program: string
  data: unknown
  /** Sources that the page may use besides its own script and style. */
  allowed: string
  /** What those read who have no JavaScript. */
  without: string
}

async function htmlOf({ title, program, data, allowed, without }: Html): Promise<string> {
  const [script, style] = [await asset(program, "script.txt"), await asset(program, "style.txt")]
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; ${allowed}; base-uri 'none'; form-action 'none'">
<link rel="icon" href="data:,">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>
<div id="page"><noscript>${without}</noscript></div>
<script type="application/json" id="data">${scriptJson(data)}</script>
<script>${script.replaceAll("</script", "<\\/script")}</script>
</body>
</html>
`
}

function escapeHtml(text: string): string {
  const escapes: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" }
  return text.replaceAll(/[&<>"]/g, (char) => escapes[char] ?? char)
}

/** A text that the build has put into this package. */
async function asset(program: string, name: string): Promise<string> {
  const path = join(fileURLToPath(new URL(`../../dist/${program}`, import.meta.url)), name)
  if (existsSync(path)) return readText(path)
  throw new FourtierError({
    where: path,
    what: "this page's program has not been built",
    fix: "in a clone: `npm run build`; elsewhere install fourtier again",
  })
}
