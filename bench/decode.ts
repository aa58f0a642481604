/**
 * Clips per second at T = 8 against PyAV, side by side in one run: both decode the centres of eight equal segments to RGB
 * arrays, with one codec thread each and the same number of workers (threads here, processes there). Rounds alternate;
 * the figures are medians. Node 20 runs TypeScript only when compiled:
 *
 * ```
 * npx tsc -p tsconfig.json --noEmit false --rootDir . --outDir .fourtier/bench
 * node .fourtier/bench/bench/decode.js --rounds 7 --clips 12 --python python3 --out bench/decode.csv
 * ```
 */

import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs"
import { cpus, tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { createInterface } from "node:readline"
import { parseArgs } from "node:util"
import { Worker } from "node:worker_threads"
import { type Clip, clipOfFile } from "fourtier/video"
import { z } from "zod"
import { KINDS, makeBenchClip } from "./decode_clips.ts"
import { FRAMES } from "./decode_worker.ts"

const { values: settings } = parseArgs({
  options: {
    rounds: { type: "string", default: "7" },
    clips: { type: "string", default: "12" },
    python: { type: "string", default: "python3" },
    out: { type: "string", default: "bench/decode.csv" },
  },
})

interface Result {
  seconds: number
  checksum: number
}

const resultSchema = z.object({ seconds: z.number(), checksum: z.number() })

/** The PyAV script as a child that answers one line a job. */
class PyAv {
  readonly #child: ChildProcess
  readonly #answers: AsyncIterator<string>

  constructor(python: string, script: string) {
    this.#child = spawn(python, [script], { stdio: ["pipe", "pipe", "inherit"] })
    if (this.#child.stdout === null) throw new Error("no pipe from Python")
    this.#answers = createInterface(this.#child.stdout)[Symbol.asyncIterator]()
  }

  async run(clips: readonly Clip[], processes: number): Promise<Result> {
    const files = clips.map(({ path, frames }) => [path, frames])
    this.#child.stdin?.write(`${JSON.stringify({ files, frames: FRAMES, processes })}\n`)
    const answer = await this.#answers.next()
    if (answer.done === true) throw new Error("Python ended without an answer")
    return resultSchema.parse(JSON.parse(answer.value))
  }

  close(): void {
    this.#child.stdin?.end()
  }
}

/** Worker threads that each take a fixed share of the clips. */
class Threads {
  readonly #workers: Worker[]

  constructor(count: number) {
    const entry = new URL("./decode_worker.js", import.meta.url)
    this.#workers = Array.from({ length: count }, () => new Worker(entry))
  }

  async run(clips: readonly Clip[]): Promise<Result> {
    const start = performance.now()
    const sums = await Promise.all(
      this.#workers.map(async (worker, share) => {
        worker.postMessage(clips.filter((_, i) => i % this.#workers.length === share))
        const [sum] = z.tuple([z.number()]).parse(await once(worker, "message"))
        return sum
      }),
    )
    return { seconds: (performance.now() - start) / 1000, checksum: sums.reduce((a, b) => a + b, 0) }
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()))
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

const folder = mkdtempSync(join(tmpdir(), "fourtier-bench-"))
const script = resolve("bench/decode_pyav.py")
const version = execFileSync(settings.python, [script, "--version"], { encoding: "utf8" }).trim()
const rows = [
  "codec,size,workers,rounds,clips,kilobytes_a_clip,fourtier_clips_per_s,pyav_clips_per_s,ratio,ratio_min,ratio_max",
]
try {
  for (const kind of KINDS) {
    const paths = Array.from({ length: Number(settings.clips) }, (_, seed) => makeBenchClip(folder, kind, seed))
    const clips = paths.map((path) => clipOfFile(path))
    const kilobytes = Math.round(paths.reduce((sum, path) => sum + statSync(path).size, 0) / paths.length / 1000)
    for (const workers of [1, 2]) {
      const python = new PyAv(settings.python, script)
      const threads = new Threads(workers)
      const ours: number[] = []
      const theirs: number[] = []
      for (let round = -1; round < Number(settings.rounds); round++) {
        const here = await threads.run(clips)
        const there = await python.run(clips, workers)
        // PyAV converts widths that are no multiple of 8 by another path: its pixels are 1 % brighter there.
        if (Math.abs(here.checksum / there.checksum - 1) > 0.02)
          throw new Error(`${kind.name}: other pixels than PyAV's`)
        if (round < 0) continue
        ours.push(clips.length / here.seconds)
        theirs.push(clips.length / there.seconds)
      }
      python.close()
      await threads.close()
      const ratios = ours.map((rate, i) => rate / theirs[i])
      const figures = [median(ours), median(theirs), median(ratios), Math.min(...ratios), Math.max(...ratios)]
      rows.push(
        [
          kind.name,
          `${kind.width}x${kind.height}`,
          workers,
          ours.length,
          clips.length,
          kilobytes,
          ...figures.map((x) => x.toFixed(2)),
        ].join(","),
      )
      process.stdout.write(`${rows.at(-1)}\n`)
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
const machine = `# ${cpus()[0].model}, ${cpus().length} cores, shared with other work; Node ${process.version}, PyAV ${version}; ${FRAMES} frames a clip of 10 s`
writeFileSync(settings.out, `${machine}\n${rows.join("\n")}\n`)
