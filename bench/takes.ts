/**
 * What calibration, background clips and the threshold of unknown are worth in long video, with people and scenes that no training
 * clip shows; and how well classes are told apart that the model knows from two that nobody has shown it.
 *
 *     fourtier puppets takes -o takes
 *     fourtier data segments takes --annotations takes/segments.csv --background -o takes/clips.csv
 *     fourtier data segments takes --annotations takes/segments.csv --background --windows 2 --stride 1 -o takes/windows.csv
 *     npm run bench && node .fourtier/bench/takes.js takes <out> [seeds, 3] [trainings, all]
 *
 * Trainings: threshold (no network learns background), learned (they do), windows (they do, of windows in place of whole actions), and
 * the first two without any clip of two classes: hidden-threshold, hidden-learned. Each is a `fourtier run` a seed, with a table beside
 * clips.csv. Every video is judged once by each of the first three, with the spans that `fourtier segment --truth` tells of: from the
 * first as trained, as calibrated, and with the threshold that its background clips set. What is done already in <out> is not done
 * again. Renews the rows of bench/takes.csv and bench/takes-unknown.csv.
 */

import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { csvLine, withTemperature } from "@fourtier/core"
import type { Bundle } from "@fourtier/core/bundle"
import { type JudgedVideo, spanFigures } from "@fourtier/core/metrics"
import { judgeVideo, loadForStream, readBundle, type SegmentOptions, spansOfVideo } from "fourtier/deploy"
import { z } from "zod"
import { parseCsv } from "../packages/fourtier/src/util/csv.ts"
import { BENCH, stop, Table } from "./harness.ts"

/** Classes that the models of `unknown` know nothing of. */
const HIDDEN = ["pull", "wave"]

const PARTS = ["test", "test-shift"]

/** Fewer views, epochs and parts held out than by default: a training is a few minutes. */
const SETTINGS = ["methods=[baseline]", "views.train.draws=2", "finetune.epochs=15", "calibration.folds=2"]

/** Of every judged video, so that all models see the same frames. */
const WINDOW = { window: 2, step: 0.25 }

interface Training {
  /** Table of the training clips, where that is not clips.csv. */
  clips?: string
  /** What becomes of a row's label; null: the row is left out. */
  relabel: (label: string, split: string) => string | null
  settings: readonly string[]
}

const all = (label: string) => label
const withoutHidden = (label: string, split: string) => {
  if (split === "train") return HIDDEN.includes(label) ? null : label
  return HIDDEN.includes(label) ? "none" : label === "none" ? null : label
}

const TRAININGS: Readonly<Record<string, Training>> = {
  threshold: { relabel: all, settings: ["background=threshold"] },
  learned: { relabel: all, settings: [] },
  windows: { clips: "windows.csv", relabel: all, settings: [] },
  "hidden-threshold": { relabel: withoutHidden, settings: ["background=threshold"] },
  "hidden-learned": { relabel: withoutHidden, settings: [] },
}

interface Variant {
  training: string
  /** Whether the temperature is left out. */
  asTrained?: boolean
  options: SegmentOptions
}

const VARIANTS: Readonly<Record<string, Variant>> = {
  "as trained": { training: "threshold", asTrained: true, options: { threshold: 0.7 } },
  calibrated: { training: "threshold", options: { threshold: 0.7 } },
  "background sets the threshold": { training: "threshold", options: {} },
  "background is learned": { training: "learned", options: {} },
  "windows are learned": { training: "windows", options: {} },
}

const unknownSchema = z.object({
  background: z.array(
    z.object({
      ...{ split: z.string(), tested: z.number(), recognised: z.number() },
      ...{ falseAlarms: z.number().nullable(), rocArea: z.number().nullable() },
    }),
  ),
})

function fourtier(...parameters: string[]): void {
  const { status } = spawnSync(process.execPath, [resolve("packages/fourtier/dist/cli/main.js"), ...parameters], {
    stdio: ["ignore", "ignore", "inherit"],
  })
  if (status !== 0) stop(`fourtier ${parameters.join(" ")} failed`)
}

const readJson = <T>(path: string, schema: z.ZodType<T>): T => schema.parse(JSON.parse(readFileSync(path, "utf8")))

interface Rows {
  header: readonly string[]
  rows: readonly (readonly string[])[]
}

function readRows(takes: string, name: string): Rows {
  const source = join(takes, name)
  const [header, ...rows] = parseCsv(readFileSync(source, "utf8"), source).map(({ fields }) => fields)
  return { header, rows }
}

/** A training's table, beside the clips: all are tested on the same ones. */
function writeTable(takes: string, name: string, { relabel, clips = "clips.csv" }: Training): string {
  const { header, rows } = readRows(takes, "clips.csv")
  const [label, split] = [header.indexOf("label"), header.indexOf("split")]
  const training = readRows(takes, clips)
  const own = [
    ...training.rows.filter((fields) => fields[training.header.indexOf("split")] === "train"),
    ...rows.filter((fields) => fields[split] !== "train"),
  ]
  const lines = own.flatMap((fields) => {
    const to = relabel(fields[label], fields[split])
    return to === null ? [] : [csvLine(fields.map((field, i) => (i === label ? to : field)))]
  })
  const path = join(takes, `clips-${name}.csv`)
  writeFileSync(path, [csvLine(header), ...lines].join(""))
  return path
}

/** The folder of a run. */
function train(name: string, seed: number): string {
  const training = TRAININGS[name]
  const folder = join(out, `${name}-${seed}`)
  if (!existsSync(join(folder, "bundle", "bundle.json"))) {
    const settings = [...SETTINGS, `seed=${seed}`, ...training.settings]
    fourtier("run", writeTable(takes, name, training), "--split", "split", "--out", folder, "--set", ...settings)
  }
  return folder
}

const windowsSchema = z.array(
  z.object({
    video: z.string(),
    duration: z.number(),
    windows: z.array(z.object({ time: z.number(), probabilities: z.array(z.number()) })),
  }),
)
type Judged = z.infer<typeof windowsSchema>

/** What is kept of a frame: all models have the same encoder, which sees each frame once. */
const keptRows = new Map<string, Float32Array>()

async function openJudge(folder: string) {
  const recognizer = await loadForStream(folder)
  const keep = recognizer.keep.bind(recognizer)
  recognizer.keep = async (pixels) => {
    const key = createHash("sha1").update(pixels).digest("base64")
    const rows = keptRows.get(key) ?? (await keep(pixels))
    keptRows.set(key, rows)
    return rows
  }
  return recognizer
}

/** What the windows of a part's videos show; kept in the run's folder. */
async function judge(folder: string, part: string): Promise<Judged> {
  const kept = join(folder, `windows-${part}.json`)
  if (!existsSync(kept)) {
    const recognizer = await openJudge(join(folder, "bundle"))
    const judged: Judged = []
    for (const video of readdirSync(join(takes, part)).filter((name) => name.endsWith(".mp4"))) {
      const path = join(takes, part, video)
      const { windows, duration } = await judgeVideo(recognizer, path, WINDOW)
      const own = windows.map(({ time, probabilities }) => ({ time, probabilities: Array.from(probabilities) }))
      judged.push({ video: `${part}/${video}`, duration, windows: own })
    }
    await recognizer.release()
    writeFileSync(kept, JSON.stringify(judged))
  }
  return readJson(kept, windowsSchema)
}

/** Windows as they would be without the temperature. */
function asTrained(judged: Judged, { calibration }: Bundle): Judged {
  if (calibration === null) return judged
  return judged.map((video) => ({
    ...video,
    windows: video.windows.map(({ time, probabilities }) => {
      return { time, probabilities: Array.from(withTemperature(probabilities, 1 / calibration.temperature)) }
    }),
  }))
}

const [takes, out, seeds = "3", wanted = ""] = process.argv.slice(2)
if (!takes || !out) stop("usage: node .fourtier/bench/takes.js <takes> <out> [seeds] [trainings]")
const isWanted = (name: string) => wanted === "" || wanted.split(",").includes(name)
const seedNumbers = Array.from({ length: Number(seeds) }, (_, i) => i + 1)

const [header, ...truths] = parseCsv(readFileSync(join(takes, "segments.csv"), "utf8"), "segments.csv").map(
  ({ fields }) => fields,
)
const field = (row: readonly string[], column: string) => row[header.indexOf(column)]
const truthsOf = (video: string) =>
  truths
    .filter((row) => field(row, "path") === video)
    .map((row) => ({ label: field(row, "label"), start: Number(field(row, "start")), end: Number(field(row, "end")) }))

const spans = await Table.renewed(
  join(BENCH, "takes.csv"),
  ["variant", "part", "seed", "figure", "value", "low", "high"],
  4,
)
for (const [name, { training, options, ...variant }] of Object.entries(VARIANTS)) {
  if (!isWanted(training)) continue
  for (const seed of seedNumbers) {
    const folder = train(training, seed)
    const bundle = await readBundle(join(folder, "bundle"))
    spans.add([name, "bundle", seed, "temperature", bundle.calibration?.temperature.toFixed(3) ?? null, null, null])
    spans.add([name, "bundle", seed, "threshold", bundle.unknown?.threshold.toFixed(3) ?? null, null, null])
    for (const part of PARTS) {
      const judged = variant.asTrained ? asTrained(await judge(folder, part), bundle) : await judge(folder, part)
      const videos = judged.map((video): JudgedVideo => {
        const found = spansOfVideo(bundle, video, { ...WINDOW, ...options })
        return { videoId: video.video, duration: video.duration, truths: truthsOf(video.video), found }
      })
      for (const [figure, value] of Object.entries(spanFigures(videos))) {
        if (typeof value === "number") continue
        const shown = [value.value, value.low, value.high].map((x) => x.toFixed(4))
        spans.add([name, part, seed, figure, ...shown])
      }
    }
  }
}
await spans.write()

const unknown = await Table.renewed(
  join(BENCH, "takes-unknown.csv"),
  ["training", "part", "seed", "clips", "figure", "value"],
  5,
)
for (const name of Object.keys(TRAININGS).filter(isWanted)) {
  for (const seed of seedNumbers) {
    const { background } = readJson(join(train(name, seed), "results.json"), unknownSchema)
    for (const { split, tested, ...figures } of background) {
      for (const [figure, value] of Object.entries(figures)) {
        unknown.add([name, split, seed, tested, figure, value?.toFixed(4) ?? null])
      }
    }
  }
}
await unknown.write()
