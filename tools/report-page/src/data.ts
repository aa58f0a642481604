/** What the page is given, and how it finds its way in it. */

import type * as page from "../../../packages/fourtier/src/report/page-data.ts"

export type { page }

/** The data that was written into the page. */
export function embedded(): page.PageData {
  const element = document.getElementById("data")
  return JSON.parse(element?.textContent ?? "")
}

/** The tables of results that leave no class out: of single splits. */
export function wholeSplits({ results }: page.RunData): page.PageSplit[] {
  return results?.splits.filter(({ excluded }) => excluded.length === 0) ?? []
}

/** The same, the mean over several splits before them where there is one. */
export const wholeTables = (run: page.RunData): page.PageSplit[] => [...(run.results?.means ?? []), ...wholeSplits(run)]

export function methodOf(split: page.PageSplit, name: string): page.PageMethod | undefined {
  return split.methods.find(({ method }) => method === name)
}

/** Where a method of a split stands in `results.json`. */
export const pathOf = (split: page.PageSplit, method: page.PageMethod) => `${split.place}.methods[${method.index}]`

export const SHUFFLED = "full, shuffled answers"

/** Share of the test clips of the largest class: what always naming it is right for. */
export function largestClass(method: page.PageMethod | undefined): { name: string; share: number } | null {
  const classes = method?.classes ?? []
  const all = classes.reduce((sum, { support }) => sum + support, 0)
  const largest = [...classes].sort((a, b) => b.support - a.support)[0]
  return largest && all > 0 ? { name: largest.name, share: largest.support / all } : null
}

/** What the parts of a table of results are called. */
export const partsOf = ({ place }: page.PageSplit) => (place.startsWith("means") ? "splits" : "folds")
