/** How far shared work is, from the files of its folder alone. */

import { join } from "node:path"
import { z } from "zod"
import { BLOCKS, holderOf, readBlocks } from "./blocks.ts"
import { FAILED, JOB_FILE, type JobFile, jobSchema } from "./job.ts"
import { SharedFolder } from "./shared-folder.ts"
import { hasDiedHere, readWorker, WORKERS, type WorkerFile } from "./workers.ts"

export interface WorkerStatus {
  /** Host and process number. */
  name: string
  /** Such as "3/16"; null where it takes any block. */
  shard: string | null
  /** silent: no sign of it for so long that others take its blocks, or its process has ended without a word. */
  state: "running" | "silent" | "finished" | "stopped" | "failed"
  done: number
  failed: number
  /** Items a second, of late. */
  rate: number
  /** Blocks that it is at. */
  blocks: number
  /** Seconds since its last heartbeat, by the clock of the folder's server; null where that cannot be told. */
  silence: number | null
  /** Why it failed. */
  error: string | null
}

export interface JobStatus {
  /** Name of the job's folder. */
  name: string
  kind: string
  title: string
  unit: string
  /** complete: nothing is left; running: somebody is at it; waiting: something is left and nobody is at it. */
  state: "complete" | "running" | "waiting"
  items: number
  done: number
  failed: number
  left: number
  /** Items a second of all that run. */
  rate: number
  /** Seconds until nothing is left at this rate; null where nobody is at it or it cannot be told. */
  secondsLeft: number | null
  /** Null where every worker has a part of its own. */
  blocks: { size: number; total: number; done: number; taken: number } | null
  /** Parts that nobody has begun, such as "3/16". */
  missing: string[]
  workers: WorkerStatus[]
  failures: { name: string; why: string }[]
}

/**
 * The jobs in a folder: that of one job, one with jobs in it, or one with a folder `work`. Those begun last come first.
 *
 * @example
 * ```ts
 * import { cacheFolders } from "fourtier"
 * import { readJobs } from "fourtier/shards"
 *
 * for (const { title, done, items, failures } of await readJobs(cacheFolders().work)) {
 *   console.log(title, `${done} of ${items}`, failures)
 * }
 * ```
 */
export async function readJobs(path: string): Promise<JobStatus[]> {
  const own = await readJob(path)
  if (own) return [own.status]
  for (const folder of [join(path, "work"), path]) {
    const jobs = []
    for (const name of await new SharedFolder(folder).list())
      jobs.push(await readJob(join(folder, name)).catch(() => null))
    const found = jobs.filter((job) => job !== null)
    if (found.length > 0) return found.sort((a, b) => (a.begun < b.begun ? 1 : -1)).map(({ status }) => status)
  }
  return []
}

async function readJob(path: string): Promise<{ begun: string; status: JobStatus } | null> {
  const folder = new SharedFolder(path, { retries: 3 })
  const text = await folder.read(JOB_FILE).catch(() => null)
  if (text === null) return null
  const job = jobSchema.parse(JSON.parse(text))
  const { workers, files } = await readWorkers(folder.within(WORKERS))
  const failures = await readFailures(folder.within(FAILED))
  const leases = folder.within(BLOCKS)
  const states = await readBlocks(leases)
  const stealing = states.done.size + states.taken.size > 0 || files.some(({ shard }) => shard === null)
  const parts = partsOf(files, job)
  // a job's own parts and blocks may both have been used: whichever is further
  let settled = parts.settled
  if (stealing) {
    let inBlocks = 0
    for (const block of states.done) inBlocks += sizeOf(block, job)
    for (const [block, taking] of states.taken) {
      const holder = await holderOf(leases, block, taking)
      const at = files.findIndex(({ id }) => id === holder)
      if (at >= 0 && workers[at].state === "running") inBlocks += files[at].open[String(block)] ?? 0
    }
    settled = Math.max(settled, inBlocks)
  }
  const failed = Math.min(failures.length, settled)
  const left = job.items - settled
  const running = workers.filter(({ state }) => state === "running")
  const rate = running.reduce((sum, worker) => sum + worker.rate, 0)
  const taken = [...states.taken.keys()].length
  const status: JobStatus = {
    name: path.split(/[\\/]/).at(-1) ?? path,
    kind: job.kind,
    title: job.title,
    unit: job.unit,
    state: left <= 0 ? "complete" : running.length > 0 ? "running" : "waiting",
    items: job.items,
    done: settled - failed,
    failed,
    left,
    rate,
    secondsLeft: left > 0 && rate > 0 ? left / rate : left <= 0 ? 0 : null,
    blocks: stealing
      ? { size: job.blockSize, total: Math.ceil(job.items / job.blockSize), done: states.done.size, taken }
      : null,
    missing: left > 0 && !stealing ? parts.missing : [],
    workers,
    failures,
  }
  return { begun: job.begun, status }
}

const sizeOf = (block: number, { items, blockSize }: JobFile) => Math.min(blockSize, items - block * blockSize)

/** The workers, those heard last first. */
async function readWorkers(folder: SharedFolder): Promise<{ workers: WorkerStatus[]; files: WorkerFile[] }> {
  const names = (await folder.list()).filter((name) => name.endsWith(".json"))
  const ages = await folder.ages(names)
  const found: { file: WorkerFile; age: number | null }[] = []
  for (const [i, name] of names.entries()) {
    const file = await readWorker(folder, name.slice(0, -".json".length))
    if (file) found.push({ file, age: ages[i] })
  }
  found.sort((a, b) => (a.age ?? 0) - (b.age ?? 0))
  const files = found.map(({ file }) => file)
  const workers = found.map(({ file, age }): WorkerStatus => {
    const silence = age === null ? null : age / 1000
    const isSilent = hasDiedHere(file) || (silence !== null && silence > file.patience)
    return {
      name: `${file.host}:${file.pid}`,
      shard: file.shard,
      state: file.ended ?? (isSilent ? "silent" : "running"),
      done: file.done,
      failed: file.failed,
      rate: file.ended || isSilent ? 0 : file.rate,
      blocks: Object.keys(file.open).length,
      silence,
      error: file.error ?? null,
    }
  })
  return { workers, files }
}

/** What workers with parts of their own have settled: of each part, who was heard last. @param files those heard last first */
function partsOf(files: readonly WorkerFile[], { items }: JobFile): { settled: number; missing: string[] } {
  const counts = new Map<number, Map<string, WorkerFile>>()
  for (const file of files) {
    const count = Number(file.shard?.split("/")[1] ?? 0)
    if (file.shard === null || count === 0) continue
    const own = counts.get(count) ?? new Map<string, WorkerFile>()
    if (!own.has(file.shard)) own.set(file.shard, file)
    counts.set(count, own)
  }
  let best = { settled: 0, missing: [] as string[] }
  for (const [count, own] of counts) {
    const settled = [...own.values()].reduce((sum, { done, failed }) => sum + done + failed, 0)
    if (settled < best.settled) continue
    const all = Array.from({ length: count }, (_, i) => `${i + 1}/${count}`)
    best = { settled: Math.min(items, settled), missing: all.filter((name) => !own.has(name)) }
  }
  return best
}

const failureSchema = z.object({ item: z.int(), name: z.string(), why: z.string() })

/** Each item that could not be done, once. A line that is being written is left out. */
async function readFailures(folder: SharedFolder): Promise<{ name: string; why: string }[]> {
  const found = new Map<number, { name: string; why: string }>()
  for (const file of await folder.list()) {
    for (const line of ((await folder.read(file)) ?? "").split("\n")) {
      try {
        const { item, name, why } = failureSchema.parse(JSON.parse(line))
        found.set(item, { name, why })
      } catch {}
    }
  }
  return [...found.values()]
}
