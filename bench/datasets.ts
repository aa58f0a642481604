/**
 * How long `fourtier data` takes on a set of the size of Kinetics-700, and how much memory: 650,000 rows in three CSV files, 700
 * class folders, one clip in a thousand there, then every one (hard links to one small file). Then how long the table takes to be
 * read as data.
 *
 *     npm run bench && node .fourtier/bench/datasets.js [rows] [shares of the clips that are there: 0.001,1]
 *
 * Writes bench/datasets.csv.
 */

import { spawnSync } from "node:child_process"
import { linkSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { silent } from "@fourtier/core"
import { datasetNamed, writeDataset } from "fourtier/datasets"
import { scanSource } from "fourtier/video"
import { BENCH, peakMemory, Table, timed } from "./harness.ts"

/** Links to one file, fewer than the 65,000 that file systems allow. */
const LINKS = 50_000

const CLASSES = 700

/** `fourtier data`, and the table as other verbs read it. */
const STEPS: readonly string[] = ["data", "scan"]

/** Shares of the parts, those of Kinetics-700. */
const PARTS = { train: 0.84, val: 0.05, test: 0.11 }

/** Writes annotations, and files of every n-th clip. */
function makeTree(root: string, rows: number, every: number): void {
  let made = 0
  let original = ""
  for (const [part, share] of Object.entries(PARTS)) {
    const lines = ["label,youtube_id,time_start,time_end,split"]
    for (let c = 0; c < CLASSES; c++) mkdirSync(join(root, part, `class ${c}`), { recursive: true })
    for (let i = 0; i < Math.round(rows * share); i++) {
      const [id, label] = [`v${String(made).padStart(10, "0")}`, `class ${i % CLASSES}`]
      const path = join(root, part, label, `${id}_000010_000020.mp4`)
      if (made % every === 0) {
        if ((made / every) % LINKS === 0) {
          writeFileSync(path, Buffer.alloc(64, 1))
          original = path
        } else linkSync(original, path)
      }
      lines.push(`${label},${id},10,20,${part}`)
      made++
    }
    writeFileSync(join(root, `${part}.csv`), `${lines.join("\n")}\n`)
  }
}

/** One step in a process of its own, so that its peak of memory is its own. */
function measured(step: string, root: string): string[] {
  const { stdout, status } = spawnSync(process.execPath, [process.argv[1], step, root], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  })
  if (status !== 0) throw new Error(`${step} failed`)
  return stdout.trim().split(" ")
}

async function measure(step: string, root: string): Promise<void> {
  const table = join(root, "table.csv")
  const work = async () =>
    step === "data"
      ? (await writeDataset(datasetNamed("kinetics700"), { root }, table, silent)).written
      : (await scanSource(table)).clips.length
  const { value, cost } = await timed(work)
  process.stdout.write(
    `${value} ${cost.clock.toFixed(1)} ${cost.processor.toFixed(1)} ${Math.round(peakMemory() / 1e6)}\n`,
  )
}

const [first = "650000", second = "0.001,1"] = process.argv.slice(2)
if (STEPS.includes(first)) await measure(first, second)
else {
  const columns = ["step", "rows", "share_there", "clips", "seconds", "processor_seconds", "peak_megabytes"]
  const table = new Table(join(BENCH, "datasets.csv"), columns)
  for (const share of second.split(",").map(Number)) {
    const root = mkdtempSync(join(tmpdir(), "fourtier-bench-"))
    try {
      makeTree(root, Number(first), Math.round(1 / share))
      for (const step of STEPS) table.add([step, first, share, ...measured(step, root)])
    } finally {
      rmSync(root, { recursive: true, force: true })
    }
  }
  await table.write()
}
