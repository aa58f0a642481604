/** What a training came to, read from the files of its run. */

import { existsSync } from "node:fs"
import { readdir, stat } from "node:fs/promises"
import { join } from "node:path"
import { readText } from "@fourtier/tensor/node"
import { resultsOf } from "../report/collect.ts"
import { readInspection, readTimes } from "../report/run-files.ts"
import { ownCsvRows, parseCsv } from "../util/csv.ts"
import { readManifest } from "../video/manifest.ts"
import type { Part, StudioPrediction, StudioReport, Suggestion } from "./api.ts"
import { idOf } from "./collection.ts"

/** A held-out clip that is surely said to be something else: its label is doubted. */
const SURE = 0.9

const MOST_DOUBTS = 40

/** Ids of the studio by those of the run's manifest. */
async function idsOf(run: string): Promise<Map<string, string>> {
  const path = join(run, "manifest.jsonl")
  if (!existsSync(path)) return new Map()
  const { manifest } = await readManifest(path)
  return new Map(manifest.clips.map((clip) => [clip.id, idOf(clip)]))
}

let kept: { run: string; stamp: string; report: StudioReport | null } | null = null

/** The figures of a finished run, read once as long as they are the same; null before there are some. */
export async function outcomeOf(run: string): Promise<StudioReport | null> {
  const marks = await Promise.all(
    ["results.json", "report.html"].map((name) => stat(join(run, name)).catch(() => null)),
  )
  const stamp = marks.map((mark) => `${mark?.size} ${mark?.mtimeMs}`).join()
  if (kept?.run !== run || kept.stamp !== stamp) kept = { run, stamp, report: await readOutcome(run) }
  return kept.report
}

async function readOutcome(run: string): Promise<StudioReport | null> {
  const results = await resultsOf(run)
  const [split] = results?.splits ?? []
  if (!results || !split) return null
  const ids = await idsOf(run)
  const predictions = await predictionsOf(run, results.reference, split.split, split.classes, ids)
  const inspection = await readInspection(run)
  const methods = split.methods.flatMap(({ method, figures: { top1 } }) =>
    top1 ? [{ method, top1: top1.value, low: top1.low, high: top1.high }] : [],
  )
  const first = (name: string) => (name === results.reference ? 0 : 1)
  const folds = split.folds.length
  return {
    made: Math.round((await stat(join(run, "results.json"))).mtimeMs),
    classes: split.classes,
    tested: folds > 1 ? `${folds} folds` : `${split.clips} clips were held out of training`,
    trained: Math.max(0, ids.size - (folds > 1 ? 0 : split.clips)),
    heldOut: split.clips,
    methods: methods.toSorted((a, b) => first(a.method) - first(b.method)),
    predictions,
    doubts: [
      ...(inspection?.doubts?.found ?? []).flatMap(({ clip, features }) => {
        const id = ids.get(clip)
        return id === undefined
          ? []
          : [{ clip: id, said: split.classes[features.class] ?? "", probability: features.share }]
      }),
      ...surelyOther(predictions, split.classes),
    ].slice(0, MOST_DOUBTS),
    seconds: (await readTimes(run)).reduce((sum, { seconds }) => sum + seconds, 0),
    page: existsSync(join(run, "report.html")) ? "report" : null,
  }
}

function surelyOther(predictions: readonly StudioPrediction[], classes: readonly string[]) {
  return predictions
    .map(({ clip, label, probabilities }) => {
      const probability = Math.max(...probabilities)
      return { clip, label, said: probabilities.indexOf(probability), probability }
    })
    .filter(({ label, said, probability }) => said !== label && probability >= SURE)
    .toSorted((a, b) => b.probability - a.probability)
    .map(({ clip, said, probability }) => ({ clip, said: classes[said], probability }))
}

/** What the reference says of held-out clips, by the first seed that tested each. */
async function predictionsOf(
  run: string,
  reference: string,
  split: string,
  classes: readonly string[],
  ids: ReadonlyMap<string, string>,
): Promise<StudioPrediction[]> {
  const path = join(run, "predictions.csv")
  if (!existsSync(path)) return []
  const found = new Map<string, StudioPrediction>()
  let head: string[] | null = null
  for await (const fields of ownCsvRows(path)) {
    if (head === null) {
      head = fields
      continue
    }
    const at = head
    const field = (name: string) => fields[at.indexOf(name)] ?? ""
    const clip = ids.get(field("clip"))
    const label = classes.indexOf(field("label"))
    if (field("method") !== reference || field("split") !== split || clip === undefined || label < 0) continue
    if (found.has(clip)) continue
    found.set(clip, { clip, label, probabilities: classes.map((name) => rounded(field(`p:${name}`))) })
  }
  return [...found.values()]
}

const rounded = (text: string) => Number(Number(text).toPrecision(4))

/** In which part each clip was when it was last trained. */
export async function partsOf(run: string): Promise<Map<string, Part>> {
  if (!existsSync(join(run, "manifest.jsonl"))) return new Map()
  const ids = await idsOf(run)
  const report = await outcomeOf(run).catch(() => null)
  const tested = new Set(report?.predictions.map(({ clip }) => clip))
  return new Map([...ids.values()].map((id) => [id, tested.has(id) ? "test" : "train"] as const))
}

/** Clips whose label would teach most, the first first; then the other pseudo-labels, the least sure first. */
export async function suggestionsOf(run: string): Promise<Suggestion[]> {
  const ids = await idsOf(run)
  const rows = [...(await rowsOf(join(run, "suggestions.csv"))), ...(await rowsOf(await pseudoLabels(run)))]
  const found = new Map<string, Suggestion>()
  for (const [clip, label, probability] of rows) {
    const id = ids.get(clip)
    if (id !== undefined && !found.has(id)) found.set(id, { clip: id, label, probability: Number(probability) })
  }
  return [...found.values()]
}

/** The table of the first trial that has one. */
async function pseudoLabels(run: string): Promise<string> {
  const trials = join(run, "trials")
  if (!existsSync(trials)) return trials
  const files = await readdir(trials, { recursive: true })
  return join(trials, files.filter((file) => file.endsWith("pseudo-labels.csv")).toSorted()[0] ?? "none")
}

async function rowsOf(path: string): Promise<string[][]> {
  if (!existsSync(path) || !path.endsWith(".csv")) return []
  const [, ...rows] = parseCsv(await readText(path), path)
  return rows.map(({ fields }) => fields)
}

/** Names of the files of a run's bundle, by "/"; none before there is one. */
export async function bundleFiles(run: string): Promise<string[]> {
  const folder = join(run, "bundle")
  if (!existsSync(join(folder, "bundle.json"))) return []
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile() && !entry.name.startsWith(".") && !/\.tmp-\d+-[0-9a-f]{8}$/.test(entry.name))
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(folder.length + 1)
        .replaceAll("\\", "/"),
    )
    .toSorted()
}
