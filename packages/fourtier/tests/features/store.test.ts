/** The feature store: what is written is read, also after a kill, by several processes, and by numpy. */

import { spawn, spawnSync } from "node:child_process"
import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { poolRecord } from "@fourtier/core/model"
import { floatToHalf, halfToFloat } from "@fourtier/tensor"
import { NpyReader } from "@fourtier/tensor/node"
import { afterAll, describe, expect, it } from "vitest"
import { compactFeatures } from "../../src/features/compact.ts"
import { FeatureStore, type StoreSpec } from "../../src/features/store.ts"

const folder = mkdtempSync(join(tmpdir(), "fourtier-store-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const size = { T: 2, N: 3, D: 4 }
const spec = (encoder = "e"): StoreSpec => ({ sampling: { frames: 2 }, transform: [], encoder, size, pool: "mean" })
const length = size.T * size.N * size.D
const built = existsSync(join(import.meta.dirname, "../../dist/features/store.js"))

/** Halves are exact for quarters of small whole numbers. */
const record = (i: number) => Float32Array.from({ length }, (_, j) => (i * 7 + j * 3) / 4)
const bits = (values: Float32Array) => [...floatToHalf(values)]

async function fill(root: string, ids: readonly number[], encoder?: string) {
  const store = await FeatureStore.open(root, spec(encoder))
  const writer = await store.writer()
  for (const i of ids) await writer.append({ clip: `c${i}`, view: i % 2 }, record(i), i % 3)
  await writer.close()
  return store
}

async function expectRecord(store: FeatureStore, i: number) {
  const key = { clip: `c${i}`, view: i % 2 }
  expect(store.padded(key)).toBe(i % 3)
  expect([...(await store.read(key, "m"))]).toEqual(bits(record(i)))
  const { s, t } = poolRecord(record(i), size, "mean")
  expect([...(await store.read(key, "s"))]).toEqual(bits(s))
  expect([...(await store.read(key, "t"))]).toEqual(bits(t))
}

describe("the feature store", () => {
  it("gives back what was written, at once and after opening again", async () => {
    const root = join(folder, "round")
    const first = await fill(root, [0, 1, 2])
    for (const i of [2, 0, 1]) await expectRecord(first, i)
    await first.close()
    const again = await FeatureStore.open(root, spec())
    expect(again.count).toBe(3)
    for (const i of [0, 1, 2]) await expectRecord(again, i)
    expect(again.has({ clip: "c0", view: 1 })).toBe(false)
    await expect(again.read({ clip: "c9", view: 0 }, "m")).rejects.toThrow(/no features of clip c9/)
    await again.close()
  })

  it("pools s over places and t over frames", () => {
    const { s, t } = poolRecord(
      Float32Array.from({ length }, (_, i) => i),
      size,
      "mean",
    )
    expect([...s.subarray(0, 4)]).toEqual([4, 5, 6, 7])
    expect([...t.subarray(0, 4)]).toEqual([6, 7, 8, 9])
  })

  it("keeps float16's extremes", async () => {
    const root = join(folder, "extremes")
    const store = await FeatureStore.open(root, spec())
    const writer = await store.writer()
    const values = Float32Array.from({ length }, (_, i) => [65504, -65504, 6e-8, 0.1, 1 / 3, -0][i % 6])
    await writer.append({ clip: "x", view: 0 }, values, 0)
    await writer.close()
    const found = halfToFloat(await store.read({ clip: "x", view: 0 }, "m"))
    for (const [i, value] of values.entries())
      expect(Math.abs(found[i] - value)).toBeLessThanOrEqual(Math.abs(value) / 1024 + 6e-8)
    await store.close()
  })

  it("refuses what float16 cannot hold, naming the clip and the place, and keeps nothing of it", async () => {
    const store = await FeatureStore.open(join(folder, "range"), spec())
    const writer = await store.writer()
    const append = (at: number, value: number, where?: string) =>
      writer.append({ clip: "x", view: 0 }, new Float32Array(length).fill(value, at, at + 1), 0, where)
    await expect(append(5, 65520)).rejects.toThrow(
      /clip x: features too large for float16[\s\S]*the first 65520 at \[0,1,1\][\s\S]*encoder\.scale to 0\.25/,
    )
    await expect(append(0, Number.NaN, "a.mp4")).rejects.toThrow(/a\.mp4: features that are no finite numbers/)
    await append(5, 65519)
    await writer.close()
    expect(Math.max(...halfToFloat(await store.read({ clip: "x", view: 0 }, "m")))).toBe(65504)
    await store.close()
  })

  it("names the record, the clip and the mend where a file holds what is no finite number", async () => {
    const root = join(folder, "broken")
    const store = await fill(root, [0, 1])
    const [shard] = readdirSync(store.path).filter((name) => name.startsWith("shard-"))
    const path = join(store.path, shard, "s.npy")
    const bytes = readFileSync(path)
    bytes.writeUInt16LE(0x7e00, bytes.length - 2)
    writeFileSync(path, bytes)
    await expectRecord(store, 0)
    await expect(store.read({ clip: "c1", view: 1 }, "s")).rejects.toThrow(
      /s\.npy, record 1: features of clip c1, view 1/,
    )
    await expect(store.read({ clip: "c1", view: 1 }, "s")).rejects.toThrow(`delete the folder ${store.path}`)
    await store.close()
  })

  it("reads records while more are written", async () => {
    const store = await FeatureStore.open(join(folder, "growing"), spec())
    const writer = await store.writer()
    for (let i = 0; i < 6; i++) {
      await writer.append({ clip: `c${i}`, view: i % 2 }, record(i), i % 3)
      expect(store.has({ clip: `c${i}`, view: i % 2 })).toBe(false)
      await writer.flush()
      for (let j = 0; j <= i; j++) await expectRecord(store, j)
    }
    await writer.close()
    await store.close()
  })

  it("keeps other encoders, transforms and samplings apart", async () => {
    const root = join(folder, "apart")
    const one = await fill(root, [0], "one")
    const two = await FeatureStore.open(root, spec("two"))
    const three = await FeatureStore.open(root, { ...spec("one"), transform: ["flip"] })
    const same = await FeatureStore.open(root, {
      size,
      encoder: "one",
      transform: [],
      sampling: { frames: 2 },
      pool: "mean",
    })
    expect([two.count, three.count, same.count]).toEqual([0, 0, 1])
    expect(new Set([one.path, two.path, three.path]).size).toBe(3)
    expect(same.path).toBe(one.path)
    for (const store of [one, two, three, same]) await store.close()
  })

  it("drops a line torn by a kill and goes on in a shard of its own", async () => {
    const root = join(folder, "torn")
    const store = await fill(root, [0, 1])
    const [shard] = readdirSync(store.path).filter((name) => name.startsWith("shard"))
    await store.close()
    const index = join(store.path, shard, "index.jsonl")
    appendFileSync(index, '{"clip":"c2","vi')
    const torn = await FeatureStore.open(root, spec())
    expect(torn.count).toBe(2)
    await torn.close()
    const more = await fill(root, [2])
    expect(more.count).toBe(3)
    for (const i of [0, 1, 2]) await expectRecord(more, i)
    await more.close()
  })

  it("names the file and line of an index that is damaged elsewhere", async () => {
    const root = join(folder, "damaged")
    const store = await fill(root, [0, 1])
    await store.close()
    const [shard] = readdirSync(store.path).filter((name) => name.startsWith("shard"))
    const index = join(store.path, shard, "index.jsonl")
    writeFileSync(index, readFileSync(index, "utf8").replace('{"clip":"c0"', "\0\0\0"))
    await expect(FeatureStore.open(root, spec())).rejects.toThrow(/index\.jsonl:1: .*\n.*\n?.*fix:/)
  })

  it("takes an interrupted shard that has no index yet for empty", async () => {
    const root = join(folder, "young")
    const store = await fill(root, [0])
    const writer = await store.writer()
    await writer.append({ clip: "c1", view: 1 }, record(1), 1)
    const other = await FeatureStore.open(root, spec())
    expect(other.count).toBe(1)
    await writer.close()
    for (const each of [store, other]) await each.close()
  })

  it("numpy reads the arrays", async (context) => {
    if (spawnSync("python3", ["-c", "import numpy"]).status !== 0) {
      console.log("skipped: no python3 with numpy here")
      context.skip()
    }
    const root = join(folder, "numpy")
    const store = await fill(root, [0, 1, 2])
    await store.close()
    const [shard] = readdirSync(store.path).filter((name) => name.startsWith("shard"))
    const script = `import numpy, sys
for kind in "mst":
    array = numpy.load(f"{sys.argv[1]}/{kind}.npy", mmap_mode="r")
    print(array.dtype, array.shape, float(array[2].astype("float64").sum()))`
    const { stdout } = spawnSync("python3", ["-c", script, join(store.path, shard)], { encoding: "utf8" })
    const sum = (values: Float32Array) => halfToFloat(floatToHalf(values)).reduce((a, b) => a + b, 0)
    const { s, t } = poolRecord(record(2), size, "mean")
    const lines = stdout.trim().split("\n")
    expect(lines.map((line) => line.split(") ")[0])).toEqual([
      "float16 (3, 2, 3, 4",
      "float16 (3, 2, 4",
      "float16 (3, 3, 4",
    ])
    for (const [i, values] of [record(2), s, t].entries()) {
      expect(Number(lines[i].split(") ")[1])).toBeCloseTo(sum(values), 3)
    }
  })
})

/** A process that appends records c<from>, c<from+1>, … and says on standard output how many are flushed. */
const WRITER = `
import { FeatureStore } from ${JSON.stringify(new URL("../../dist/features/store.js", import.meta.url).href)}
const [root, spec, from, to] = process.argv.slice(1)
const store = await FeatureStore.open(root, JSON.parse(spec))
const writer = await store.writer()
for (let i = Number(from); i < Number(to); i++) {
  const values = Float32Array.from({ length: ${length} }, (_, j) => (i * 7 + j * 3) / 4)
  await writer.append({ clip: "c" + i, view: i % 2 }, values, i % 3)
  if (i % 5 === 4) {
    await writer.flush()
    process.stdout.write(store.count + "\\n")
  }
}
await writer.close()
`

function startWriter(root: string, from: number, to: number) {
  const text = JSON.stringify(spec())
  const child = spawn(process.execPath, ["--input-type=module", "-e", WRITER, root, text, String(from), String(to)])
  const state = { child, flushed: 0, errors: "", ended: new Promise<void>(() => {}) }
  child.stdout.on("data", (chunk) => {
    state.flushed = Number(String(chunk).trim().split("\n").at(-1))
  })
  child.stderr.on("data", (chunk) => {
    state.errors += chunk
  })
  state.ended = new Promise((resolve) => child.on("close", () => resolve()))
  return state
}

describe.skipIf(!built)("several processes", () => {
  it("a killed writer leaves every flushed record readable", async () => {
    const root = join(folder, "killed")
    let known = 0
    for (let round = 0; round < 3; round++) {
      const writer = startWriter(root, round * 1000, round * 1000 + 1000)
      while (writer.flushed < known + 20 && writer.child.exitCode === null) await sleep(1)
      writer.child.kill("SIGKILL")
      await writer.ended
      const store = await FeatureStore.open(root, spec())
      expect(store.count).toBeGreaterThanOrEqual(writer.flushed)
      known = store.count
      for (let i = 0; i < 3000; i++) if (store.has({ clip: `c${i}`, view: i % 2 })) await expectRecord(store, i)
      await store.close()
    }
    expect(known).toBeGreaterThanOrEqual(60)
  }, 300_000)

  it("two writers at once lose nothing", async () => {
    const root = join(folder, "two")
    const writers = [startWriter(root, 0, 60), startWriter(root, 40, 100)]
    for (const { ended } of writers) await ended
    expect(writers.map(({ errors }) => errors)).toEqual(["", ""])
    const store = await FeatureStore.open(root, spec())
    expect(store.count).toBe(100)
    for (let i = 0; i < 100; i++) await expectRecord(store, i)
    await store.close()
    // records 40 to 59 are there twice: of two shards becomes one, with each record once
    expect([await compactFeatures(store.path), await compactFeatures(store.path)]).toEqual([2, 0])
    const merged = await FeatureStore.open(root, spec())
    expect(merged.count).toBe(100)
    for (let i = 0; i < 100; i++) await expectRecord(merged, i)
    await merged.close()
    const shards = readdirSync(store.path, { withFileTypes: true }).filter((entry) => entry.isDirectory())
    const [reader, rest] = [await NpyReader.open(join(store.path, shards[0].name, "m.npy")), shards.slice(1)]
    expect([reader.count, rest]).toEqual([100, []])
    await reader.close()
  }, 300_000)
})
