/**
 * The studio's page against `fourtier run`: the same labelled clips, the same network (the method's own without prompts), the same test
 * clips, which both bundles see in Node.
 *
 *     fourtier puppets -o puppets
 *     npm run bench && node .fourtier/bench/studio.js puppets [seeds, 0-2] [labelled clips a class, 1] [untimed]
 *
 * A seed draws the clips and begins the training. Renews the rows of bench/studio.csv: accuracy on `test` and `test-shift`, seconds for
 * the features of the training clips, and seconds for the training; with `untimed`, for a machine that does other things as well, the
 * seconds stay empty. At the end it says by how much page and command line differ over all seeds of the table. Needs a
 * Chromium (CHROMIUM).
 */

import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import { csvLine } from "@fourtier/core"
import { signFlipP } from "@fourtier/core/metrics"
import { Recognizer } from "fourtier/deploy"
import { z } from "zod"
import { parseCsv } from "../packages/fourtier/src/util/csv.ts"
import { serve } from "../tests/browser/site.ts"
import { BENCH, stop, Table } from "./harness.ts"
import { DIST, drawn, type Outcome, type Row, rowsOf, trainInPage } from "./studio_page.ts"

const [data, seeds = "0-2", perClass = "1", untimed] = process.argv.slice(2)
const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(seeds) ?? []
if (data === undefined || first === undefined || (untimed !== undefined && untimed !== "untimed"))
  stop("usage: node .fourtier/bench/studio.js <puppets> [seeds, such as 0-2] [labelled clips a class] [untimed]")
const CLI = resolve("packages/fourtier/dist/cli/main.js")
if (!existsSync(CLI)) stop("run `npm run bench` first, from the project's root")

/** What the page trains, and nothing else. */
const NATIVE = ["methods=[baseline]", "prompts=[]", "calibration=null"]

const timesSchema = z.array(z.object({ stage: z.string(), seconds: z.number() }))

/** Trains by the command line. */
function native(folder: string, source: string, rows: readonly Row[], seed: number): Outcome {
  const clips = join(folder, "native")
  mkdirSync(clips)
  // a clip held out is needed, and seen by no training
  const held = rowsOf(source).find(({ split }) => split === "test") ?? stop(`${source} has no test clips`)
  const all = [...rows, held]
  for (const { path } of all) {
    mkdirSync(dirname(join(clips, path)), { recursive: true })
    symlinkSync(resolve(source, path), join(clips, path))
  }
  const lines = all.map(({ path, label, split }) => csvLine([path, label, split]))
  writeFileSync(join(clips, "clips.csv"), csvLine(["path", "label", "split"]) + lines.join(""))
  const out = join(folder, "run")
  const settings = [...NATIVE, `seed=${seed}`, `cache=${join(folder, "cache")}`].flatMap((one) => ["--set", one])
  const ended = spawnSync(process.execPath, [CLI, "run", clips, "--out", out, ...settings], { encoding: "utf8" })
  if (ended.status !== 0) stop(`${ended.stdout}${ended.stderr}`)
  const times = timesSchema.parse(JSON.parse(readFileSync(join(out, "report/times.json"), "utf8")))
  const of = (stage: RegExp) => times.reduce((sum, time) => sum + (stage.test(time.stage) ? time.seconds : 0), 0)
  process.stderr.write(`native: ${times.map(({ stage, seconds }) => `${stage} ${seconds.toFixed(1)} s`).join(", ")}\n`)
  return { bundle: join(out, "bundle"), features: of(/^features/), training: of(/^stage 2/) }
}

/** Share of clips that a bundle is right about, in per cent. */
async function accuracy(bundle: string, source: string, rows: readonly Row[]): Promise<number> {
  const recognizer = await Recognizer.load(bundle)
  const labels = new Map(rows.map(({ path, label }) => [resolve(source, path), label]))
  let right = 0
  for await (const outcome of recognizer.predictAll([...labels.keys()])) {
    if ("recognition" in outcome && outcome.recognition.top[0].label === labels.get(outcome.clip)) right++
  }
  await recognizer.release()
  return (100 * right) / rows.length
}

const COLUMNS = ["labels_a_class", "seed", "where", "test", "test_shift", "features_s", "training_s"]

const rows = rowsOf(data)
const table = await Table.renewed(join(BENCH, "studio.csv"), COLUMNS, 3)
const site = await serve(DIST, { isolated: true })
for (let seed = Number(first); seed <= Number(last); seed++) {
  const chosen = drawn(rows, seed, Number(perClass))
  const folder = mkdtempSync(join(tmpdir(), "fourtier-studio-bench-"))
  try {
    const sides = [
      ["page", await trainInPage({ folder, source: data, rows: chosen, seed, url: site.url })],
      ["native", native(folder, data, chosen, seed)],
    ] as const
    for (const [where, { bundle, features, training }] of sides) {
      const shares: number[] = []
      for (const part of ["test", "test-shift"]) {
        shares.push(
          await accuracy(
            bundle,
            data,
            rows.filter(({ split }) => split === part),
          ),
        )
      }
      const seconds = untimed ? ["", ""] : [features, training].map((value) => value.toFixed(1))
      table.add([perClass, seed, where, ...shares.map((value) => value.toFixed(1)), ...seconds])
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
await site.close()
await table.write()
sayDifference("test", 3)
sayDifference("test-shift", 4)

/** Page less command line, seed by seed, of a column of the table. */
function sayDifference(part: string, column: number): void {
  const path = join(BENCH, "studio.csv")
  const own = parseCsv(readFileSync(path, "utf8"), path).filter(({ fields }) => fields[0] === perClass)
  const of = (where: string) => own.filter(({ fields }) => fields[2] === where)
  const differences = of("page").flatMap(({ fields }) => {
    const other = of("native").find((one) => one.fields[1] === fields[1])
    return other ? [Number(fields[column]) - Number(other.fields[column])] : []
  })
  const n = differences.length
  const mean = differences.reduce((sum, one) => sum + one, 0) / n
  const spread = Math.sqrt(differences.reduce((sum, one) => sum + (one - mean) ** 2, 0) / (n - 1))
  const told = `${mean.toFixed(2)}, standard error ${(spread / Math.sqrt(n)).toFixed(2)}`
  process.stderr.write(`${part}: page less native ${told}, ${n} seeds, p ${signFlipP(differences).toFixed(2)}\n`)
}
