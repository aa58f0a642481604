/**
 * Training in several processes: seconds an update, how much of it is communication, and how long messages of each size take.
 *
 *     npm run bench
 *     node .fourtier/bench/ranks.js                                       one process
 *     mpirun -n 2 --bind-to none node .fourtier/bench/ranks.js            two, each with one thread
 *
 * Each run prints a line of bench/ranks.csv and, with several processes, lines of bench/messages.csv. The batch is the same for any
 * number of processes, so their efficiency is the seconds of one over n times those of n. On a machine that others use as well, read
 * processor seconds: `work_cpu_s` of an update leaves out what a rank spends on messages, waiting included.
 */

import { silent } from "@fourtier/core"
import { methodNamed } from "@fourtier/core/model"
import { classificationSchema, modelSchema, scheduleSchema } from "@fourtier/core/schemas"
import {
  ClassifierGraphs,
  type Collective,
  classificationTask,
  fitStandardize,
  type Journal,
  MemoryFeatures,
  microBatchOf,
  train,
} from "@fourtier/core/train"
import { Rng } from "@fourtier/tensor"
import { launchOf, Ranks } from "fourtier"

const SIZE = { T: 4, H: 7, W: 7, D: 384 }
const CLASSES = 12
const BATCH = 16
const UPDATES = 14
const WARMUP = 3

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1]

const cpuSeconds = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

const launch = launchOf()
const ranks = launch ? await Ranks.join(launch) : undefined
const size = ranks?.size ?? 1

/** Clips of random numbers, the same on every rank. */
async function makeClips() {
  const record = { T: SIZE.T, N: SIZE.H * SIZE.W, D: SIZE.D }
  const source = new MemoryFeatures("random", record)
  const examples = Array.from({ length: BATCH }, (_, i) => {
    const rng = Rng.fork("clip", i)
    source.add(
      { clip: `${i}`, view: 0 },
      Float32Array.from({ length: record.T * record.N * record.D }, () => rng.uniform(-1, 1)),
    )
    return { id: `${i}`, hash: `${i}`, views: [0], label: i % CLASSES }
  })
  return { source, examples }
}

/** Seconds of an update on the clock and of the processor, and of its message. */
async function updates(): Promise<{ update: number; message: number; work: number; bytes: number }> {
  const clips = await makeClips()
  const standardize = await fitStandardize(clips, null)
  const model = modelSchema.parse({})
  const build = methodNamed("baseline").build({ prompts: [], model, space: null })
  const spec = { size: SIZE, classes: CLASSES, width: null, pool: model.pool, build }
  const rows = microBatchOf({ rows: BATCH, microBatch: BATCH, ranks: size })
  const graphs = await ClassifierGraphs.compile(spec, rows, 0, { threads: 1 }, size > 1)
  const data = { train: clips, val: { ...clips, examples: [] } }
  const task = classificationTask("baseline", graphs, classificationSchema.parse({}), data, standardize, BATCH)
  const spent = { message: 0, cpu: 0, bytes: 0 }
  const watched: Collective | undefined = ranks && {
    rank: ranks.rank,
    size: ranks.size,
    async sum(values) {
      const [begun, cpu] = [performance.now(), cpuSeconds()]
      await ranks.sum(values)
      spent.message += (performance.now() - begun) / 1000
      spent.cpu += cpuSeconds() - cpu
      spent.bytes = values.byteLength
    },
    gather: (values) => ranks.gather(values),
    broadcast: (bytes) => ranks.broadcast(bytes),
  }
  const marks: { at: number; cpu: number; message: number; waiting: number }[] = []
  const mark = () => {
    marks.push({ at: performance.now() / 1000, cpu: cpuSeconds(), message: spent.message, waiting: spent.cpu })
  }
  const journal: Journal = { write: mark, rewind: async () => {} }
  const schedule = scheduleSchema.parse({ epochs: UPDATES, batch: BATCH, learningRate: 1e-4 })
  await train(task, { schedule, seed: 0, reporter: silent, journal, collective: watched, runtime: { threads: 1 } })
  await graphs.release()
  const between = marks.slice(WARMUP + 1).map((end, i) => {
    const start = marks[WARMUP + i]
    const cpu = end.cpu - start.cpu - (end.waiting - start.waiting)
    return { update: end.at - start.at, message: end.message - start.message, work: cpu }
  })
  const middle = (of: (one: (typeof between)[number]) => number) => median(between.map(of))
  return {
    update: middle(({ update }) => update),
    message: middle(({ message }) => message),
    work: middle(({ work }) => work),
    bytes: spent.bytes,
  }
}

const { update, message, work, bytes } = await updates()
if (!ranks || ranks.rank === 0) {
  console.log("ranks,rows,update_s,message_s,work_cpu_s,message_bytes,library")
  const figures = [update, message, work].map((value) => value.toFixed(4))
  console.log([size, BATCH, ...figures, bytes, ranks?.version ?? ""].join(","))
}
if (ranks) {
  const lines = ["ranks,bytes,sum_ms,gather_ms"]
  for (let length = 1; length <= 2 ** 24; length *= 8) {
    const values = new Float32Array(length)
    const rounds = Math.max(5, Math.min(200, 2 ** 22 / length))
    const sums: number[] = []
    const gathers: number[] = []
    for (let round = 0; round < rounds; round++) {
      const begun = performance.now()
      await ranks.sum(values)
      const summed = performance.now()
      await ranks.gather(values.subarray(0, Math.ceil(length / size)))
      sums.push(summed - begun)
      gathers.push(performance.now() - summed)
    }
    lines.push([size, 4 * length, median(sums).toFixed(4), median(gathers).toFixed(4)].join(","))
  }
  if (ranks.rank === 0) console.log(lines.join("\n"))
  ranks.leave()
}
