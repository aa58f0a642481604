/**
 * Clips per second at T = 8 against PyAV, side by side in one run: both decode the centres of eight equal segments to RGB
 * arrays on the same number of cores. Here these are worker threads; there, whichever is faster in a first round: as many processes
 * with one codec thread each, or one process with as many codec threads. Rounds alternate; the figures are medians.
 *
 *     npm run bench && node .fourtier/bench/decode.js --rounds 7 --clips 12 --python python3
 *
 * Writes bench/decode.csv.
 */

import { once } from "node:events"
import { mkdtempSync, rmSync, statSync } from "node:fs"
import { cpus, tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { Worker } from "node:worker_threads"
import { type Clip, clipOfFile } from "fourtier/video"
import { z } from "zod"
import { KINDS, makeBenchClip } from "./decode_clips.ts"
import { FRAMES } from "./decode_worker.ts"
import { BENCH, median, Partner, pythonVersion, ratios, Table, takeTurns } from "./harness.ts"

const { values: settings } = parseArgs({
  options: {
    rounds: { type: "string", default: "7" },
    clips: { type: "string", default: "12" },
    python: { type: "string", default: "python3" },
  },
})

const resultSchema = z.object({ seconds: z.number(), checksum: z.number() })
type Result = z.infer<typeof resultSchema>

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

/** PyAV's job on so many cores: with processes or with codec threads, whichever is faster the second time. */
async function fastestJob(python: Partner, clips: readonly Clip[], cores: number) {
  const files = clips.map(({ path, frames }) => [path, frames])
  const ways = [
    { processes: cores, codec_threads: 1 },
    { processes: 1, codec_threads: cores },
  ].map((way) => ({ files, frames: FRAMES, ...way }))
  const seconds: number[] = []
  for (const way of ways) {
    await python.ask(way, resultSchema)
    seconds.push((await python.ask(way, resultSchema)).seconds)
  }
  return ways[seconds.indexOf(Math.min(...seconds))]
}

const version = pythonVersion(settings.python, "av", "pip install av")
const folder = mkdtempSync(join(tmpdir(), "fourtier-bench-"))
const script = join(BENCH, "decode_pyav.py")
const machine = `${cpus()[0].model}, ${cpus().length} cores; Node ${process.version}, PyAV ${version}; ${FRAMES} frames a clip of 10 s`
const columns = [
  "codec",
  "size",
  "workers",
  "rounds",
  "clips",
  "kilobytes_a_clip",
  "pyav_processes",
  "pyav_codec_threads",
]
const rates = ["fourtier_clips_per_s", "pyav_clips_per_s", "ratio", "ratio_min", "ratio_max"]
const table = new Table(join(BENCH, "decode.csv"), [...columns, ...rates], machine)
try {
  for (const kind of KINDS) {
    const paths = Array.from({ length: Number(settings.clips) }, (_, seed) => makeBenchClip(folder, kind, seed))
    const clips = paths.map((path) => clipOfFile(path))
    const kilobytes = Math.round(paths.reduce((sum, path) => sum + statSync(path).size, 0) / paths.length / 1000)
    for (const workers of [1, 2]) {
      const python = new Partner(settings.python, [script])
      const threads = new Threads(workers)
      const job = await fastestJob(python, clips, workers)
      const sides = [() => threads.run(clips), () => python.ask(job, resultSchema)]
      const [here, there] = await takeTurns(sides, Number(settings.rounds))
      python.end()
      await threads.close()
      // PyAV converts widths that are no multiple of 8 by another path: its pixels are 1 % brighter there.
      if (here.some(({ checksum }, i) => Math.abs(checksum / there[i].checksum - 1) > 0.02))
        throw new Error(`${kind.name}: other pixels than PyAV's`)
      const [ours, theirs] = [here, there].map((results) => results.map(({ seconds }) => clips.length / seconds))
      const ratio = ratios(ours, theirs)
      const figures = [median(ours), median(theirs), median(ratio), Math.min(...ratio), Math.max(...ratio)]
      const setting = [kind.name, `${kind.width}x${kind.height}`, workers, ours.length, clips.length, kilobytes]
      setting.push(job.processes, job.codec_threads)
      table.add([...setting, ...figures.map((x) => x.toFixed(2))])
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
await table.write()
