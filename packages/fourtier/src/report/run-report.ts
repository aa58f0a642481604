/**
 * What a run does for its report: says before training what is compared, looks at single clips afterwards, makes their pictures, and
 * writes the page.
 */

import { join } from "node:path"
import { plural, type Reporter } from "@fourtier/core"
import type { Inspection } from "../experiment/inspection.ts"
import type { Answers } from "../text/targets.ts"
import type { Lap } from "../util/stage-clock.ts"
import type { Clip } from "../video/manifest.ts"
import { relativeJournals } from "./collect.ts"
import { writePage } from "./page.ts"
import { type About, type ShownAnswers, writeAbout, writeAnswers, writeInspection, writeTimes } from "./run-files.ts"
import { shownClips, writeSmallStrips } from "./strips.ts"

/** Pictures may take this share of the time of the run, but this many seconds in any case. */
const SHARE = 0.05
const LEAST_SECONDS = 3

export interface RunReport {
  about: About
  inspection: Inspection | null
  /** Every clip of the data. */
  clips: readonly Clip[]
  answers: Answers | null
  /** Further clips to show. */
  others: readonly string[]
  /** Frames of a strip, and where the vision-language model's strip of a clip is, if anywhere. */
  frames: number
  large: (clip: Clip) => string
  journals: readonly { title: string; path: string }[]
  laps: readonly Lap[]
  reporter: Reporter
  workers?: number
  signal?: AbortSignal
}

/** Writes everything that the page is made from, but `results.json` and `predictions.csv`, which are there; then the page. */
export async function writeRunReport(run: string, input: RunReport): Promise<string> {
  const { about, inspection, clips, laps, reporter } = input
  await writeAbout(run, { ...about, status: "done", journals: relativeJournals(run, input.journals) })
  await writeInspection(run, inspection)
  await writeAnswers(run, shownAnswers(inspection, input.answers))
  const begun = performance.now()
  const byId = new Map(clips.map((clip) => [clip.id, clip]))
  const wanted = shownClips(inspection, input.others).flatMap((id) => byId.get(id) ?? [])
  const known = await writeTimes(run, laps)
  const seconds = Math.max(LEAST_SECONDS, SHARE * known.reduce((sum, lap) => sum + lap.seconds, 0))
  const there = await writeSmallStrips(run, wanted, { ...input, seconds })
  const last: Lap = { stage: "pictures for the report", seconds: (performance.now() - begun) / 1000 }
  await writeTimes(run, [...laps, last])
  const { path } = await writePage([run], join(run, "report.html"))
  const missing = wanted.length - there
  if (missing > 0) reporter.say(`report: pictures of ${there} clips, ${plural(missing, "other")} left out to save time`)
  return path
}

/** The answers that a page shows: of training clips that are examples, doubted, or come close to a clip. */
function shownAnswers(inspection: Inspection | null, answers: Answers | null): ShownAnswers {
  if (!inspection || !answers) return {}
  const shown: ShownAnswers = {}
  const add = (id: string, prompt?: string) => {
    const own = answers.get(id)
    if (!own) return
    const kept = prompt === undefined ? own : { [prompt]: own[prompt] }
    shown[id] = { ...shown[id], ...Object.fromEntries(Object.entries(kept).filter(([, text]) => text !== undefined)) }
  }
  for (const { clip } of inspection.doubts?.found ?? []) add(clip)
  for (const { id, closest } of inspection.clips) {
    add(id)
    for (const [prompt, found] of Object.entries(closest)) for (const [other] of found) add(other, prompt)
  }
  return shown
}
