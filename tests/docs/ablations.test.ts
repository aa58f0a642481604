/**
 * The tables of `docs/ablations.md` are those of `docs/results/ablate_*.json`: `npm run docs` renews them and adds a section for a
 * file that has none, this test holds them current.
 */

import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { parseAblationResults } from "fourtier/ablate"
import { expect, it } from "vitest"
import { ablationTables, explainAblation } from "../../packages/fourtier/src/ablate/tables.ts"
import { tabulate } from "../../packages/fourtier/src/util/tabulate.ts"

const docs = join(import.meta.dirname, "../../docs")
const page = join(docs, "ablations.md")
/** A table stands between `<!-- ablate_x.json shape -->` and `<!-- end -->`. */
const PLACE = /<!-- (ablate_\w+\.json) (shape|parts) -->[\s\S]*?<!-- end -->/g

const resultsIn = (file: string) => parseAblationResults(JSON.parse(readFileSync(join(docs, "results", file), "utf8")))

it("shows what was measured", async () => {
  const files = readdirSync(join(docs, "results")).filter((name) => name.startsWith("ablate_"))
  const text = readFileSync(page, "utf8")
  const missing = files.filter((file) => !text.includes(`<!-- ${file} shape -->`))
  const sections = missing.map((file) => {
    const places = ["shape", "parts"].map((which) => `<!-- ${file} ${which} -->\n<!-- end -->\n`)
    return `\n## ${resultsIn(file).title}: ${file.replace(/^ablate_|\.json$/g, "").replaceAll("_", " ")}\n\n${places.join("\n")}`
  })
  const filled = [text, ...sections].join("").replaceAll(PLACE, (_, file: string, which: string) => {
    const results = resultsIn(file)
    const { shape, parts } = ablationTables(results)
    // the page has headings of its own
    const { title: __, ...bare } = shape
    const tables = (which === "shape" ? [bare] : parts).map((table) => tabulate(table, "markdown"))
    const below = which === "shape" ? [`${explainAblation(results)}\n`] : []
    return `<!-- ${file} ${which} -->\n\n${[...tables, ...below].join("\n")}\n<!-- end -->`
  })
  await expect(filled).toMatchFileSnapshot(page)
})

it.each(readdirSync(join(docs, "results")))("%s names no file of the machine that measured", (file) => {
  expect(readFileSync(join(docs, "results", file), "utf8")).not.toMatch(/"(\/|[A-Z]:\\)[^"]*"/)
})
