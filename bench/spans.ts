/**
 * Which rule makes the best spans of what windows show: the best class of each, a threshold with a least duration, the most probable
 * course (Viterbi 1967) with a set price of changes, or stretches that stand out, thinned by soft non-maximum suppression (Bodla et al.
 * 2017) or, as `segment` does, so that none overlap.
 *
 *     npm run bench && node .fourtier/bench/spans.js <bundle> <folder> <segments.csv> [name]
 *
 * The videos of the folder are judged once; what their windows show is kept in <folder>/windows.json. Renews the rows `name` (default:
 * the folder's) of bench/spans.csv.
 */

import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { type FoundSpan, findSpans, windowOf } from "@fourtier/core/bundle"
import { type JudgedVideo, spanFigures } from "@fourtier/core/metrics"
import { judgeVideo, loadForStream } from "fourtier/deploy"
import { z } from "zod"
import { parseCsv } from "../packages/fourtier/src/util/csv.ts"
import { BENCH, stop, Table } from "./harness.ts"

const [bundle, folder, truth, name = basename(folder ?? "")] = process.argv.slice(2)
if (!bundle || !folder || !truth) stop("usage: node .fourtier/bench/spans.js <bundle> <folder> <segments.csv> [name]")

const windowSchema = z.object({ time: z.number(), probabilities: z.array(z.number()) })
const videosSchema = z.array(z.object({ video: z.string(), duration: z.number(), windows: z.array(windowSchema) }))
type Windows = z.infer<typeof windowSchema>[]

const recognizer = await loadForStream(bundle)
const { labels, unknown } = recognizer.bundle
const { window, step } = windowOf(recognizer.bundle, {})
const kept = join(folder, "windows.json")
if (!existsSync(kept)) {
  const videos: z.infer<typeof videosSchema> = []
  for (const video of readdirSync(folder).filter((file) => file.endsWith(".mp4"))) {
    const { windows, duration } = await judgeVideo(recognizer, join(folder, video), { window, step })
    const own = windows.map(({ time, probabilities }) => ({ time, probabilities: Array.from(probabilities) }))
    videos.push({ video, duration, windows: own })
  }
  writeFileSync(kept, JSON.stringify(videos))
}
await recognizer.release()
const videos = videosSchema.parse(JSON.parse(readFileSync(kept, "utf8")))

const [header, ...rows] = parseCsv(readFileSync(truth, "utf8"), truth).map(({ fields }) => fields)
const at = (row: readonly string[], column: string) => row[header.indexOf(column)]
const truths = (video: string) =>
  rows
    .filter((row) => basename(at(row, "path")) === video && at(row, "label") !== "none")
    .map((row) => ({ label: at(row, "label"), start: Number(at(row, "start")), end: Number(at(row, "end")) }))

/** Stretches of windows that a test holds for. */
function runs(windows: Windows, holds: (probabilities: readonly number[], inside: boolean) => boolean) {
  const found: { from: number; to: number }[] = []
  let inside = false
  for (const [i, { probabilities }] of windows.entries()) {
    const is = holds(probabilities, inside)
    if (is && !inside) found.push({ from: i, to: i + 1 })
    else if (is) found[found.length - 1].to = i + 1
    inside = is
  }
  return found
}

function spanOf(windows: Windows, label: number, { from, to }: { from: number; to: number }): FoundSpan {
  const score = windows.slice(from, to).reduce((sum, { probabilities }) => sum + probabilities[label], 0) / (to - from)
  return { label: labels[label], start: windows[from].time - step / 2, end: windows[to - 1].time + step / 2, score }
}

const best = (probabilities: readonly number[]) => probabilities.indexOf(Math.max(...probabilities))

/** On from a probability on, off below 0.15 less. */
const hysteresis = (on: number, least: number) => (windows: Windows) =>
  labels
    .flatMap((_, label) =>
      runs(windows, (p, inside) => p[label] >= (inside ? on - 0.15 : on)).map((run) => spanOf(windows, label, run)),
    )
    .filter(({ start, end }) => end - start >= least)

function overlap(a: FoundSpan, b: FoundSpan): number {
  const both = Math.max(0, Math.min(a.end, b.end) - Math.max(a.start, b.start))
  return both / (a.end - a.start + b.end - b.start - both)
}

const meanOf = (windows: Windows, label: number) =>
  windows.reduce((sum, { probabilities }) => sum + probabilities[label], 0) / Math.max(1, windows.length)

/** How far the inside of a run stands out from a quarter of its length on either side (Shou et al. 2018): of nested runs the whole one. */
function contrast(windows: Windows, label: number, { from, to }: { from: number; to: number }): number {
  const margin = Math.max(1, Math.round((to - from) / 4))
  const around = [...windows.slice(Math.max(0, from - margin), from), ...windows.slice(to, to + margin)]
  return meanOf(windows.slice(from, to), label) - meanOf(around, label)
}

/** Each span loses by its overlap with surer ones, of whatever label. */
const softSuppression = (sigma: number, least: number) => (windows: Windows) => {
  const thresholds = Array.from({ length: 17 }, (_, i) => 0.1 + 0.05 * i)
  let left = labels
    .flatMap((_, label) =>
      thresholds.flatMap((on) =>
        runs(windows, (p) => p[label] >= on).map((run) => ({
          ...spanOf(windows, label, run),
          score: contrast(windows, label, run),
        })),
      ),
    )
    .filter(({ start, end }) => end - start >= window / 2)
  const found: FoundSpan[] = []
  while (left.length > 0) {
    const top = left.reduce((a, b) => (b.score > a.score ? b : a))
    found.push(top)
    left = left
      .filter((span) => span !== top)
      .map((span) => ({ ...span, score: span.score * Math.exp(-(overlap(span, top) ** 2) / sigma) }))
      .filter(({ score }) => score >= least)
  }
  return found.filter(({ score }) => score >= least)
}

function logOdds(probability: number): number {
  const p = Math.min(0.999, Math.max(0.001, probability))
  return Math.log(p / (1 - p))
}

/** The state of each window, a class or their number for none: each earns its log odds, none those of the threshold. */
function likeliestCourse(windows: Windows, threshold: number, switching: number): Int32Array {
  const states = labels.length + 1
  const costs = new Float64Array(states)
  const from: Int32Array[] = []
  for (const { probabilities } of windows) {
    const cheapest = costs.indexOf(Math.min(...costs))
    const previous = Int32Array.from(costs, (cost, state) => (cost <= costs[cheapest] + switching ? state : cheapest))
    const before = Float64Array.from(previous, (state, to) => costs[state] + (state === to ? 0 : switching))
    for (let state = 0; state < states; state++)
      costs[state] = before[state] - logOdds(probabilities[state] ?? threshold)
    from.push(previous)
  }
  const found = new Int32Array(windows.length)
  let state = costs.indexOf(Math.min(...costs))
  for (let i = windows.length - 1; i >= 0; i--) {
    found[i] = state
    state = from[i][state]
  }
  return found
}

const course = (threshold: number, switching: number) => (windows: Windows) => {
  const states = likeliestCourse(windows, threshold, switching)
  return labels
    .flatMap((_, label) => {
      const own = windows.map(({ time }, i) => ({ time, probabilities: [states[i] === label ? 1 : 0] }))
      return runs(own, ([is]) => is === 1).map((run) => spanOf(windows, label, run))
    })
    .filter(({ start, end }) => end - start >= window / 2)
}

const standingOut = (threshold: number, contrast: number) => (windows: Windows) =>
  findSpans(windows, { labels, step, threshold, contrast, least: window / 2 })

const own = unknown?.threshold ?? 0.7
const rules: Record<string, (windows: Windows) => FoundSpan[]> = {
  "best class": (windows) =>
    labels.flatMap((_, label) => runs(windows, (p) => best(p) === label).map((run) => spanOf(windows, label, run))),
  ...Object.fromEntries([own, 0.5, 0.7, 0.85].map((on) => [`threshold ${on.toFixed(2)}`, hysteresis(on, window / 2)])),
  ...Object.fromEntries(
    [own, 0.5, 0.7, 0.85].flatMap((p) =>
      [1, 2, 4, 8].map((cost) => [`course ${p.toFixed(2)}, switching ${cost}`, course(p, cost)]),
    ),
  ),
  ...Object.fromEntries(
    [own, 0.5, 0.7].flatMap((p) =>
      [0.25, 0.3, 0.35, 0.4].map((c) => [`standing out by ${c}, from ${p.toFixed(2)}`, standingOut(p, c)]),
    ),
  ),
  ...Object.fromEntries(
    [0.1, 0.3, 0.5].flatMap((sigma) =>
      [0.1, 0.2, 0.3].map((least) => [`soft NMS ${sigma}, from ${least.toFixed(2)}`, softSuppression(sigma, least)]),
    ),
  ),
}
const columns = ["name", "rule", "map30", "map50", "map70", "f10", "f50", "false_alarms_an_hour"]
const table = await Table.renewed(join(BENCH, "spans.csv"), columns, 2)
for (const [rule, find] of Object.entries(rules)) {
  const judged = videos.map(({ video, duration, windows }): JudgedVideo => {
    return { videoId: video, duration, truths: truths(video), found: find(windows).sort((a, b) => a.score - b.score) }
  })
  const { map30, map50, map70, f10, f50, falseAlarms } = spanFigures(judged, { resamples: 1 })
  const shares = [map30, map50, map70, f10, f50].map(({ value }) => (100 * value).toFixed(1))
  table.add([name, rule, ...shares, falseAlarms.value.toFixed(0)])
}
await table.write()
