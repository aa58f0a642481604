/**
 * A data set of the size of Kinetics-710, made up: how long its files take to be read, and how much memory, before any work begins.
 *
 *     npm run bench && node .fourtier/bench/large.js [clips, 650000] [part]
 *
 * Each part runs in a process of its own. Without a part, all of them; the files are made in a folder that is removed.
 */

import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { once } from "node:events"
import { createWriteStream, mkdtempSync, rmSync } from "node:fs"
import { mkdir } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { finished } from "node:stream/promises"
import { fileURLToPath } from "node:url"
import { answerKey, countPending, DescriptionCache, promptSpec, resolvePrompts, specId } from "fourtier/describe"
import { FeatureStore } from "fourtier/features"
import { readJobs } from "fourtier/shards"
import { readManifest, resolveSplits, writeManifest } from "fourtier/video"

const count = Number(process.argv[2] ?? 650_000)
const [part, folder = mkdtempSync(join(tmpdir(), "fourtier-large-"))] = process.argv.slice(3)

const built = new URL("../../packages/fourtier/dist/shards/job.js", import.meta.url).href
const { Job }: typeof import("../packages/fourtier/src/shards/job.ts") = await import(built)

const hashOf = (i: number) => createHash("sha256").update(String(i)).digest("hex")
const manifestPath = join(folder, "manifest.jsonl")
const answersPath = join(folder, "descriptions.jsonl")
const prompts = resolvePrompts("paper")
const common = { system: prompts.system, model: "gpt-4o", settings: {}, strip: { frames: 5, height: 256 } }
const SIZE = { T: 8, N: 196, D: 768 }
const storeSpec = { sampling: "centre", transform: [], encoder: "made up", size: SIZE, pool: "mean" as const }

/** Writes lines without holding them. */
async function write(path: string, lines: Iterable<string>): Promise<void> {
  const stream = createWriteStream(path)
  let held: string[] = []
  const send = async () => {
    if (!stream.write(held.join(""))) await once(stream, "drain")
    held = []
  }
  for (const line of lines) if (held.push(line, "\n") > 20_000) await send()
  await send()
  stream.end()
  await finished(stream)
}

function* manifestLines() {
  yield JSON.stringify({ schema: "fourtier/manifest", version: 2, root: "/data" })
  for (let i = 0; i < count; i++) {
    const relative = `class_${i % 710}/${hashOf(i).slice(0, 11)}_000010_000020.mp4`
    const [path, hash, label] = [`/data/${relative}`, hashOf(i), `class_${i % 710}`]
    const split = i % 20 === 0 ? "test" : "train"
    const clip = {
      ...{ id: relative.slice(0, -4), path, relative, label, labels: [label], split, fold: null, group: null },
      ...{ start: null, end: null, hash, duration: 10, frames: 300, fps: 30, width: 340, height: 256, codec: "h264" },
      ...{ rotation: 0, columns: { split, label, youtube_id: hash.slice(0, 11), time_start: "10", time_end: "20" } },
    }
    yield JSON.stringify({ clip, stamp: { size: 1_000_000 + i, mtime: 1_700_000_000_000 + i, fileHash: hash } })
  }
}

function* answerLines() {
  const specs = prompts.prompts.map((prompt) => ({ prompt, spec: promptSpec(prompt, common) }))
  for (const { spec } of specs) yield JSON.stringify({ spec: specId(spec), is: spec })
  for (let i = 0; i < count; i++) {
    for (const { prompt, spec } of specs) {
      const answer = `A person does what class ${i % 710} is about, in scene ${i % 97}, once more in other words.`
      yield JSON.stringify({
        ...{
          key: answerKey(hashOf(i), specId(spec)),
          ok: 1,
          clip: `clip ${i}`,
          path: `clip ${i}.mp4`,
          prompt: prompt.id,
        },
        ...{ answer, model: "gpt-4o", spec: specId(spec), by: "openai", time: "2026-11-30T00:00:00.000Z", cost: 0.001 },
      })
    }
  }
}

const jobOptions = (items: readonly string[]) => ({
  division: { shard: null, steal: true, work: join(folder, "work") },
  kind: "features",
  title: "made up",
  unit: "clips",
  spec: "large",
  items,
  nameOf: String,
  isThere: () => false,
})

/** What each part does; a text of what it found. */
const PARTS: Readonly<Record<string, () => Promise<string>>> = {
  async make() {
    await write(manifestPath, manifestLines())
    await write(answersPath, answerLines())
    const store = await FeatureStore.open(join(folder, "features"), storeSpec)
    for (let shard = 0; shard < 16; shard++) {
      await mkdir(join(store.path, `shard-${shard}`), { recursive: true })
      const lines = function* () {
        for (let i = shard; i < count; i += 16) yield JSON.stringify({ clip: hashOf(i), view: 0, padded: 0 })
      }
      await write(join(store.path, `shard-${shard}`, "index.jsonl"), lines())
    }
    return "files made"
  },
  async "read the manifest"() {
    return `${(await readManifest(manifestPath)).manifest.clips.length} clips`
  },
  async "read and write the manifest"() {
    const stamped = await readManifest(manifestPath)
    await writeManifest(join(folder, "again.jsonl"), stamped)
    return `${stamped.manifest.clips.length} clips`
  },
  async "read the manifest and split it"() {
    const { manifest } = await readManifest(manifestPath)
    const [split] = resolveSplits(manifest)
    return `${split.train.length} for training, ${split.test.length} for the test`
  },
  async "open the answers"() {
    const cache = new DescriptionCache(answersPath)
    const { size } = cache
    cache.close()
    return `${size} answers`
  },
  async "what is left to be asked"() {
    const { manifest } = await readManifest(manifestPath)
    const provider = {
      ...{ kind: "http", model: "gpt-4o", settings: {}, mode: "live" as const, destination: null, local: true },
      ...{
        usesStrip: true,
        concurrency: { initial: 1, max: 1 },
        ask: () => Promise.reject(new Error("nothing is asked")),
      },
    }
    const strips = { settings: common.strip, encode: () => Promise.reject(new Error("nothing is encoded")) }
    return `${countPending({ clips: manifest.clips, prompts, provider, strips, cachePath: answersPath, mayDescribe: () => true })} answers lacking`
  },
  async "open the feature store"() {
    const store = await FeatureStore.open(join(folder, "features"), storeSpec)
    return `${store.count} records`
  },
  async "join the work, take two blocks, leave"() {
    const items = Array.from({ length: count }, (_, i) => hashOf(i))
    const begun = performance.now()
    const job = await Job.open(jobOptions(items))
    const joined = performance.now()
    for (let i = 0; i < 2; i++) await (await job.take())?.finish()
    await job.leave("finished")
    return `joined in ${(joined - begun).toFixed(0)} ms, two blocks in ${(performance.now() - joined).toFixed(0)} ms`
  },
  async "all blocks, one after another"() {
    const items = Array.from({ length: count }, (_, i) => hashOf(i))
    const job = await Job.open(jobOptions(items))
    let blocks = 0
    for await (const block of job.all()) {
      await block.finish()
      blocks++
    }
    await job.leave("finished")
    return `${blocks} blocks`
  },
  async status() {
    const [{ done, items }] = await readJobs(join(folder, "work"))
    return `${done} of ${items}`
  },
}

if (part === undefined) {
  for (const name of Object.keys(PARTS)) {
    const { stdout, stderr, status } = spawnSync(
      process.execPath,
      [fileURLToPath(import.meta.url), String(count), name, folder],
      { encoding: "utf8" },
    )
    process.stdout.write(status === 0 ? stdout : `${name}: failed\n${stderr}\n`)
  }
  rmSync(folder, { recursive: true, force: true })
} else {
  const begun = performance.now()
  const found = await PARTS[part]()
  const seconds = ((performance.now() - begun) / 1000).toFixed(1)
  const megabytes = Math.round(process.resourceUsage().maxRSS / 1024)
  process.stdout.write(`${part}: ${found}; ${seconds} s, ${megabytes} MB\n`)
}
