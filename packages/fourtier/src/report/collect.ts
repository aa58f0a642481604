/**
 * From a run's folder to the data of its page. Everything is read from files that the run has written; nothing is computed from
 * videos, features or weights.
 */

import { existsSync, readdirSync } from "node:fs"
import { basename, dirname, join, relative, resolve } from "node:path"
import { METHOD_NAMES, titleOf } from "@fourtier/core/model"
import { FourtierError } from "@fourtier/tensor"
import { readJson, readText } from "@fourtier/tensor/node"
import { z } from "zod"
import type { EvaluationResults, SplitSummary } from "../evaluate/results.ts"
import { safeName } from "../experiment/trial.ts"
import { ownCsvRows, parseCsv } from "../util/csv.ts"
import { type Clip, type Manifest, readManifest } from "../video/manifest.ts"
import { adviceFor, type TestedClip } from "./advice.ts"
import { trainingPanels } from "./charts.ts"
import { healthOf } from "./health.ts"
import type {
  PageClip,
  PageCurve,
  PagePrediction,
  PagePredictions,
  PageResults,
  PageSplit,
  RunData,
} from "./page-data.ts"
import { type About, readAbout, readAnswers, readInspection, readTimes } from "./run-files.ts"
import { readSmallStrips, shownClips } from "./strips.ts"

/** Predictions of a split that a page holds, and rows of tables of pseudo-labels. */
const MOST_PREDICTIONS = 4000
const MOST_PSEUDO_LABELS = 60
/** Bytes of strips in a page, shared by its runs. */
const ROOM = 8e6

export interface CollectOptions {
  /** How many runs share the page: strips take room. */
  runs?: number
}

/**
 * Reads what there is of a run, which may still be training.
 * @throws FourtierError where the folder is not that of a run, or a file of it is damaged
 */
export async function collectRun(run: string, { runs = 1 }: CollectOptions = {}): Promise<RunData> {
  const [about, manifest, results] = [await readAbout(run), await manifestOf(run), await resultsOf(run)]
  if (!about && !results) throw notARun(run)
  const [inspection, times, answers] = [await readInspection(run), await readTimes(run), await readAnswers(run)]
  const predictions = results ? await referencePredictions(run, results) : []
  const suggestions = await suggestionsOf(run)
  const pseudoLabels = await pseudoLabelsOf(run, about, manifest)
  const ids = shownClips(
    inspection,
    [...suggestions.map(({ clip }) => clip), ...(pseudoLabels?.rows ?? []).map(({ clip }) => clip)].slice(0, 30),
  )
  const { strips } = await readSmallStrips(run, ids, ROOM / runs)
  const named = new Set([...ids, ...predictions.flatMap(({ rows }) => rows.map(([clip]) => clip))])
  const clips = clipsOf(manifest, named, strips)
  return {
    name: basename(resolve(run)),
    title: about?.title ?? basename(resolve(run)),
    about,
    results: results && trimmed(results),
    predictions,
    curves: await curvesOf(run, about),
    inspection,
    answers,
    clips,
    withoutStrip: ids.filter((id) => !strips.has(id)).length,
    pseudoLabels,
    suggestions,
    health: manifest && healthOf(manifest, about?.encoder.frames ?? 1, about?.findings ?? []),
    advice: results ? adviceFor({ results, tested: testedClips(predictions, manifest), about, inspection }) : [],
    times,
    config: existsSync(join(run, "config.yaml")) ? await readText(join(run, "config.yaml")) : null,
  }
}

function notARun(run: string): FourtierError {
  return new FourtierError({
    where: run,
    what: existsSync(run)
      ? "not the folder of a run: neither results.json nor report/about.json is in it"
      : "no such folder",
    expected: "a folder that `fourtier run` or `fourtier evaluate` has written, such as runs/clips",
    fix: "give the folder of a run",
  })
}

async function manifestOf(run: string): Promise<Manifest | null> {
  const path = join(run, "manifest.jsonl")
  return existsSync(path) ? (await readManifest(path)).manifest : null
}

const headSchema = z.object({
  format: z.literal(1),
  reference: z.string(),
  splits: z.array(z.object({ split: z.string() })),
})

/** `results.json` as this program has written it: its head is checked, the rest is taken at its word. */
export async function resultsOf(run: string): Promise<EvaluationResults | null> {
  const path = join(run, "results.json")
  if (!existsSync(path)) return null
  const value = await readJson(path)
  if (isResults(value)) return value
  throw new FourtierError({
    where: path,
    what: "not the results of this version of fourtier",
    expected: '{ "format": 1, "reference": …, "splits": … }',
    fix: "run `fourtier evaluate` on the data again",
  })
}

function isResults(value: unknown): value is EvaluationResults {
  return headSchema.safeParse(value).success
}

/** Results without what the page does not draw: classes and confusion of other methods than the reference and the baseline. */
function trimmed(results: EvaluationResults): PageResults {
  const { splits, means, reference } = results
  return {
    ...results,
    splits: splits.map((split, i) => trimmedSplit(split, `splits[${i}]`, reference)),
    means: means.map((mean, i) => trimmedSplit(mean, `means[${i}]`, reference)),
  }
}

function trimmedSplit(split: SplitSummary, place: string, reference: string): PageSplit {
  const kept = [reference, "baseline", titleOf("full-shuffled")]
  return {
    ...split,
    place,
    methods: split.methods.map((own, i) => ({
      ...own,
      index: i,
      // what was written before these bins were
      calibrated: own.calibrated && { ...own.calibrated, reliability: own.calibrated.reliability ?? [] },
      classes: kept.includes(own.method) ? own.classes : null,
      confusion:
        own.method === reference
          ? own.confusion.flatMap((row, r) =>
              row.flatMap((count, c): [number, number, number][] => (count > 0 ? [[r, c, count]] : [])),
            )
          : null,
    })),
  }
}

/** The reference's predictions of each split, the most confident mistakes first. */
async function referencePredictions(run: string, { reference, splits }: EvaluationResults): Promise<PagePredictions[]> {
  const path = join(run, "predictions.csv")
  const bySplit = new Map<string, PagePrediction[]>()
  if (existsSync(path)) {
    let head: string[] | null = null
    let names = new Map<string, number>()
    for await (const fields of ownCsvRows(path)) {
      if (head === null) {
        head = fields
        names = new Map(fields.filter((name) => name.startsWith("p:")).map((name, c) => [name.slice("p:".length), c]))
        continue
      }
      const at = head
      const field = (name: string) => fields[at.indexOf(name)] ?? ""
      const shares = fields.slice(fields.length - names.size)
      const [truth, said] = [names.get(field("label")), names.get(field("predicted"))]
      if (field("method") !== reference || truth === undefined || said === undefined) continue
      const rows = bySplit.get(field("split")) ?? []
      bySplit.set(field("split"), rows)
      const seed = field("seed") === "" ? null : Number(field("seed"))
      rows.push([field("clip"), truth, said, share(shares[said]), share(shares[truth]), field("fold"), seed])
    }
  }
  const confidence = ([, truth, said, probability]: PagePrediction) => (truth === said ? 0 : probability)
  const whole = splits.filter(({ excluded }) => excluded.length === 0)
  return whole.flatMap(({ split }) => {
    const rows = bySplit.get(split)
    if (!rows) return []
    const sorted = rows.toSorted((a, b) => confidence(b) - confidence(a))
    return [{ split, method: reference, rows: sorted.slice(0, MOST_PREDICTIONS), all: rows.length }]
  })
}

const share = (text: string) => Number(Number(text).toPrecision(4))

function testedClips(predictions: readonly PagePredictions[], manifest: Manifest | null): TestedClip[] {
  const columns = new Map(manifest?.clips.map((clip) => [clip.id, columnsOf(clip)]))
  return predictions.flatMap(({ split, rows }) =>
    rows.map(([clip, label, said]) => ({ split, clip, label, said, columns: columns.get(clip) ?? {} })),
  )
}

/** What may tell where mistakes are: no column that names the clip or its class. */
function columnsOf({ columns, group, label }: Clip): Record<string, string> {
  const own = Object.entries(columns).filter(([name, value]) => name !== "path" && name !== "group" && value !== label)
  return Object.fromEntries(group === null ? own : [...own, ["group", group]])
}

function clipsOf(
  manifest: Manifest | null,
  ids: ReadonlySet<string>,
  strips: ReadonlyMap<string, string>,
): Record<string, PageClip> {
  const known = manifest?.clips.filter(({ id }) => ids.has(id)) ?? []
  return Object.fromEntries(
    known.map(({ id, relative: path, label, group, duration, frames, width, height }) => [
      id,
      { path, label, group, seconds: duration, frames, width, height, strip: strips.get(id) ?? null },
    ]),
  )
}

async function curvesOf(run: string, about: About | null): Promise<PageCurve[]> {
  const journals =
    about?.status === "done" ? about.journals.map(({ title, path }) => ({ title, path: join(run, path) })) : found(run)
  const read = await Promise.all(
    journals
      .filter(({ path }) => existsSync(path))
      .map(async (journal) => ({ ...journal, text: await readText(journal.path) })),
  )
  return trainingPanels(read).map(({ title, series }) => ({
    panel: title,
    series: series.map(({ name, points }) => ({
      name,
      points: points.map(([x, y]): [number, number] => [x, digits(y)]),
    })),
  }))
}

const digits = (value: number) => Number(value.toPrecision(5))

/** Journals of a run that is under way: whatever is there. */
function found(run: string): { title: string; path: string }[] {
  const folder = join(run, "trials")
  if (!existsSync(folder)) return []
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter(
    (file) => basename(file) === "metrics.jsonl",
  )
  return files.toSorted().map((file) => ({ title: titleOfFolder(basename(dirname(file))), path: join(folder, file) }))
}

/** "stage-1" is "stage 1", "full-shuffled-answers" is "full, shuffled answers". */
export function titleOfFolder(name: string): string {
  const known = ["stage 1", "stage 1, shuffled answers", "baseline, pseudo-labels", ...METHOD_NAMES.map(titleOf)]
  return known.find((title) => safeName(title) === name) ?? name
}

async function suggestionsOf(run: string): Promise<RunData["suggestions"]> {
  const path = join(run, "suggestions.csv")
  if (!existsSync(path)) return []
  const [, ...rows] = parseCsv(await readText(path), path)
  return rows.map(({ fields: [clip, guess, probability] }) => ({ clip, guess, probability: Number(probability) }))
}

/** The first training's pseudo-labels, the least sure first. */
async function pseudoLabelsOf(
  run: string,
  about: About | null,
  manifest: Manifest | null,
): Promise<RunData["pseudoLabels"]> {
  const [first] = about?.splits ?? []
  if (!first || !about) return null
  const path = join(run, "trials", safeName(first.training), `seed${about.seeds[0] ?? 0}`, "pseudo-labels.csv")
  if (!existsSync(path)) return null
  const [, ...rows] = parseCsv(await readText(path), path)
  const labels = new Map(manifest?.clips.map(({ id, label }) => [id, label]))
  const own = rows.map(({ fields: [clip, label, probability] }) => ({
    clip,
    label,
    probability: Number(probability),
    known: labels.get(clip) ?? null,
  }))
  return { rows: own.slice(0, MOST_PSEUDO_LABELS), all: own.length }
}

/** Paths of journals as `about.json` keeps them. */
export function relativeJournals(run: string, journals: readonly { title: string; path: string }[]) {
  return journals.map(({ title, path }) => ({ title, path: relative(run, path).replaceAll("\\", "/") }))
}
