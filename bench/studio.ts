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
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { basename, dirname, join, resolve } from "node:path"
import { csvLine } from "@fourtier/core"
import { signFlipP } from "@fourtier/core/metrics"
import { Rng } from "@fourtier/tensor"
import { unzipSync } from "fflate"
import { Recognizer } from "fourtier/deploy"
import { chromium as browsers, type Page } from "playwright-core"
import { z } from "zod"
import { parseCsv } from "../packages/fourtier/src/util/csv.ts"
import { findChromium } from "../tests/browser/chromium.ts"
import { serve } from "../tests/browser/site.ts"
import { BENCH, stop, Table } from "./harness.ts"

const [data, seeds = "0-2", perClass = "1", untimed] = process.argv.slice(2)
const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(seeds) ?? []
if (data === undefined || first === undefined || (untimed !== undefined && untimed !== "untimed"))
  stop("usage: node .fourtier/bench/studio.js <puppets> [seeds, such as 0-2] [labelled clips a class] [untimed]")
const DIST = resolve("packages/studio/dist")
const CLI = resolve("packages/fourtier/dist/cli/main.js")
const executable = findChromium() ?? stop("no Chromium here: set CHROMIUM")
if (!existsSync(DIST) || !existsSync(CLI)) stop("run `npm run bench` first, from the project's root")

/** What the page trains, and nothing else. */
const NATIVE = ["methods=[baseline]", "prompts=[]", "calibration=null"]

interface Row {
  path: string
  label: string
  split: string
}

function rowsOf(folder: string): Row[] {
  const [{ fields: head }, ...rows] = parseCsv(readFileSync(join(folder, "manifest.csv"), "utf8"), "manifest.csv")
  const at = (name: string) => head.indexOf(name)
  return rows.map(({ fields }) => ({
    path: fields[at("path")],
    label: fields[at("label")],
    split: fields[at("split")],
  }))
}

/** So many clips of each class, drawn. */
function drawn(rows: readonly Row[], seed: number): Row[] {
  const taken = new Map<string, number>()
  return Rng.fork(seed, "studio")
    .shuffle(rows.filter(({ split }) => split === "train"))
    .filter(({ label }) => {
      taken.set(label, (taken.get(label) ?? 0) + 1)
      return (taken.get(label) ?? 0) <= Number(perClass)
    })
}

interface Outcome {
  bundle: string
  features: number
  training: number
}

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

/** Counts the features that the page has computed. */
const COUNT = `(async () => {
  const root = await navigator.storage.getDirectory()
  let count = 0
  try {
    const features = await (await root.getDirectoryHandle("studio")).getDirectoryHandle("features")
    for await (const name of features.keys()) if (!name.endsWith(".crswap")) count++
  } catch {}
  return count
})()`

const countFeatures = async (page: Page) => z.number().parse(await page.evaluate(COUNT))

async function inPage(
  folder: string,
  source: string,
  rows: readonly Row[],
  seed: number,
  url: string,
): Promise<Outcome> {
  const clips = join(folder, "clips")
  for (const { path, label } of rows) {
    mkdirSync(join(clips, label), { recursive: true })
    copyFileSync(resolve(source, path), join(clips, label, basename(path)))
  }
  const browser = await browsers.launch({ executablePath: executable, args: ["--no-sandbox", "--disable-gpu"] })
  try {
    const page = await browser.newPage()
    await page.route("**/encoder/encoder.json", async (route) => {
      const encoder = await (await route.fetch()).json()
      await route.fulfill({ json: { ...encoder, settings: { ...encoder.settings, seed } } })
    })
    await page.goto(url)
    await page.getByRole("navigation").waitFor()
    const begun = performance.now()
    await page.getByLabel("Add a folder").setInputFiles(clips)
    while ((await countFeatures(page)) < rows.length) await page.waitForTimeout(250)
    const features = (performance.now() - begun) / 1000
    await page.locator('nav a[href="#train"]').click()
    const pressed = performance.now()
    await page.getByRole("button", { name: "Train" }).click()
    await page.getByRole("link", { name: "Try it" }).waitFor({ timeout: 0 })
    const training = (performance.now() - pressed) / 1000
    await page.locator('nav a[href="#use"]').click()
    const download = page.waitForEvent("download")
    await page.getByRole("button", { name: "Download (.zip)" }).click()
    const files = unzipSync(readFileSync(await (await download).path()))
    mkdirSync(join(folder, "bundle"))
    for (const [name, bytes] of Object.entries(files)) writeFileSync(join(folder, name), bytes)
    return { bundle: join(folder, "bundle"), features, training }
  } finally {
    await browser.close()
  }
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
  const chosen = drawn(rows, seed)
  const folder = mkdtempSync(join(tmpdir(), "fourtier-studio-bench-"))
  try {
    const sides = [
      ["page", await inPage(folder, data, chosen, seed, site.url)],
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
