/**
 * Whether the studio's page computes and trains what Node does: one labelled puppet clip of each class goes into the page, and what it
 * has stored of them is compared with what Node makes of the same files and the same draws.
 *
 *     fourtier puppets -o puppets
 *     npm run bench && node .fourtier/bench/studio_same.js puppets [seed, 0]
 *
 * Prints how far the page's features are from Node's, how far trained weights are from those that Node trains on the page's features, both as a
 * share of the norm, and how many test clips the two networks take for different classes. Needs a Chromium (CHROMIUM).
 */

import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { silent } from "@fourtier/core"
import { transformOf } from "@fourtier/core/frames"
import { argmax } from "@fourtier/core/metrics"
import { methodNamed, titleOf } from "@fourtier/core/model"
import {
  ClassifierGraphs,
  classificationTask,
  clipProbabilities,
  type FeatureSource,
  fitStandardize,
  MemoryFeatures,
  type RecordKey,
  train,
} from "@fourtier/core/train"
import { halfToFloat } from "@fourtier/tensor"
import type { Weights } from "@fourtier/tensor/nn"
import { loadConfig } from "fourtier"
import { openEncoder, openVisualEncoder } from "fourtier/encoders"
import { clipOfFile, loadViews } from "fourtier/video"
import { z } from "zod"
import { serve } from "../tests/browser/site.ts"
import { stop } from "./harness.ts"
import { DIST, drawn, rowsOf, trainInPage } from "./studio_page.ts"

const [data, seedText = "0"] = process.argv.slice(2)
if (data === undefined) stop("usage: node .fourtier/bench/studio_same.js <puppets> [seed]")
const seed = Number(seedText)

/** All that the page has stored: clips, features by file name, weights by the name of what is trained. */
const STORED = `(async () => {
  const coded = ({ buffer, byteOffset, byteLength }) => {
    const bytes = new Uint8Array(buffer, byteOffset, byteLength)
    let text = ""
    for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192))
    return btoa(text)
  }
  const done = (request) => new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
  const database = await done(indexedDB.open("fourtier-studio"))
  const table = (name) => database.transaction(name).objectStore(name)
  const clips = await done(table("clips").getAll())
  const [names, trained] = [await done(table("training").getAllKeys()), await done(table("training").getAll())]
  const weights = trained[names.findIndex((name) => name.endsWith("/weights"))]
  const root = await (await navigator.storage.getDirectory()).getDirectoryHandle("studio")
  const features = []
  for await (const [name, handle] of (await root.getDirectoryHandle("features")).entries()) {
    features.push([name, coded(new Uint8Array(await (await handle.getFile()).arrayBuffer()))])
  }
  return { clips, features, weights: [...weights].map(([name, values]) => [name, coded(values)]) }
})()`

const bytes = z.string().transform((text) => new Uint8Array(Buffer.from(text, "base64")).buffer)
const storedSchema = z.object({
  clips: z.array(z.object({ id: z.string(), name: z.string(), label: z.string(), added: z.number() })),
  features: z.array(z.tuple([z.string(), bytes])),
  weights: z.array(z.tuple([z.string(), bytes])),
})

type Stored = z.infer<typeof storedSchema>

const rows = rowsOf(data)
const stored = await storedByPage()
const clips = stored.clips.sort((a, b) => a.added - b.added || (a.id < b.id ? -1 : 1))
const classes = [...new Set(clips.map(({ label }) => label))]
const { value: config } = await loadConfig()
const { model, views, finetune } = config
const encoder = await openVisualEncoder(config.encoder)
const { T, H, W, D } = encoder.size
const size = { T, N: H * W, D }
const lengths = { m: T * size.N * D, s: T * D, t: size.N * D }
const session = await openEncoder(encoder, 1, {})

async function storedByPage(): Promise<Stored> {
  const folder = mkdtempSync(join(tmpdir(), "fourtier-studio-same-"))
  const site = await serve(DIST, { isolated: true })
  const found: Stored[] = []
  try {
    await trainInPage({
      folder,
      source: data,
      rows: drawn(rows, seed, 1),
      seed,
      url: site.url,
      look: async (page) => void found.push(storedSchema.parse(await page.evaluate(STORED))),
    })
  } finally {
    await site.close()
    rmSync(folder, { recursive: true, force: true })
  }
  return found[0]
}

/** Maps of a clip's views as Node sees them. @param draw number of the training views; null: those of the test */
async function mapsOf(path: string, id: string, draw: number | null): Promise<Float32Array[]> {
  const { views: pictures } = loadViews({
    clip: { ...clipOfFile(resolve(data, path)), id },
    sampling: { ...views.sampling, frames: encoder.frames, ...(draw === null ? { clips: views.test.clips } : {}) },
    transform: transformOf(draw === null ? views.test.steps : views.train.steps),
    seed: draw === null ? null : `${seed}/${id}/${draw}`,
    scaleWhileDecoding: true,
  })
  const maps: Float32Array[] = []
  for (const frames of pictures) maps.push(Float32Array.from((await session.run({ frames })).m, Number))
  return maps
}

/** Norm of the difference, as a share of the norm of the second. */
class Share {
  #off = 0
  #all = 0

  add(ours: ArrayLike<number>, theirs: ArrayLike<number>): void {
    for (let i = 0; i < ours.length; i++) {
      this.#off += (ours[i] - theirs[i]) ** 2
      this.#all += theirs[i] ** 2
    }
  }

  get value(): number {
    return Math.sqrt(this.#off / this.#all)
  }
}

/** The records of a clip, one after another, as the page keeps them. */
function recordsOf(id: string): Uint16Array {
  const found = stored.features.find(([name]) => name.endsWith(`-${id}`))
  return new Uint16Array(found?.[1] ?? stop(`the page has no features of ${id}`))
}

function partOf(records: Uint16Array, view: number, kind: "m" | "s" | "t"): Uint16Array {
  const before = { m: 0, s: lengths.m, t: lengths.m + lengths.s }[kind]
  const from = view * (lengths.m + lengths.s + lengths.t) + before
  return records.subarray(from, from + lengths[kind])
}

let farthest = 0
for (const { id, name, label } of clips) {
  const { path } = rows.find((row) => row.label === label && row.path.endsWith(`/${name}`)) ?? stop(`no ${name}`)
  const maps: Float32Array[] = []
  for (let draw = 0; draw < views.train.draws; draw++) maps.push(...(await mapsOf(path, id, draw)))
  maps.push(...(await mapsOf(path, id, null)))
  for (const [view, map] of maps.entries()) {
    const share = new Share()
    share.add(halfToFloat(partOf(recordsOf(id), view, "m")), map)
    farthest = Math.max(farthest, share.value)
  }
}
process.stdout.write(
  `features of ${clips.length} clips: ${(100 * farthest).toFixed(3)} % of their norm from Node's at most\n`,
)

const source: FeatureSource = {
  id: "page",
  size,
  async read({ clip, view }: RecordKey, kind, into) {
    const own = partOf(recordsOf(clip), view, kind)
    into?.set(own)
    return into ?? own
  },
}
const examples = clips.map(({ id, label }) => {
  return { id, hash: id, label: classes.indexOf(label), views: [...Array(views.train.draws).keys()] }
})
const taught = { source, examples }
const build = methodNamed("baseline").build({ prompts: [], model, space: null })
const graphs = await ClassifierGraphs.compile(
  { size: encoder.size, classes: classes.length, width: model.width, pool: model.pool, build },
  Math.min(finetune.batch, examples.length),
  finetune.dropout,
)
const fixed = await fitStandardize(taught, model.width)
const sets = { train: taught, val: { ...taught, examples: [] } }
const task = classificationTask(titleOf("baseline"), graphs, finetune, sets, fixed)
const { weights: trained, steps } = await train(task, { schedule: finetune, seed, reporter: silent })
const inNode: Weights = new Map([...fixed, ...trained])
const inPage: Weights = new Map(stored.weights.map(([name, values]) => [name, new Float32Array(values)]))

const parts = [...inNode].map(([name, values]) => {
  const share = new Share()
  share.add(inPage.get(name) ?? stop(`the page has no weights ${name}`), values)
  return share.value
})
process.stdout.write(
  `weights after ${steps} updates: ${(100 * Math.max(...parts)).toFixed(3)} % of a tensor's norm at most\n`,
)

const tests = new MemoryFeatures("test", size, model.pool)
const unseen: { id: string; hash: string; views: number[] }[] = []
for (const { path } of rows.filter(({ split }) => split.startsWith("test"))) {
  const maps = await mapsOf(path, path, null)
  for (const [view, map] of maps.entries()) tests.add({ clip: path, view }, map)
  unseen.push({ id: path, hash: path, views: [...maps.keys()] })
}
const [own, theirs] = [
  await clipProbabilities(graphs, { source: tests, examples: unseen }, inNode),
  await clipProbabilities(graphs, { source: tests, examples: unseen }, inPage),
]
const apart = own.filter((row, i) => argmax([...row]) !== argmax([...theirs[i]])).length
process.stdout.write(`test clips: ${apart} of ${unseen.length} taken for another class\n`)
await graphs.release()
await session.release()
