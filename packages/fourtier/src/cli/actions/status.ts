/** Prints how far shared work is. */

import { existsSync } from "node:fs"
import { formatSeconds, plural } from "@fourtier/core"
import { FourtierError } from "@fourtier/tensor"
import { type JobStatus, readJobs, type WorkerStatus } from "../../shards/status.ts"
import { cacheFolders } from "../../util/cache-folders.ts"
import { type Column, terminalTable, wrapText } from "../../util/table.ts"
import { readConfig } from "./read-config.ts"

export interface StatusOptions {
  json?: boolean
  all?: boolean
}

/** @throws FourtierError where there is no such folder */
export async function showStatus(folder: string | undefined, options: StatusOptions): Promise<void> {
  const { value: config } = await readConfig(options)
  const path = folder ?? cacheFolders(config.cache).work
  if (folder !== undefined && !existsSync(folder)) {
    throw new FourtierError({ where: folder, what: "no such folder", fix: "give the folder of a run, or none" })
  }
  const jobs = await readJobs(path)
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ folder: path, jobs }, null, 2)}\n`)
    return
  }
  const shown = jobs.filter(({ state }, i) => options.all || folder !== undefined || state !== "complete" || i === 0)
  if (jobs.length === 0) process.stdout.write(`no shared work in ${path}\n`)
  else process.stdout.write(`${shown.map(jobText).join("\n\n")}\n`)
  const hidden = jobs.length - shown.length
  if (hidden > 0) process.stdout.write(`\n${plural(hidden, "piece")} of work more, complete: --all\n`)
}

const number = (value: number) => value.toLocaleString("en")
const right = (title: string): Column => ({ title, align: "right" })

/** Failures and ended workers that are shown. */
const SHOWN = 10

function jobText(job: JobStatus): string {
  const { name, title, unit, items, done, failed, left, blocks, missing, workers, failures } = job
  const share = items === 0 ? 100 : Math.floor((100 * (items - left)) / items)
  const lines = [
    `${title} (${name})`,
    `  ${number(done)} of ${number(items)} ${unit} done (${share} %), ${number(failed)} failed, ${number(left)} left`,
    `  ${stateText(job)}`,
  ]
  if (blocks) {
    const free = blocks.total - blocks.done - blocks.taken
    lines.push(`  blocks of ${blocks.size}: ${blocks.done} done, ${blocks.taken} taken, ${free} free`)
  }
  if (missing.length > 0) lines.push(`  parts that nobody has begun: ${listed(missing)}`)
  const active = workers.filter(({ state }) => state !== "finished")
  const table = [...active, ...workers.filter(({ state }) => state === "finished")].slice(
    0,
    Math.max(SHOWN, active.length),
  )
  if (table.length > 0) lines.push(workerTable(table))
  if (workers.length > table.length) lines.push(`  ${plural(workers.length - table.length, "worker")} more, finished`)
  for (const { name: who, error } of workers) if (error !== null) lines.push(wrapped(`${who}: ${error}`))
  for (const { name: what, why } of failures.slice(0, SHOWN)) lines.push(wrapped(`failed: ${what}: ${why}`))
  if (failures.length > SHOWN) lines.push(`  ${number(failures.length - SHOWN)} more failures: --json`)
  return lines.join("\n")
}

const wrapped = (text: string) => `  ${wrapText(text, (process.stdout.columns ?? 80) - 4).replaceAll("\n", "\n    ")}`

const listed = (names: readonly string[]) =>
  names.length > SHOWN ? `${names.slice(0, SHOWN).join(", ")} and ${names.length - SHOWN} more` : names.join(", ")

function stateText({ state, unit, rate, secondsLeft, workers }: JobStatus): string {
  if (state === "complete") return "complete"
  const count = workers.filter((worker) => worker.state === "running").length
  if (state === "waiting") return "nobody is at it: run the same command again"
  const at = `${plural(count, "worker")}, ${rate.toFixed(rate < 10 ? 1 : 0)} ${unit} a second`
  return secondsLeft === null ? at : `${at}: about ${formatSeconds(secondsLeft)} left`
}

function workerTable(workers: readonly WorkerStatus[]): string {
  const columns = [
    { title: "worker" },
    { title: "part" },
    right("done"),
    right("failed"),
    right("per s"),
    { title: "state" },
  ]
  const rows = workers.map(({ name, shard, done, failed, rate, state, silence, blocks }) => [
    name,
    shard ?? "any",
    number(done),
    number(failed),
    rate > 0 ? rate.toFixed(1) : "",
    state !== "silent" ? state : silentText(silence, blocks),
  ])
  return terminalTable(columns, rows)
}

function silentText(silence: number | null, blocks: number): string {
  const since = silence === null ? "gone" : `gone for ${formatSeconds(silence)}`
  return blocks > 0 ? `${since}, with ${plural(blocks, "block")}` : since
}
