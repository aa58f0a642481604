/**
 * Workers of `fourtier extract --steal` that are killed with kill -9, one after another, wherever they are: whether every clip has its
 * features once, whether nothing is half-written, and whether `fourtier status` is true all the time.
 *
 *     npm run bench && node .fourtier/bench/kill_workers.js <data> [kills, 30] [workers, 3] [slurm]
 *
 * With `slurm`, workers are tasks of the array `examples/slurm/extract.sbatch` on this machine (`bench/slurm.sh` sets one up); one that
 * was killed is submitted again. Works in a folder of its own, which is removed; prints what was found, and ends with an error where
 * something is wrong.
 */

import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { NpyReader } from "@fourtier/tensor/node"
import { type JobStatus, readJobs } from "fourtier/shards"

const LAUNCHER = fileURLToPath(new URL("../../packages/fourtier/bin/fourtier.js", import.meta.url))

const ARRAY = fileURLToPath(new URL("../../examples/slurm/extract.sbatch", import.meta.url))

const [data, kills = "30", workers = "3", engine] = process.argv.slice(2)
if (data === undefined) throw new Error("give a folder of clips")

const folder = mkdtempSync(join(tmpdir(), "fourtier-kills-"))
const cache = join(folder, "cache")
const env = { ...process.env, FOURTIER_CACHE: cache }
const running = new Set<ChildProcess>()

function fourtier(...args: string[]): Promise<number | null> {
  const child = spawn(process.execPath, [LAUNCHER, ...args], { cwd: folder, env, stdio: ["ignore", "ignore", "pipe"] })
  let errors = ""
  child.stderr?.on("data", (chunk) => {
    errors += chunk
  })
  running.add(child)
  return new Promise((resolve) =>
    child.on("close", (code) => {
      running.delete(child)
      if (code !== null && code !== 0) process.stderr.write(errors)
      resolve(code)
    }),
  )
}

/** Clips in the indexes of all shards of a store, as often as they are there. */
function stored(store: string): string[] {
  return readdirSync(store, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => lines(join(store, name, "index.jsonl")))
}

function lines(path: string): string[] {
  try {
    return readFileSync(path, "utf8").split("\n").slice(0, -1)
  } catch {
    return []
  }
}

const stores = () => {
  const root = join(cache, "features")
  try {
    return readdirSync(root).map((name) => join(root, name))
  } catch {
    return []
  }
}

const records = () => stores().reduce((sum, store) => sum + stored(store).length, 0)

const wrong: string[] = []
const check = (holds: boolean, what: string) => {
  if (!holds) wrong.push(what)
}

function checkStatus(jobs: readonly JobStatus[], when: string): void {
  for (const { name, items, done, failed, left, blocks } of jobs) {
    check(done + failed + left === items, `${when}: ${name}: ${done} + ${failed} + ${left} is not ${items}`)
    check(
      done <= stored(join(cache, "features", storeOf(name))).length + (blocks?.size ?? 0) * Number(workers),
      `${when}: ${name} counts too much`,
    )
  }
}

/** Jobs of one store are done one after another: the newest store is the newest job's. */
const jobStores = new Map<string, string>()
function storeOf(job: string): string {
  const known = jobStores.get(job)
  if (known !== undefined) return known
  const free = readdirSync(join(cache, "features")).find((name) => ![...jobStores.values()].includes(name)) ?? ""
  jobStores.set(job, free)
  return free
}

/** Workers as child processes, or as tasks of Slurm. */
interface Workers {
  start(count: number): void
  /** Numbers of the processes that run. */
  running(): number[]
  ended(): Promise<void>
}

const EXTRACT = ["--block", "8", "--set", "views.train.draws=1"]

function processes(): Workers {
  const ends: Promise<number | null>[] = []
  return {
    start(count) {
      for (let i = 0; i < count; i++) ends.push(fourtier("extract", data, "--steal", ...EXTRACT))
    },
    running: () => [...running].flatMap(({ pid }) => pid ?? []),
    async ended() {
      const codes = await Promise.all(ends)
      check(
        codes.every((code) => code === 0 || code === null),
        `exit codes ${codes.join(" ")}`,
      )
    },
  }
}

function slurmTasks(): Workers {
  const jobs: string[] = []
  let tasks = 0
  const asked = (...args: string[]) =>
    execFileSync(args[0], args.slice(1), { cwd: folder, env, encoding: "utf8" }).trim()
  return {
    start(count) {
      const array = `--array=${tasks}-${tasks + count - 1}`
      tasks += count
      const small = ["--cpus-per-task=1", "--mem=1G"]
      jobs.push(asked("sbatch", "--parsable", array, ...small, ARRAY, data, ...EXTRACT))
    },
    running() {
      return readdirSync("/proc")
        .map(Number)
        .filter((pid) => pid > 0 && contentOf(`/proc/${pid}/cmdline`).includes("\0extract\0"))
        .filter((pid) => contentOf(`/proc/${pid}/cmdline`).startsWith(process.execPath))
        .filter((pid) => contentOf(`/proc/${pid}/environ`).includes(`FOURTIER_CACHE=${cache}\0`))
    },
    async ended() {
      while (asked("squeue", "--noheader", "--jobs", jobs.join(",")) !== "") await sleep(500)
    },
  }
}

function contentOf(path: string): string {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return ""
  }
}

await fourtier("doctor", data)
const crew = engine === "slurm" ? slurmTasks() : processes()
const begun = performance.now()
let started = Number(workers)
let killed = 0
crew.start(started)
while (killed < Number(kills)) {
  const before = records()
  // in the midst of work: some records after the last kill, or a while where workers are just starting
  for (let waited = 0; waited < 40 && records() < before + 4; waited++) await sleep(50)
  await sleep(200 * Math.random())
  const found = await readJobs(join(cache, "work"))
  checkStatus(found, `kill ${killed + 1}`)
  const victims = crew.running()
  if (victims.length === 0 && found.length > 0 && found.every(({ state }) => state === "complete")) {
    process.stdout.write(`everything was done after ${killed} kills: give more clips\n`)
    break
  }
  if (victims.length === 0) continue
  process.kill(victims[Math.floor(Math.random() * victims.length)], "SIGKILL")
  killed++
  started++
  crew.start(1)
}
await crew.ended()
const seconds = (performance.now() - begun) / 1000

let clips = 0
for (const store of stores()) {
  const keys = stored(store)
  clips += new Set(keys.map((line) => JSON.parse(line).clip)).size
  check(new Set(keys).size === keys.length, `${store}: ${keys.length - new Set(keys).size} records twice`)
  for (const shard of readdirSync(store, { withFileTypes: true }).filter((entry) => entry.isDirectory())) {
    const path = join(store, shard.name)
    const count = lines(join(path, "index.jsonl")).length
    for (const kind of ["m", "s", "t"]) {
      const reader = await NpyReader.open(join(path, `${kind}.npy`), "f16").catch(() => null)
      if (count > 0) check((reader?.count ?? 0) >= count, `${path}/${kind}.npy holds fewer records than its index`)
      for (let i = 0; i < Math.min(count, reader?.count ?? 0); i++) await reader?.read(i)
      await reader?.close()
    }
  }
}
const jobs = await readJobs(join(cache, "work"))
for (const { name, state, items, done } of jobs)
  check(state === "complete" && done === items, `${name} is ${state}, ${done} of ${items}`)
check(clips === jobs.reduce((sum, { items }) => sum + items, 0), `${clips} clips stored`)
process.stdout.write(
  `${killed} of ${started} workers killed in ${seconds.toFixed(0)} s; ${jobs.map(({ done, items }) => `${done} of ${items} clips`).join(", ")}; ${records()} records, none twice\n`,
)
rmSync(folder, { recursive: true, force: true })
if (wrong.length > 0) throw new Error(wrong.join("\n"))
