/**
 * Writes what a comparison of methods found.
 *
 *     predictions of every method ── summarise ──┬── results.json      every figure
 *                                                ├── report.md         tables and pictures
 *                                                ├── confusion.svg, classes.svg (one each per split), training.svg
 *                                                └── predictions.csv   every prediction
 */

import type { FileHandle } from "node:fs/promises"
import { join } from "node:path"
import { csvLine, distinct, plural } from "@fourtier/core"
import { argmax } from "@fourtier/core/metrics"
import { titleOf } from "@fourtier/core/model"
import { readText, writeAtomically, writeFileAtomic, writeJson } from "@fourtier/tensor/node"
import type {
  EvaluationInput,
  EvaluationResults,
  MethodPredictions,
  MethodSummary,
  SplitSummary,
} from "../evaluate/results.ts"
import { summarise } from "../evaluate/summary.ts"
import { formatFigures } from "../experiment/pseudo-label-figures.ts"
import { formatCount, formatDifference, formatInterval, formatLevel, formatP, formatPercent } from "../util/figures.ts"
import { type Column, markdownTable, terminalTable, wrapText } from "../util/table.ts"
import { classChart, confusionChart, trainingChart } from "./charts.ts"

export interface ReportInput extends EvaluationInput {
  title: string
  /** The method drawn beside the reference in the class chart; by default "baseline" where there is one. */
  baseline?: string
  /** Training journals (`metrics.jsonl`) by stage; those of one stage are averaged. */
  journals?: readonly { title: string; path: string }[]
  /** Further paragraphs of the report, such as how the data were split. */
  notes?: readonly string[]
}

export interface Report {
  results: EvaluationResults
  /** Tables for a terminal. */
  text: string
  /** Paths of all files written. */
  files: string[]
}

/**
 * Summarises the predictions and writes all files of the report into `folder`.
 *
 * @example
 * ```ts
 * import { writeReport } from "fourtier/report"
 *
 * const predictions = [{ clipId: "jump/a", label: 0, probabilities: [0.7, 0.3] }]
 * const runs = [{ split: "test", method: "full", trainedWeights: null, predictions }]
 * const input = { title: "Mine", classes: ["jump", "wave"], runs, reference: "full", configHash: "5f1c" }
 * const { text, files } = await writeReport("runs/mine", input)
 * ```
 */
export async function writeReport(folder: string, input: ReportInput): Promise<Report> {
  const results = summarise(input)
  const pictures = [...drawSplits(results, input.baseline), ...(await drawTraining(input.journals ?? []))]
  for (const { name, svg } of pictures) await writeFileAtomic(join(folder, name), svg)
  await writePredictions(join(folder, "predictions.csv"), input.runs, input.classes)
  await writeFileAtomic(join(folder, "report.md"), markdownReport(input, results, pictures))
  await writeJson(join(folder, "results.json"), results)
  const names = [...pictures.map(({ name }) => name), "predictions.csv", "report.md", "results.json"]
  return { results, text: terminalReport(results), files: names.map((name) => join(folder, name)) }
}

interface Picture {
  name: string
  caption: string
  svg: string
}

function drawSplits(results: EvaluationResults, baseline = "baseline"): Picture[] {
  const whole = results.splits.filter(({ excluded }) => excluded.length === 0)
  return whole.flatMap((split) => {
    const suffix = whole.length === 1 ? "" : `-${fileName(split.split)}`
    const method = split.methods.find((one) => one.method === results.reference)
    const other = split.methods.find((one) => one.method === baseline && one !== method)
    if (method === undefined) return []
    return [
      {
        name: `confusion${suffix}.svg`,
        caption: `Confusion matrix, ${split.split}`,
        svg: confusionChart(split, method),
      },
      { name: `classes${suffix}.svg`, caption: `Classes, ${split.split}`, svg: classChart(split, method, other) },
    ]
  })
}

function fileName(name: string): string {
  return name.normalize("NFKD").replaceAll(/[^\p{L}\p{N}._-]+/gu, "_") || "split"
}

async function drawTraining(journals: readonly { title: string; path: string }[]): Promise<Picture[]> {
  const read = await Promise.all(journals.map(async (journal) => ({ ...journal, text: await readText(journal.path) })))
  const svg = trainingChart(read)
  return svg === null ? [] : [{ name: "training.svg", caption: "Training curves", svg }]
}

/**
 * One row per prediction: split, method, fold, seed, clip, true class, predicted class, group, probability of each class. These have
 * as many digits as float32 needs, so that every figure can be computed from them again.
 */
async function writePredictions(
  path: string,
  runs: readonly MethodPredictions[],
  classes: readonly string[],
): Promise<void> {
  const head = [
    "split",
    "method",
    "fold",
    "seed",
    "clip",
    "label",
    "predicted",
    "group",
    ...classes.map((name) => `p:${name}`),
  ]
  await writeAtomically(path, async (file: FileHandle) => {
    await file.writeFile(csvLine(head))
    for (const { split, method, predictions } of runs) {
      for (let start = 0; start < predictions.length; start += 1000) {
        const rows = predictions
          .slice(start, start + 1000)
          .map(({ clipId, label, probabilities, fold, seed, group }) => {
            const names = [classes[label], classes[argmax(probabilities)]]
            const shares = Array.from(probabilities, (p) => Number(p.toPrecision(9)))
            return csvLine([split, method, fold ?? null, seed ?? null, clipId, ...names, group ?? null, ...shares])
          })
        await file.writeFile(rows.join(""))
      }
    }
  })
}

function columnsFor({ reference, level }: EvaluationResults): Column[] {
  const interval = `[${formatLevel(level)} % interval]`
  return [
    { title: "method" },
    { title: "seeds", align: "right" },
    { title: `top-1 %\n${interval}`, align: "right" },
    { title: "top-5 %", align: "right" },
    { title: "mean\nclass %", align: "right" },
    { title: "weights\ntrained", align: "right" },
    { title: `${reference} − method,\ntop-1 ${interval}`, align: "right" },
    { title: "p", align: "right" },
  ]
}

function rowFor({ method, seeds, figures, trainedWeights, difference }: MethodSummary): string[] {
  return [
    method,
    seeds.length === 0 ? "–" : String(seeds.length),
    formatInterval(figures.top1),
    figures.top5 === undefined ? "–" : formatPercent(figures.top5.value),
    figures.meanClass === undefined ? "–" : formatPercent(figures.meanClass.value),
    trainedWeights === null ? "–" : formatCount(trainedWeights),
    formatDifference(difference?.top1),
    difference?.top1 === undefined ? "" : formatP(difference.top1.p),
  ]
}

/**
 * The tables of all splits for a terminal.
 *
 * @example
 * ```ts
 * import { type EvaluationInput, summarise } from "fourtier/evaluate"
 * import { terminalReport } from "fourtier/report"
 *
 * const show = (input: EvaluationInput) => console.log(terminalReport(summarise(input)))
 * ```
 */
export function terminalReport(results: EvaluationResults): string {
  const columns = columnsFor(results)
  const tables = [...results.splits, ...results.means].map((split) =>
    [
      heading(split, partsOf(split, results)),
      terminalTable(columns, split.methods.map(rowFor)),
      ...wordsLine(split, results.reference),
    ].join("\n"),
  )
  const { views } = results
  const told = views !== null && (views.clips > 1 || views.networks.some(({ published }) => published !== null))
  return `${[...tables, ...(told ? viewLines(results).map((line) => wrapText(line)) : [])].join("\n\n")}\n`
}

/** How many views of a clip were looked at, and what that costs, beside the paper's tables. */
function viewLines({ views }: EvaluationResults): string[] {
  if (views === null) return []
  const { clips, crops, frames, resolution, networks } = views
  const costs = networks.map(({ name, weights, tflops, published: table }) => {
    const beside = table ? ` (${table.name}, ${table.table}: ${table.weights ?? "–"} M, ${table.tflops} T)` : ""
    return `${name} ${formatCount(weights)} weights, ${tflops.toPrecision(3)} T${beside}`
  })
  return [
    `Views of a clip: ${clips}×${crops}, ${frames} frames of ${resolution.join("×")}. Multiply-adds of all views: ${costs.join("; ")}.`,
  ]
}

const partsOf = (split: SplitSummary, { means }: EvaluationResults) => (means.includes(split) ? "splits" : "folds")

/** @param parted what its folds are called */
function heading({ split, excluded, clips, groups, folds, classes }: SplitSummary, parted: string): string {
  const parts = [plural(clips, "clip"), plural(classes.length, "class", "classes")]
  if (folds.length > 1) parts.push(`${folds.length} ${parted}`)
  if (groups !== null) parts.push(plural(groups, "group"))
  return `${split}${excluded.length > 0 ? ` without ${excluded.join(", ")}` : ""} (${parts.join(", ")})`
}

function markdownReport(input: ReportInput, results: EvaluationResults, pictures: readonly Picture[]): string {
  const sections = [...results.splits, ...results.means].map((split) => {
    const table = markdownTable(columnsFor(results), split.methods.map(rowFor))
    const quality = [precisionLine(split), calibrationLine(split), ...calibratedLine(split)]
    const lines = [...wordsLine(split, results.reference), ...quality]
    return `## ${heading(split, partsOf(split, results))}\n\n${table}\n\n${lines.join("\n\n")}`
  })
  const classSections = results.splits
    .filter(({ excluded }) => excluded.length === 0)
    .map((split) => `### ${split.split}: classes of ${results.reference}\n\n${classTable(split, results.reference)}`)
  return `${[
    `# ${input.title}`,
    ...(input.notes ?? []),
    ...pseudoLabelNotes(results),
    ...retrievalNotes(results),
    ...backgroundNotes(results),
    ...sections,
    ...viewLines(results),
    ...pictures.map(({ name, caption }) => `![${caption}](${encodeURI(name)})`),
    ...classSections,
    "## How to read this",
    explanation(results),
  ].join("\n\n")}\n`
}

function pseudoLabelNotes({ pseudoLabels }: EvaluationResults): string[] {
  if (pseudoLabels.length === 0) return []
  const intro = "Training clips without a label were pseudo-labelled from the VLM's answers about them:"
  const lines = pseudoLabels.map((own) => `- ${own.split}, seed ${own.seed}${own.answers}: ${formatFigures(own)}`)
  return [[intro, ...lines].join("\n")]
}

/** What the model says of clips of no class. */
function backgroundNotes({ background, reference }: EvaluationResults): string[] {
  if (background.length === 0) return []
  const columns: Column[] = [
    { title: "split" },
    ...["seed", "clips", "threshold", "tested", "false alarms", "clips of classes kept", "ROC area"].map(
      (title): Column => ({ title, align: "right" }),
    ),
  ]
  const share = (value: number | null) => (value === null ? "–" : `${formatPercent(value)} %`)
  const rows = background.map(({ split, seed, clips, threshold, tested, falseAlarms, recognised, rocArea }) => [
    ...[split, String(seed), String(clips), threshold.toFixed(3), String(tested), share(falseAlarms)],
    ...[share(recognised), rocArea === null ? "–" : rocArea.toFixed(3)],
  ])
  const [{ falseAlarmRate, learned }] = background
  const intro = `Clips of no class: the threshold of unknown is set on those outside of the test part, by ${reference} ${learned ? "trained on others of them" : "that was not trained on them"}, for ${formatPercent(falseAlarmRate)} % false alarms, and tested on the others.`
  return [`${intro}\n\n${markdownTable(columns, rows)}`]
}

/** How well held-out clips find their own answers: a table of means over the trials. */
function retrievalNotes({ retrieval }: EvaluationResults): string[] {
  const measured = retrieval.filter(({ prompts }) => Object.keys(prompts).length > 0)
  if (measured.length === 0) return []
  const kinds = distinct(measured.map(({ answers }) => answers))
  const columns: Column[] = [
    { title: "prompt" },
    ...kinds.flatMap((answers): Column[] => [
      { title: `found${answers}`, align: "right" },
      { title: "weight", align: "right" },
    ]),
  ]
  const rows = distinct(measured.flatMap(({ prompts }) => Object.keys(prompts))).map((prompt) => [
    prompt,
    ...kinds.flatMap((answers) => {
      const own = measured.filter((one) => one.answers === answers).flatMap(({ prompts }) => prompts[prompt] ?? [])
      return [formatMean(own.map(({ skill }) => skill)), formatMean(own.map(({ weight }) => weight))]
    }),
  ])
  const intro =
    "Whether clips that stage 1 was not fitted on find their own answers (1: always first, 0: by chance), and how much each prompt counts for it; means over the trials:"
  return [`${intro}\n\n${markdownTable(columns, rows)}`]
}

const formatMean = (values: readonly number[]) =>
  values.length === 0 ? "–" : (values.reduce((sum, value) => sum + value, 0) / values.length).toFixed(2)

/** The reference against its control, for the reference that has one. */
function wordsLine({ methods }: SplitSummary, reference: string): string[] {
  const difference = methods.find(({ method }) => method === titleOf("full-shuffled"))?.difference?.top1
  if (!difference || reference !== titleOf("full")) return []
  return [`What the words add (full − full, shuffled answers): ${formatDifference(difference)} points`]
}

function precisionLine({ methods }: SplitSummary): string {
  const parts = methods.map(
    ({ method, figures, meanAveragePrecision }) =>
      `${method} ${formatInterval(figures.macroF1)} / ${formatPercent(meanAveragePrecision)}`,
  )
  return `Macro F1 % / mean average precision % (each class against all others): ${parts.join(" · ")}`
}

function calibrationLine({ methods }: SplitSummary): string {
  const parts = methods.map(
    ({ method, figures, calibrationError, calibrationErrorByChance }) =>
      `${method} ${figures.nll?.value.toFixed(3) ?? "–"} / ${formatPercent(calibrationError)} % (${formatPercent(calibrationErrorByChance)} %)`,
  )
  return `Negative log-likelihood (nats) / expected calibration error (what chance alone makes of it with as few clips): ${parts.join(" · ")}`
}

/** What a temperature makes of the reference. */
function calibratedLine({ methods }: SplitSummary): string[] {
  return methods.flatMap(({ method, figures, calibrationError, calibrated }) => {
    if (calibrated === null) return []
    const { temperature, clips, from, nll } = calibrated
    const before = `${figures.nll?.value.toFixed(3) ?? "–"} / ${formatPercent(calibrationError)} %`
    return `${method}, calibrated as it is shipped (temperature ${temperature.toFixed(2)}, from ${plural(clips, "held-out clip")}, ${from}): ${nll.toFixed(3)} / ${formatPercent(calibrated.calibrationError)} % (${formatPercent(calibrated.calibrationErrorByChance)} % by chance), before ${before}. No accuracy changes.`
  })
}

function classTable({ methods }: SplitSummary, reference: string): string {
  const columns: Column[] = [
    { title: "class" },
    ...["accuracy % [interval]", "precision %", "F1 %", "clips"].map((title): Column => ({ title, align: "right" })),
  ]
  const method = methods.find((one) => one.method === reference)
  const rows = (method?.classes ?? []).map(({ name, precision, f1, interval, support }) => [
    name,
    interval === null ? "–" : formatInterval(interval),
    precision === null ? "–" : formatPercent(precision),
    f1 === null ? "–" : formatPercent(f1),
    String(support / Math.max(1, method?.seeds.length ?? 1)),
  ])
  return markdownTable(columns, rows)
}

function explanation({ resamples, level, averaging, seeds, splits, reference, configHash }: EvaluationResults): string {
  const drawn = splits.some(({ groups }) => groups !== null) ? "groups of clips" : "clips"
  const left = splits.find(({ excluded }) => excluded.length > 0)
  const lines = [
    `Intervals: ${formatLevel(level)} % percentile bootstrap, ${resamples} resamples of ${drawn}${seeds.length > 1 ? " and of training seeds" : ""}; Wilson's interval for single classes and where every clip is right. With few ${drawn} or seeds they are somewhat too narrow.`,
    `Differences are paired: ${reference} minus the method, on the same clips. p is two-sided, from sign flips over ${drawn} with the trained models held fixed.`,
    averaging === "folds"
      ? "Figures are means over folds, every fold counting the same."
      : "Figures count every test clip the same.",
    ...(left === undefined
      ? []
      : [
          `"Without ${left.excluded.join(", ")}": the same models and predictions; clips of these classes are dropped and the probabilities of the other classes scaled to sum to 1.`,
        ]),
    ...(splits.some(({ methods }) => methods.some(({ method }) => method === "vjepa-probe"))
      ? ["vjepa-probe: the attentive probe of V-JEPA 2's evaluations, 4 blocks, the last of them a learned query."]
      : []),
    `Training seeds: ${seeds.length > 0 ? seeds.join(", ") : "none"}. Configuration: \`${configHash}\`.`,
  ]
  return lines.map((line) => `- ${line}`).join("\n")
}
