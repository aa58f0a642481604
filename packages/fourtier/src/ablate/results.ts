/** What an ablation finds: `ablation.json` (docs/results-format.md). */

import { groupBy } from "@fourtier/core"
import type { Difference } from "@fourtier/core/metrics"
import { titleOf } from "@fourtier/core/model"
import { z } from "zod"
import type { MethodPredictions, PairedDifference, SplitSummary } from "../evaluate/results.ts"
import { summarise } from "../evaluate/summary.ts"
import type { SettingsTree } from "../util/settings.ts"
import { version } from "../util/version.ts"
import type { Cell, Lacking } from "./cells.ts"
import type { Ablation } from "./definition.ts"

const interval = z.object({ value: z.number(), low: z.number(), high: z.number() })
const difference = interval.extend({ p: z.number() })

const figuresSchema = z.object({
  /** Index in `columns`. */
  column: z.int().nonnegative(),
  /** The method's title, as in `results.json`. */
  method: z.string(),
  trainedWeights: z.number().nullable(),
  figures: z
    .object({
      top1: interval.optional(),
      top5: interval.optional(),
      meanClass: interval.optional(),
      nll: interval.optional(),
    })
    .catchall(interval),
  /** Top-1 of this minus that of the reference cell, paired; null for the reference itself. */
  fromReference: difference.nullable(),
  /** Top-1 of the full method minus its control with shuffled answers, paired; null where either is missing. */
  words: difference.nullable(),
  /** Top-1 of the full method minus the baseline with the same settings, paired; null where either is missing. */
  gain: difference.nullable(),
})

const resultsSchema = z.object({
  format: z.literal(1),
  fourtier: z.string(),
  title: z.string(),
  data: z.string(),
  reference: z.string(),
  ticks: z.record(z.string(), z.array(z.string())),
  /** Whether the table in the paper's shape has its cells side by side. */
  across: z.boolean(),
  axes: z.array(z.string()),
  notes: z.array(z.string()),
  seeds: z.array(z.number()),
  resamples: z.number(),
  level: z.number(),
  columns: z.array(
    z.object({
      /** Training clips of each class whose labels are used; null: all. */
      labelsPerClass: z.int().nullable(),
      split: z.string(),
      /** Classes left out of these figures. */
      excluded: z.array(z.string()),
      clips: z.int(),
      /** What intervals draw from; null where clips are drawn. */
      groups: z.int().nullable(),
    }),
  ),
  cells: z.array(
    z.object({
      name: z.string(),
      levels: z.record(z.string(), z.string()),
      /** Laid over the configuration in this order. */
      overlays: z.array(z.record(z.string(), z.unknown())),
      /** Why the cell was not run, and what would supply what it lacks. */
      lacking: z.object({ reason: z.string(), fix: z.string().nullable() }).nullable(),
      results: z.array(figuresSchema),
    }),
  ),
  /** Both stages and the test of all cells: seconds by the clock of every trial added up, and of the processor. */
  training: z.object({ trials: z.int(), seconds: z.number(), cpuSeconds: z.number() }),
})

/** `ablation.json`. */
export interface AblationResults extends z.output<typeof resultsSchema> {}

/**
 * Checks what `ablation.json` holds.
 *
 * @example
 * ```ts
 * import { parseAblationResults } from "fourtier/ablate"
 * import { readFileSync } from "node:fs"
 *
 * parseAblationResults(JSON.parse(readFileSync("runs/ablation/ablation.json", "utf8"))).cells.length // 16
 * ```
 */
export function parseAblationResults(value: unknown): AblationResults {
  return resultsSchema.parse(value)
}

/** What a cell predicted with one number of labels. */
export interface CellRuns {
  cell: Cell
  labelsPerClass: number | null
  runs: readonly MethodPredictions[]
}

export interface AblationInput {
  ablation: Ablation
  data: string
  cells: readonly Cell[]
  lacking: ReadonlyMap<string, Lacking>
  reference: string
  classes: readonly string[]
  exclude: readonly string[]
  done: readonly CellRuns[]
  training: AblationResults["training"]
  configHash: string
}

/** Figures of every cell with intervals, and paired differences: to the reference, to the control, to the baseline. */
export function summariseAblation(input: AblationInput): AblationResults {
  const { ablation, cells, done, reference, lacking } = input
  const columns: AblationResults["columns"] = []
  const results = new Map<string, AblationResults["cells"][number]["results"]>()
  let about = { seeds: [] as number[], resamples: 0, level: 0 }
  for (const [labelsPerClass, cellRuns] of groupBy(done, (one) => one.labelsPerClass)) {
    const base = cellRuns.find(({ cell, runs }) => cell.name === reference && runs.length > 0)
    if (!base) continue
    const main = mainMethod(base)
    const named = cellRuns.flatMap(({ cell, runs }) =>
      runs.map((run) => ({ cell, title: run.method, run: { ...run, method: nameOf(cell.name, run.method) } })),
    )
    const { classes, exclude, configHash } = input
    const common = { classes, exclude, configHash }
    const whole = summarise({ ...common, runs: named.map(({ run }) => run), reference: nameOf(reference, main) })
    about = { seeds: whole.seeds, resamples: whole.resamples, level: whole.level }
    const pairs = new Map(
      cellRuns.map(({ cell, runs }) => [
        cell.name,
        {
          words: within(runs, titleOf("full-shuffled"), common),
          gain: within(runs, "baseline", common),
        },
      ]),
    )
    for (const split of whole.splits) {
      const column = columns.length
      const { clips, groups, excluded } = split
      columns.push({ labelsPerClass, split: split.split, excluded: [...excluded], clips, groups })
      for (const { cell, title, run } of named) {
        const found = split.methods.find(({ method }) => method === run.method)
        if (!found || run.split !== split.split) continue
        const pair = title === titleOf("full") ? pairs.get(cell.name) : undefined
        const own = results.get(cell.name) ?? []
        own.push({
          column,
          method: title,
          trainedWeights: found.trainedWeights,
          figures: { ...found.figures },
          fromReference: turned(found.difference?.top1),
          words: pair?.words?.get(keyOf(split)) ?? null,
          gain: pair?.gain?.get(keyOf(split)) ?? null,
        })
        results.set(cell.name, own)
      }
    }
  }
  return {
    format: 1,
    fourtier: version,
    title: ablation.title,
    data: input.data,
    reference,
    ticks: ablation.ticks,
    across: ablation.across,
    axes: Object.keys(ablation.axes),
    notes: ablation.notes,
    ...about,
    columns,
    cells: cells.map(({ name, levels, overlays }) => ({
      name,
      levels: { ...levels },
      overlays: overlays.map((values: SettingsTree) => ({ ...values })),
      lacking: lacking.get(name) ?? null,
      results: results.get(name) ?? [],
    })),
    training: input.training,
  }
}

/** The method of a cell that the table is about. */
function mainMethod({ runs }: CellRuns): string {
  const titles = runs.map(({ method }) => method)
  return titles.find((title) => title === titleOf("full")) ?? titles[0]
}

const nameOf = (cell: string, method: string) => `${cell} · ${method}`
const keyOf = ({ split, excluded }: Pick<SplitSummary, "split" | "excluded">) => JSON.stringify([split, excluded])

/** By split: the full method minus another one of the same cell; null where either is missing. */
function within(
  runs: readonly MethodPredictions[],
  other: string,
  common: { classes: readonly string[]; exclude: readonly string[]; configHash: string },
): Map<string, PairedDifference> | null {
  const both = runs.filter(({ method }) => method === titleOf("full") || method === other)
  if (new Set(both.map(({ method }) => method)).size < 2) return null
  const { splits } = summarise({ ...common, runs: both, reference: titleOf("full") })
  return new Map(
    splits.flatMap((split) => {
      const found = split.methods.find(({ method }) => method === other)?.difference?.top1
      return found ? [[keyOf(split), found] as const] : []
    }),
  )
}

/** "Reference minus this" as "this minus reference". */
function turned(found: (Difference & { p: number }) | undefined): PairedDifference | null {
  return found ? { ...found, value: -found.value, low: -found.high, high: -found.low } : null
}
