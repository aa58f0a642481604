/**
 * Pseudo-labels for very many clips, made up: time, memory, and how many are right.
 *
 *     npm run bench && node .fourtier/bench/pseudo_labels.js [clips, 500000] [classes, 400] [labels per class, 4] [threads]
 *
 * Text embeddings of four prompts, 512 numbers each, lie in a file of their own (4.1 GB for 500,000 clips) and are read block by
 * block. They are made around one direction a class: of two prompts closely, of the third loosely, and not at all of the fourth.
 * A few clips in a thousand resemble no class.
 */

import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pseudoLabelsSchema } from "@fourtier/core/schemas"
import { type ClipTexts, evidenceFor, pseudoLabel } from "@fourtier/core/train"
import { Rng } from "@fourtier/tensor"

const [count = 500_000, classes = 400, labelsPerClass = 4, threads] = process.argv.slice(2).map(Number)
const WIDTH = 512
/** Length of the noise against that of the class's direction. */
const SPREAD = { A: 2, B: 2.5, C: 4, D: Number.POSITIVE_INFINITY }
const prompts = Object.keys(SPREAD)
const BLOCK = 1000

const folder = mkdtempSync(join(tmpdir(), "fourtier-labels-"))
const normals = Float32Array.from(
  { length: 1 << 20 },
  (
    (rng) => () =>
      rng.normal()
  )(new Rng("noise")),
)
const directions = Array.from({ length: classes }, (_, c) => unit(Rng.fork("direction", c), WIDTH))
const places = new Rng("places")

function unit(rng: Rng, length: number): Float32Array {
  const row = Float32Array.from({ length }, () => rng.normal())
  const size = Math.hypot(...row)
  return row.map((x) => x / size)
}

/** Writes direction and noise into a row, of which the class is told by the direction unless `spread` is infinite. */
function put(row: Float32Array, label: number, spread: number): void {
  const from = Math.floor(places.next() * (normals.length - row.length))
  const scale = Number.isFinite(spread) ? spread / Math.sqrt(row.length) : 1 / Math.sqrt(row.length)
  const direction = directions[label]
  for (let d = 0; d < row.length; d++) {
    row[d] = (Number.isFinite(spread) ? direction[d % WIDTH] : 0) + scale * normals[from + d]
  }
}

function makeTexts(): ClipTexts {
  const paths = prompts.map((prompt) => join(folder, `${prompt}.f32`))
  for (const [p, spread] of Object.values(SPREAD).entries()) {
    const file = openSync(paths[p], "w")
    for (let from = 0; from < count; from += BLOCK) {
      const rows = new Float32Array(Math.min(BLOCK, count - from) * WIDTH)
      for (let i = 0; i * WIDTH < rows.length; i++) {
        const row = rows.subarray(i * WIDTH, (i + 1) * WIDTH)
        // every 300th clip is of no class
        put(row, (from + i) % classes, (from + i) % 300 === 299 ? Number.POSITIVE_INFINITY : spread)
      }
      writeSync(file, rows)
    }
    closeSync(file)
  }
  const files = paths.map((path) => openSync(path, "r"))
  return {
    prompts,
    clips: Array.from({ length: count }, (_, i) => `clip ${i}`),
    width: WIDTH,
    read(prompt, first, rows, into) {
      readSync(files[prompt], into.subarray(0, rows * WIDTH), 0, rows * WIDTH * 4, first * WIDTH * 4)
    },
  }
}

const now = () => ({ clock: performance.now(), cpu: process.cpuUsage() })
const seconds = ({ clock, cpu }: ReturnType<typeof now>) => {
  const { user, system } = process.cpuUsage(cpu)
  return `${((performance.now() - clock) / 1000).toFixed(1)} s (${((user + system) / 1e6).toFixed(1)} s of processors)`
}
const megabytes = () => `${Math.round(process.resourceUsage().maxRSS / 1024)} MB at most so far`
const say = (text: string) => void process.stdout.write(`${text}\n`)

try {
  let begun = now()
  const texts = makeTexts()
  say(
    `${count} clips, ${classes} classes, ${prompts.length} prompts of ${WIDTH}: made in ${seconds(begun)}, ${megabytes()}`,
  )
  const names = directions.map((direction, c) => {
    const noise = unit(Rng.fork("name", c), WIDTH)
    return direction.map((x, d) => x + 1.5 * noise[d])
  })
  const labels = new Map(texts.clips.slice(0, classes * labelsPerClass).map((clip, i) => [clip, i % classes]))
  const config = pseudoLabelsSchema.parse({})
  const runtime = threads ? { threads } : {}
  begun = now()
  const rowsOf = async (clips: readonly string[]) =>
    new Map(
      clips.map((clip) => {
        const row = new Float32Array(WIDTH)
        put(row, Number(clip.slice(5)) % classes, 2)
        return [clip, row] as const
      }),
    )
  const evidence = await evidenceFor({ texts, names, labels }, rowsOf, config, runtime)
  say(`evidence: ${evidence.accepted ? "accepted" : "refused"}; ${seconds(begun)}, ${megabytes()}`)
  begun = now()
  const { probabilities, none, promptWeights } = await pseudoLabel({ texts, names, labels }, config, runtime)
  const right = [...probabilities].filter(
    ([clip, row]) => !none.has(clip) && row.indexOf(Math.max(...row)) === Number(clip.slice(5)) % classes,
  ).length
  const share = ((100 * right) / (probabilities.size - none.size)).toFixed(1)
  say(`pseudo-labels of ${probabilities.size} clips: ${seconds(begun)}, ${megabytes()}`)
  say(
    `${share} % right, ${none.size} of no class; weights ${[...promptWeights].map(([p, w]) => `${p} ${w.toFixed(2)}`).join(", ")}`,
  )
} finally {
  rmSync(folder, { recursive: true, force: true })
}
