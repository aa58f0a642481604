/** A run's figures and predictions, read back from its folder: `results.json` and `predictions.csv` (docs/results-format.md). */

import { createReadStream, existsSync } from "node:fs"
import { basename, join, resolve } from "node:path"
import { distinct, groupBy } from "@fourtier/core"
import { type FigureName, type Prediction, topK } from "@fourtier/core/metrics"
import { FourtierError, messageOf, nearest } from "@fourtier/tensor"
import { readJson } from "@fourtier/tensor/node"
import { parse } from "csv-parse"
import { z } from "zod"

const figureNames: readonly FigureName[] = ["top1", "top5", "meanClass", "macroF1", "nll"]

const intervalSchema = z.object({ value: z.number(), low: z.number(), high: z.number() })

/** What is read of `results.json`; files of earlier versions lack some figures. */
const storedResultsSchema = z.object({
  format: z.literal(1),
  configHash: z.string(),
  reference: z.string(),
  averaging: z.enum(["clips", "folds"]),
  resamples: z.int().min(1),
  level: z.number(),
  splits: z
    .array(
      z.object({
        split: z.string(),
        excluded: z.array(z.string()),
        classes: z.array(z.string()).min(1),
        clips: z.int(),
        methods: z
          .array(
            z.object({
              method: z.string(),
              seeds: z.array(z.number()),
              trainedWeights: z.number().nullable(),
              figures: z.partialRecord(z.enum(figureNames), intervalSchema),
              calibrationError: z.number(),
            }),
          )
          .min(1),
      }),
    )
    .min(1),
})

export interface StoredResults extends z.infer<typeof storedResultsSchema> {}

export interface StoredRun {
  folder: string
  /** The folder's own name. */
  name: string
  results: StoredResults
  /** Class names of its whole splits, by class number. */
  classes: readonly string[]
  /** What the method said of the test clips, by split. */
  predictions: ReadonlyMap<string, readonly Prediction[]>
  method: string
  /** Whether the file says which clips belong together. */
  grouped: boolean
}

/**
 * Reads the figures of a run.
 * @throws FourtierError for a folder without results, which says why, or a damaged file
 *
 * @example
 * ```ts
 * import { readResults } from "fourtier/evaluate"
 *
 * const { splits } = await readResults("runs/mine")
 * splits[0].methods.map(({ method, figures }) => [method, figures.top1?.value])
 * ```
 */
export async function readResults(folder: string): Promise<StoredResults> {
  const path = join(folder, "results.json")
  if (!existsSync(path)) throw noResults(folder)
  const parsed = storedResultsSchema.safeParse(await readJson(path))
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new FourtierError({
    where: `${path}: ${issue.path.join(".") || "the whole file"}`,
    what: `not the results of a run: ${issue.message}`,
    fix: `write the report again: fourtier evaluate <data> --out ${folder}`,
  })
}

function noResults(folder: string): FourtierError {
  const about = { where: folder, expected: "the folder of a run, with results.json and predictions.csv" }
  if (!existsSync(folder)) return new FourtierError({ ...about, what: "no such folder", fix: "correct the path" })
  const begun = ["trials", "manifest.jsonl", "config.yaml"].filter((name) => existsSync(join(folder, name)))
  const fix = `let it finish, or go on with: fourtier evaluate <data> --out ${folder}`
  if (existsSync(join(folder, "in-use.lock"))) {
    return new FourtierError({ ...about, what: "the run has no results yet", found: "a process is at work on it", fix })
  }
  if (begun.length > 0) {
    return new FourtierError({ ...about, what: "the run is not finished", found: begun.join(", "), fix })
  }
  return new FourtierError({
    ...about,
    what: "not the folder of a run",
    found: "no results.json",
    fix: "correct the path",
  })
}

/**
 * Reads a run's figures, and what one of its methods said of each test clip.
 * @param method default: the run's reference
 * @throws FourtierError for an unfinished run, an unknown method, damaged files, or two files that do not belong together
 *
 * @example
 * ```ts
 * import { readRun } from "fourtier/evaluate"
 *
 * const { classes, predictions } = await readRun("runs/mine", "baseline")
 * predictions.get("test")?.[0].probabilities // of the classes, in their order
 * ```
 */
export async function readRun(folder: string, method?: string): Promise<StoredRun> {
  const results = await readResults(folder)
  const whole = results.splits.filter(({ excluded }) => excluded.length === 0)
  const known = distinct(whole.flatMap(({ methods }) => methods.map((one) => one.method)))
  const wanted = method ?? results.reference
  if (!known.includes(wanted)) {
    const near = nearest(wanted, known)
    throw new FourtierError({
      where: `${folder}: method`,
      what: "the run has no such method",
      expected: `one of ${known.join("; ")}`,
      found: wanted,
      ...(near === undefined ? {} : { fix: `did you mean ${near}?` }),
    })
  }
  const [{ classes }] = whole
  const path = join(folder, "predictions.csv")
  const { predictions, grouped } = await readPredictions(path, folder, classes, wanted)
  const bySplit = groupBy(predictions, ({ split }) => split)
  for (const { split, clips, methods } of whole) {
    const told = methods.find((one) => one.method === wanted)
    if (!told) continue
    const { figures, seeds } = told
    const own = bySplit.get(split) ?? []
    const found = new Set(own.map(({ clipId }) => clipId)).size
    const uneven = new Set(seeds.map((seed) => own.filter((prediction) => prediction.seed === seed).length)).size > 1
    const right = own.length === 0 ? Number.NaN : topK(own, 1)
    const differs = results.averaging === "clips" && figures.top1 && Math.abs(figures.top1.value - right) > 1e-6
    if (found === clips && !differs && !uneven) continue
    throw new FourtierError({
      where: path,
      what: `does not hold what results.json tells of ${wanted} on ${split}`,
      expected: `${clips} clips, top-1 ${figures.top1?.value ?? "unknown"}`,
      found: `${found} clips, top-1 ${right}${uneven ? ", some not with every seed" : ""}`,
      fix: `one of the files is damaged or from another run: fourtier evaluate <data> --out ${folder}`,
    })
  }
  return { folder, name: basename(resolve(folder)), results, classes, predictions: bySplit, method: wanted, grouped }
}

const FIXED = ["split", "method", "fold", "seed", "clip", "label", "predicted"] as const

/** The rows of one method. Rows of others are passed over as they are read. */
async function readPredictions(
  path: string,
  folder: string,
  classes: readonly string[],
  method: string,
): Promise<{ predictions: (Prediction & { split: string })[]; grouped: boolean }> {
  const fix = `write the report again: fourtier evaluate <data> --out ${folder}`
  if (!existsSync(path)) throw new FourtierError({ where: path, what: "the run has no predictions", fix })
  const damaged = (line: number, what: string, found: string) =>
    new FourtierError({ where: `${path}:${line}`, what, found: found.slice(0, 120), fix })
  const predictions: (Prediction & { split: string })[] = []
  let columns: Map<string, number> | null = null
  const place = new Map(classes.map((name, c) => [name, c]))
  try {
    for await (const item of createReadStream(path).pipe(parse({ info: true }))) {
      const { record, info } = recordSchema.parse(item)
      if (columns === null) {
        columns = new Map(record.map((name, i) => [name, i]))
        const lacking = [...FIXED, ...classes.map((name) => `p:${name}`)].find((name) => !columns?.has(name))
        if (lacking !== undefined) throw damaged(1, `no column ${lacking}`, record.join(","))
        continue
      }
      const cell = (name: string) => record[columns?.get(name) ?? -1] ?? ""
      if (cell("method") !== method) continue
      const label = place.get(cell("label"))
      if (label === undefined) throw damaged(info.lines, "unknown class", cell("label"))
      const probabilities = Float32Array.from(classes, (name) => numberIn(cell(`p:${name}`)))
      if (probabilities.some(Number.isNaN)) throw damaged(info.lines, "a probability is not a number", record.join(","))
      predictions.push({
        split: cell("split"),
        clipId: cell("clip"),
        label,
        probabilities,
        ...(cell("fold") === "" ? {} : { fold: cell("fold") }),
        ...(cell("seed") === "" ? {} : { seed: Number(cell("seed")) }),
        ...(cell("group") === "" ? {} : { group: cell("group") }),
      })
    }
  } catch (error) {
    if (error instanceof FourtierError) throw error
    throw new FourtierError({ where: path, what: "cannot be read", found: messageOf(error), fix }, { cause: error })
  }
  return { predictions, grouped: columns?.has("group") ?? false }
}

const recordSchema = z.object({ record: z.array(z.string()), info: z.object({ lines: z.number() }) })

const numberIn = (text: string) => (text.trim() === "" ? Number.NaN : Number(text))
