/** The pictures of a report: confusion matrix, accuracy per class, training curves. */

import { groupBy } from "@fourtier/core"
import { FourtierError, messageOf } from "@fourtier/tensor"
import { z } from "zod"
import type { MethodSummary, SplitSummary } from "../evaluate/results.ts"
import { barChart, heatMap, type LinePanel, lineChart } from "./plot.ts"
import { shorten } from "./svg.ts"

/** Heat map of one method's confusion counts; a cell's shade is its share of the true class. */
export function confusionChart(split: SplitSummary, method: MethodSummary): string {
  const totals = method.confusion.map((row) => row.reduce((sum, count) => sum + count, 0))
  const runs = method.seeds.length > 1 ? `, ${method.seeds.length} seeds` : ""
  return heatMap({
    title: `Confusion of ${method.method}, ${split.split} (${split.clips} clips${runs})`,
    rows: split.classes,
    columns: split.classes,
    shades: method.confusion.map((row, r) => row.map((count) => (totals[r] > 0 ? count / totals[r] : 0))),
    texts: method.confusion.map((row) => row.map((count) => String(count))),
    rowTitle: "true class",
    columnTitle: "predicted class",
  })
}

/** With more classes than this, only those that differ most are drawn. */
const mostClasses = 30

/**
 * Accuracy per class of two methods with Wilson intervals. With many classes: the ten where the first gains most on the
 * second, and the ten where it loses most.
 */
export function classChart(split: SplitSummary, method: MethodSummary, other: MethodSummary | undefined): string {
  const methods = other === undefined ? [method] : [method, other]
  const tested = method.classes.flatMap(({ support }, c) => (support > 0 ? [c] : []))
  const gain = (c: number) => (method.classes[c].recall ?? 0) - (other?.classes[c].recall ?? 0)
  const many = tested.length > mostClasses
  const ranked = [...tested].sort((a, b) => gain(b) - gain(a))
  const shown = many ? [...ranked.slice(0, 10), ...ranked.slice(-10)] : tested
  const extent = many ? `: the 10 highest and 10 lowest differences of ${tested.length} classes` : ""
  return barChart({
    title: `Accuracy per class, ${split.split}${extent}`,
    categories: shown.map((c) => `${shorten(split.classes[c], 28)} (${clipsOf(method, c)})`),
    series: methods.map(({ method: name, classes }) => ({
      name,
      values: shown.map((c) => percent(classes[c].recall)),
      low: shown.map((c) => percent(classes[c].interval?.low)),
      high: shown.map((c) => percent(classes[c].interval?.high)),
    })),
    valueTitle: "accuracy in % with Wilson interval; number of clips in brackets",
    range: [0, 100],
  })
}

function clipsOf(method: MethodSummary, c: number): number {
  return method.classes[c].support / Math.max(1, method.seeds.length)
}

function percent(share: number | null | undefined): number | null {
  return share === null || share === undefined ? null : 100 * share
}

/** A line of `metrics.jsonl`: where in training, then one figure per further key. */
const journalLine = z
  .object({ step: z.number(), epoch: z.number().optional(), split: z.string() })
  .catchall(z.number().nullable())

export interface Journal {
  /** The stage this journal is of: journals of one title (folds, seeds) are averaged. */
  title: string
  /** Shown in errors. */
  path: string
  /** The file's text, one JSON object a line. */
  text: string
}

interface Point {
  panel: string
  series: string
  step: number
  value: number
}

/**
 * Curves of the losses and scores in the journals: a panel per stage and figure, a line per part (train, val); the losses of single
 * prompts share a panel. Learning rates follow from the settings and are left out.
 * @throws FourtierError for a line that is no record; a torn last line is left out
 */
export function trainingPanels(journals: readonly Journal[]): LinePanel[] {
  const points = journals.flatMap(readJournal)
  return [...groupBy(points, ({ panel }) => panel)].map(
    ([title, ofPanel]): LinePanel => ({
      title,
      xTitle: "update",
      series: [...groupBy(ofPanel, ({ series }) => series)].map(([name, same]) => ({ name, points: curve(same) })),
    }),
  )
}

/** These curves as a picture; null where the journals hold nothing. */
export function trainingChart(journals: readonly Journal[]): string | null {
  const panels = trainingPanels(journals)
  return panels.length === 0 ? null : lineChart({ title: "Training", panels })
}

function readJournal({ title, path, text }: Journal): Point[] {
  const lines = text.split("\n")
  return lines.flatMap((line, i) => {
    if (line.trim() === "") return []
    const record = parseLine(line)
    if (record instanceof Error) {
      if (i === lines.length - 1) return []
      throw new FourtierError({ where: `${path}:${i + 1}`, what: "not a journal line", found: record.message })
    }
    const { step, epoch: _, split, learningRate: __, ...figures } = record
    return Object.entries(figures).flatMap(([name, value]) =>
      typeof value === "number" ? [{ ...placeOf(title, name, split), step, value }] : [],
    )
  })
}

/** Panel and line of a figure: "loss.A" of stage 1 in training is line "A" of "stage 1: loss by prompt". */
function placeOf(title: string, figure: string, part: string): Pick<Point, "panel" | "series"> {
  const prompt = /^loss\.(.+)$/.exec(figure)?.[1]
  if (prompt === undefined) return { panel: `${title}: ${figure}`, series: part }
  return { panel: `${title}: loss by prompt`, series: part === "train" ? prompt : `${prompt}, ${part}` }
}

function parseLine(line: string): z.infer<typeof journalLine> | Error {
  try {
    const parsed = journalLine.safeParse(JSON.parse(line))
    return parsed.success ? parsed.data : parsed.error
  } catch (error) {
    return new Error(messageOf(error))
  }
}

/** Mean value per step, then at most 300 points, each the mean of a stretch of steps. */
function curve(points: readonly Point[]): [number, number][] {
  const steps = [...groupBy(points, ({ step }) => step)].sort(([a], [b]) => a - b)
  const means = steps.map(([step, same]): [number, number] => [step, mean(same.map(({ value }) => value))])
  const stretch = Math.ceil(means.length / 300)
  return Array.from({ length: Math.ceil(means.length / stretch) }, (_, i) => {
    const part = means.slice(i * stretch, (i + 1) * stretch)
    return [mean(part.map(([step]) => step)), mean(part.map(([, value]) => value))]
  })
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
