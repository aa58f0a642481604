/**
 * What calibration, background clips and the threshold of unknown are worth in long video, with people and scenes that no training
 * clip shows; and how well classes are told apart that the model knows from two that nobody has shown it.
 *
 *     fourtier puppets takes -o takes
 *     fourtier data segments takes --annotations takes/segments.csv --background -o takes/clips.csv
 *     npm run bench && node .fourtier/bench/takes.js takes <out> [seeds, 3] [variants, all]
 *
 * Each variant is a `fourtier run` a seed and a `fourtier segment --truth` of each part; the tables lie beside clips.csv. What is done
 * already in <out> is not done again. Writes bench/takes.csv and bench/takes-unknown.csv.
 */

import { spawnSync } from "node:child_process"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { csvLine } from "@fourtier/core"
import { z } from "zod"
import { parseCsv } from "../packages/fourtier/src/util/csv.ts"
import { BENCH, stop, Table } from "./harness.ts"

/** Classes that the models of `unknown` know nothing of. */
const HIDDEN = ["pull", "wave"]

const PARTS = ["test", "test-shift"]

interface Variant {
  /** What becomes of a row's label; null: the row is left out. */
  relabel: (label: string, split: string) => string | null
  settings: readonly string[]
}

const all = (label: string) => label
const actions = (label: string) => (label === "none" ? null : label)
const withoutHidden = (label: string, split: string) => {
  if (split === "train") return HIDDEN.includes(label) ? null : label
  return HIDDEN.includes(label) ? "none" : label === "none" ? null : label
}

const VARIANTS: Readonly<Record<string, Variant>> = {
  plain: { relabel: actions, settings: ["calibration=null"] },
  calibrated: { relabel: actions, settings: [] },
  threshold: { relabel: all, settings: ["background=threshold"] },
  learned: { relabel: all, settings: [] },
}

const UNKNOWN: Readonly<Record<string, Variant>> = {
  "hidden, threshold": { relabel: withoutHidden, settings: ["background=threshold"] },
  "hidden, learned": { relabel: withoutHidden, settings: [] },
}

const intervalSchema = z.object({ value: z.number(), low: z.number(), high: z.number() })
const figuresSchema = z.object({
  ...{ map30: intervalSchema, map50: intervalSchema, map70: intervalSchema, f10: intervalSchema },
  ...{ f50: intervalSchema, edit: intervalSchema, accuracy: intervalSchema, falseAlarms: intervalSchema },
  delay: intervalSchema,
})
const bundleSchema = z.object({
  calibration: z.object({ temperature: z.number() }).nullable(),
  unknown: z.object({ threshold: z.number() }).nullable(),
})

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

/** The variant's table, beside the clips. */
function writeTable(takes: string, name: string, { relabel }: Variant): string {
  const source = join(takes, "clips.csv")
  const [header, ...rows] = parseCsv(readFileSync(source, "utf8"), source).map(({ fields }) => fields)
  const [label, split] = [header.indexOf("label"), header.indexOf("split")]
  const lines = rows.flatMap((fields) => {
    const own = relabel(fields[label], fields[split])
    return own === null ? [] : [csvLine(fields.map((field, i) => (i === label ? own : field)))]
  })
  const path = join(takes, `clips-${name.replaceAll(/\W+/g, "-")}.csv`)
  writeFileSync(path, [csvLine(header), ...lines].join(""))
  return path
}

/** The folder of a variant's run. */
function train(name: string, variant: Variant, seed: number): string {
  const folder = join(out, `${name.replaceAll(/\W+/g, "-")}-${seed}`)
  if (!existsSync(join(folder, "bundle", "bundle.json"))) {
    const settings = ["methods=[baseline]", `seed=${seed}`, ...variant.settings]
    fourtier("run", writeTable(takes, name, variant), "--split", "split", "--out", folder, "--set", ...settings)
  }
  return folder
}

const [takes, out, seeds = "3", wanted = ""] = process.argv.slice(2)
if (!takes || !out) stop("usage: node .fourtier/bench/takes.js <takes> <out> [seeds] [variants]")
const isWanted = (name: string) => wanted === "" || wanted.split(",").includes(name)
const columns = ["variant", "part", "seed", "figure", "value", "low", "high"]
const spans = new Table(join(BENCH, "takes.csv"), columns)
for (const [name, variant] of Object.entries(VARIANTS).filter(([name]) => isWanted(name))) {
  for (let seed = 1; seed <= Number(seeds); seed++) {
    const folder = train(name, variant, seed)
    const bundle = join(folder, "bundle")
    const { calibration, unknown } = readJson(join(bundle, "bundle.json"), bundleSchema)
    spans.add([name, "bundle", seed, "temperature", calibration?.temperature.toFixed(3) ?? null, null, null])
    spans.add([name, "bundle", seed, "threshold", unknown?.threshold.toFixed(3) ?? null, null, null])
    for (const part of PARTS) {
      const found = join(folder, part)
      const figures = join(found, "figures.json")
      if (!existsSync(figures)) {
        fourtier("segment", bundle, join(takes, part), "--out", found, "--truth", join(takes, "segments.csv"))
      }
      for (const [figure, { value, low, high }] of Object.entries(readJson(figures, figuresSchema))) {
        spans.add([name, part, seed, figure, value.toFixed(4), low.toFixed(4), high.toFixed(4)])
      }
    }
  }
}
await spans.write()

const unknown = new Table(join(BENCH, "takes-unknown.csv"), ["variant", "part", "seed", "clips", "figure", "value"])
for (const [name, variant] of Object.entries({ ...VARIANTS, ...UNKNOWN }).filter(([name]) => isWanted(name))) {
  for (let seed = 1; seed <= Number(seeds); seed++) {
    const { background } = readJson(join(train(name, variant, seed), "results.json"), unknownSchema)
    for (const { split, tested, ...figures } of background) {
      for (const [figure, value] of Object.entries(figures)) {
        unknown.add([name, split, seed, tested, figure, value?.toFixed(4) ?? null])
      }
    }
  }
}
await unknown.write()
