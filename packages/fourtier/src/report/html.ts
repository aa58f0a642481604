/**
 * Pages of one file that open from disk, without a server or a network. A page's program and style are built from
 * `tools/report-page` and lie in this package as two texts; its data is put beside them as JSON.
 */

import { existsSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { FourtierError } from "@fourtier/tensor"
import { readText } from "@fourtier/tensor/node"

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

export interface Html {
  title: string
  /** Folder of the page's script and style. */
  program: string
  data: unknown
  /** Sources that the page may use besides its own script and style. */
  allowed: string
  /** What those read who have no JavaScript. */
  without: string
}

/** The whole page as text. */
export async function htmlOf({ title, program, data, allowed, without }: Html): Promise<string> {
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
