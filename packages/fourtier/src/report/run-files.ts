/**
 * Files that a run writes for its report beyond `results.json` and `predictions.csv`, so that `report.html` can be made anew
 * without data, features or training (docs/results-format.md).
 *
 * ```
 * <run>/report/about.json        what was compared: data, splits, encoder, prompts, versions
 *             /inspection.json   what the method makes of single clips
 *             /answers.json      the answers that the report shows
 *             /times.json        time and cost of each stage
 *             /strips/<id>.jpg   small key-frame strips
 * ```
 */

import { existsSync } from "node:fs"
import { join } from "node:path"
import { FourtierError } from "@fourtier/tensor"
import { readJson, writeJson } from "@fourtier/tensor/node"
import { z } from "zod"
import { type Inspection, inspectionSchema } from "../experiment/inspection.ts"

const partSchema = z.object({
  clips: z.number(),
  /** Labelled clips of each class. */
  classes: z.record(z.string(), z.number()),
})

const aboutSchema = z.object({
  format: z.literal(1),
  title: z.string(),
  /** Name of the data's folder or table. */
  data: z.string(),
  fourtier: z.string(),
  node: z.string(),
  configHash: z.string(),
  /** `training` until the figures are there. */
  status: z.enum(["training", "done"]),
  reference: z.string(),
  seeds: z.array(z.number()),
  encoder: z.object({
    name: z.string(),
    id: z.string(),
    frames: z.number(),
    resolution: z.tuple([z.number(), z.number()]),
    /** Frames, height, width and channels of its map. */
    map: z.tuple([z.number(), z.number(), z.number(), z.number()]),
  }),
  /** Who answered, and how much; null without prompts. */
  words: z
    .object({
      model: z.string().nullable(),
      textEncoder: z.string(),
      clips: z.number(),
      answers: z.number(),
    })
    .nullable(),
  prompts: z.array(z.object({ id: z.string(), text: z.string() })),
  /** Classes, and what each is called in words. */
  classes: z.array(z.object({ name: z.string(), words: z.string() })),
  labelsPerClass: z.number().nullable(),
  /** Trainings and test parts; of folds each one. */
  splits: z.array(
    z.object({
      name: z.string(),
      training: z.string(),
      fold: z.boolean(),
      train: partSchema,
      val: partSchema,
      test: partSchema,
    }),
  ),
  /** What was doubtful about the splits. */
  findings: z.array(
    z.object({
      level: z.enum(["error", "warning"]),
      where: z.string().optional(),
      what: z.string(),
      expected: z.string().optional(),
      found: z.string().optional(),
      fix: z.string(),
    }),
  ),
  /** Training journals by stage, relative to the run. */
  journals: z.array(z.object({ title: z.string(), path: z.string() })),
})

/** `report/about.json`. */
export interface About extends z.infer<typeof aboutSchema> {}

const timeSchema = z.object({
  stage: z.string(),
  seconds: z.number(),
  /** Requests to the vision-language model, and US dollars where a price is known. */
  requests: z.number().optional(),
  dollars: z.number().nullable().optional(),
})

/** One line of `report/times.json`: the most that a stage has taken of all runs into the folder. */
export interface StageTime extends z.infer<typeof timeSchema> {}

const answersSchema = z.record(z.string(), z.record(z.string(), z.string()))
export type ShownAnswers = z.infer<typeof answersSchema>

const pathOf = (run: string, name: string) => join(run, "report", name)
const ABOUT = "about.json"
const INSPECTION = "inspection.json"
const ANSWERS = "answers.json"
const TIMES = "times.json"

/** Folder of a run's small strips. */
export const stripsOf = (run: string) => pathOf(run, "strips")

export const writeAbout = (run: string, about: About) => writeJson(pathOf(run, ABOUT), about)
export const writeAnswers = (run: string, answers: ShownAnswers) => writeJson(pathOf(run, ANSWERS), answers)
export const writeInspection = (run: string, inspection: Inspection | null) =>
  writeJson(pathOf(run, INSPECTION), inspection)

/** Notes the times of a run: where a stage took longer in an earlier one, which it then took over from there, that stays. */
export async function writeTimes(run: string, times: readonly StageTime[]): Promise<StageTime[]> {
  const before = new Map((await readTimes(run)).map((time) => [time.stage, time]))
  const merged = times.map((time) => {
    const known = before.get(time.stage)
    return known && known.seconds >= time.seconds ? known : time
  })
  await writeJson(pathOf(run, TIMES), merged)
  return merged
}

export const readAbout = (run: string) => readChecked(pathOf(run, ABOUT), aboutSchema)
export const readInspection = (run: string) => readChecked(pathOf(run, INSPECTION), inspectionSchema.nullable())
export const readAnswers = async (run: string) => (await readChecked(pathOf(run, ANSWERS), answersSchema)) ?? {}
export const readTimes = async (run: string) => (await readChecked(pathOf(run, TIMES), z.array(timeSchema))) ?? []

/** What a file holds; null where it is not there. */
async function readChecked<T>(path: string, schema: z.ZodType<T>): Promise<T | null> {
  if (!existsSync(path)) return null
  const parsed = schema.safeParse(await readJson(path))
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new FourtierError({
    where: `${path}: ${issue.path.join(".") || "top level"}`,
    what: "not what this version of fourtier writes for its reports",
    found: issue.message,
    fix: "delete the file and run `fourtier evaluate` again",
  })
}
