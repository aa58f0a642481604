/**
 * The feature store: the frozen encoder's maps, computed once and read by offset ever after.
 *
 * ```
 * <root>/<key>/spec.json              what was computed: sampling, transform, encoder, map size
 * <root>/<key>/<shard>/m.npy          float16 [records,T,N,D]      numpy.load(…, mmap_mode="r") reads these
 *                      s.npy t.npy    float16 [records,T,D] and [records,N,D], m pooled as spec.json says
 *                      index.jsonl    which clip and view each record is
 * ```
 * Each writing process has a shard of its own, so several may write at once. A record counts only once its line is in the
 * index, and its line is written after its data are on disk: a kill loses at most the records not yet flushed.
 */

import { randomBytes } from "node:crypto"
import { existsSync } from "node:fs"
import { appendFile, readdir } from "node:fs/promises"
import { basename, dirname, join, resolve } from "node:path"
import type { Pool, RecordSize } from "@fourtier/core/model"
import { type FeatureKind, type FeatureSource, halfRecord, type RecordKey } from "@fourtier/core/train"
import { FourtierError } from "@fourtier/tensor"
import { hashJson, NpyReader, NpyWriter, notWritten, writeJson } from "@fourtier/tensor/node"
import { z } from "zod"
import { markUsed } from "../util/cache-folders.ts"
import { linesFrom } from "../util/lines.ts"
import { absolutePath, isObject, objectIn } from "../util/objects/address.ts"
import { ObjectFile } from "../util/objects/file.ts"
import { fetchObject, listObjects } from "../util/objects/objects.ts"

/** Everything that decides a record's numbers but the clip and the view. */
export interface StoreSpec {
  sampling: unknown
  transform: unknown
  /** The encoder's identity: a hash of its weights and settings. */
  encoder: string
  size: RecordSize
  /** How s and t are pooled from m. */
  pool: Pool
}

/** Names a store to another process. */
export interface StoreReference {
  root: string
  spec: StoreSpec
  views: readonly number[] | null
  others: readonly string[]
}

/** A kill loses at most what is not yet flushed: so many records, or so long a time's. */
const FLUSH_RECORDS = 64
const FLUSH_MS = 2_000

const lineSchema = z.object({ clip: z.string(), view: z.int(), padded: z.int() })

interface Place {
  shard: number
  record: number
  padded: number
}

interface Shard {
  path: string
  readers: Partial<Record<FeatureKind, Promise<NpyReader<"f16">>>>
  /** How far its index has been read: bytes and records. */
  read: { bytes: number; records: number }
}

const keyText = ({ clip, view }: RecordKey) => `${clip}/${view}`

const recordShape = ({ T, N, D }: RecordSize): Record<FeatureKind, number[]> => ({ m: [T, N, D], s: [T, D], t: [N, D] })

/**
 * Maps and pooled rows of clips on disk.
 *
 * @example
 * ```ts
 * import { FeatureStore } from "fourtier/features"
 *
 * const size = { T: 8, N: 36, D: 64 }
 * const spec = { sampling: "centre", transform: [], encoder: "5f1c", size, pool: "mean" as const }
 * const store = await FeatureStore.open("cache/features", spec)
 * if (store.has({ clip: "5f1c", view: 0 })) await store.read({ clip: "5f1c", view: 0 }, "s") // [8, 64], float16
 * await store.close()
 * ```
 */
export class FeatureStore implements FeatureSource {
  readonly path: string
  readonly size: RecordSize
  readonly reference: StoreReference
  readonly #pool: Pool
  readonly #views: readonly number[] | null
  readonly #places = new Map<string, Place>()
  readonly #shards: Shard[] = []
  readonly #folders: readonly string[]
  /** Folders of object storage that have been read. */
  readonly #seen = new Set<string>()
  /** Shards that this process writes: it is told of their records. */
  readonly #own = new Set<string>()

  private constructor(path: string, reference: StoreReference, others: readonly string[]) {
    const { views, spec } = reference
    const { size, pool } = spec
    this.path = path
    this.reference = reference
    this.#folders = [path, ...others]
    this.size = size
    this.#pool = pool
    this.#views = views?.every((number, view) => number === view) ? null : views
  }

  /** The folder's name, a hash of the spec; and which of its views count, where these are not the first ones. */
  get id(): string {
    const name = basename(this.path)
    return this.#views === null ? name : `${name} ${this.#views.join(" ")}`
  }

  /**
   * Opens the store of `spec` under `root`, empty if nothing has been computed yet.
   * @param views numbers, in the store, of the views that are counted from 0 here; absent: the same
   * @param others further roots, whose records are read as well; of object storage, what is there when the store is opened
   */
  static async open(
    root: string,
    spec: StoreSpec,
    views: readonly number[] | null = null,
    others: readonly string[] = [],
  ): Promise<FeatureStore> {
    const name = hashJson(spec).slice(0, 16)
    const elsewhere = others.map((other) => (isObject(other) ? objectIn(other, name) : join(other, name)))
    const reference = { root: resolve(root), spec, views, others: others.map((other) => absolutePath(other)) }
    const store = new FeatureStore(join(root, name), reference, elsewhere)
    const specPath = join(store.path, "spec.json")
    if (!existsSync(specPath)) await writeJson(specPath, spec)
    await markUsed(specPath)
    await store.refresh()
    return store
  }

  /** Takes in what other processes have stored since. */
  async refresh(): Promise<void> {
    for (const folder of this.#folders) {
      if (isObject(folder)) {
        if (!this.#seen.has(folder)) await this.#readObjects(folder)
        continue
      }
      if (!existsSync(folder)) continue
      for (const entry of await readdir(folder, { withFileTypes: true })) {
        const path = join(folder, entry.name)
        if (entry.isDirectory() && !this.#own.has(path)) await this.#readIndex(path)
      }
    }
  }

  /** Opens the store that another process has opened, on a file system that both of them see. */
  static reopen({ root, spec, views, others }: StoreReference): Promise<FeatureStore> {
    return FeatureStore.open(root, spec, views, others)
  }

  has(key: RecordKey): boolean {
    return this.#places.has(keyText(this.#stored(key)))
  }

  /** Number of records. */
  get count(): number {
    return this.#places.size
  }

  /** Bytes of one record, all kinds. */
  get recordBytes(): number {
    const { T, N, D } = this.size
    return 2 * D * (T * N + T + N)
  }

  /** How many frames of a record are repeats, because the clip has fewer than were asked for. */
  padded(key: RecordKey): number {
    return this.#place(key).padded
  }

  /**
   * A record as float16 bits, into `into` if given. m [T,N,D], s [T,D], t [N,D].
   * @throws FourtierError for numbers that are not finite: files of another tool, or damaged ones
   */
  async read(key: RecordKey, kind: FeatureKind, into?: Uint16Array): Promise<Uint16Array> {
    const { shard, record } = this.#place(key)
    const reader = await this.#reader(this.#shards[shard], kind, record)
    const found = await reader.read(record, into)
    const broken = firstNotFinite(found)
    if (broken !== null) throw notFinite(reader.path, record, key, broken, this.path)
    return found
  }

  /** A writer with a shard of its own. Records become visible in this store as they are flushed. */
  async writer(): Promise<FeatureWriter> {
    const path = join(this.path, `shard-${process.pid}-${randomBytes(4).toString("hex")}`)
    const shard = this.#shards.push({ path, readers: {}, read: { bytes: 0, records: 0 } }) - 1
    this.#own.add(path)
    const flushed = (key: RecordKey, record: number, padded: number) => {
      this.#places.set(keyText(key), { shard, record, padded })
    }
    return FeatureWriter.open(path, this.size, this.#pool, flushed, (key) => this.#stored(key))
  }

  async close(): Promise<void> {
    for (const { readers } of this.#shards) {
      for (const reader of Object.values(readers)) await (await reader).close()
    }
  }

  /** A record's name in the store. */
  #stored(key: RecordKey): RecordKey {
    return this.#views === null ? key : { ...key, view: this.#views[key.view] }
  }

  #place(key: RecordKey): Place {
    const place = this.#places.get(keyText(this.#stored(key)))
    if (!place) throw new Error(`internal error: no features of clip ${key.clip}, view ${key.view}`)
    return place
  }

  /** The shard's reader of a kind, opened anew when the file has grown past what the old one knows of. */
  async #reader(shard: Shard, kind: FeatureKind, record: number): Promise<NpyReader<"f16">> {
    const known = shard.readers[kind]
    if (known && (await known).count > record) return known
    const fresh = openArray(shard.path, kind)
    shard.readers[kind] = fresh
    await (await known)?.close()
    return fresh
  }

  /** Takes in the shards of a folder of object storage. */
  async #readObjects(folder: string): Promise<void> {
    this.#seen.add(folder)
    const { folders } = await listObjects(`${folder}/`)
    for (const shard of folders) {
      const index = objectIn(shard, "index.jsonl")
      const { objects } = await listObjects(shard)
      if (objects.has(index)) await this.#readIndex(objectIn(shard), await fetchObject(index))
    }
  }

  /** @param file where the index lies, on the local disk */
  async #readIndex(path: string, file = join(path, "index.jsonl")): Promise<void> {
    if (!existsSync(file)) return
    let number = this.#shards.findIndex((shard) => shard.path === path)
    if (number < 0) number = this.#shards.push({ path, readers: {}, read: { bytes: 0, records: 0 } }) - 1
    const { read } = this.#shards[number]
    // what follows the last line break is a line that is being written, or one torn by a kill
    for await (const { line, end } of linesFrom(file, read.bytes)) {
      const { clip, view, padded } = parseLine(line, `${file}:${read.records + 1}`)
      const key = keyText({ clip, view })
      if (!this.#places.has(key)) this.#places.set(key, { shard: number, record: read.records, padded })
      read.records++
      read.bytes = end
    }
  }
}

function openArray(shard: string, kind: FeatureKind): Promise<NpyReader<"f16">> {
  if (!isObject(shard)) return NpyReader.open(join(shard, `${kind}.npy`), "f16")
  const address = objectIn(shard, `${kind}.npy`)
  return ObjectFile.open(address).then((file) => NpyReader.over(address, file, "f16"))
}

/** All ones in numbers that are infinite or none. */
const HALF_EXPONENT = 0x7c00

function firstNotFinite(halves: Uint16Array): number | null {
  for (let i = 0; i < halves.length; i++) if ((halves[i] & HALF_EXPONENT) === HALF_EXPONENT) return i
  return null
}

function notFinite(path: string, record: number, { clip, view }: RecordKey, at: number, store: string): FourtierError {
  return new FourtierError({
    where: `${path}, record ${record}`,
    what: `features of clip ${clip}, view ${view}, that are no finite numbers`,
    expected: "finite float16 numbers",
    found: `the first at place ${at} of the record`,
    fix: `delete the folder ${store}: its features will be computed again; if they come out the same, check the encoder's weights`,
  })
}

function parseLine(line: string, where: string): z.infer<typeof lineSchema> {
  try {
    return lineSchema.parse(JSON.parse(line))
  } catch (error) {
    throw new FourtierError(
      {
        where,
        what: "not a valid line of the index",
        found: JSON.stringify(line.slice(0, 100)),
        fix: `delete the folder ${dirname(where)}: its features will be computed again`,
      },
      { cause: error },
    )
  }
}

/**
 * Appends records to one shard. Await each call before the next.
 *
 * @example
 * ```ts
 * import type { FeatureStore } from "fourtier/features"
 *
 * async function add(store: FeatureStore, clip: string, m: Float32Array) {
 *   const writer = await store.writer()
 *   await writer.append({ clip, view: 0 }, m, 0)
 *   await writer.close()
 * }
 * ```
 */
export class FeatureWriter {
  readonly #files: Record<FeatureKind, NpyWriter<"f16">>
  readonly #size: RecordSize
  readonly #pool: Pool
  readonly #index: string
  readonly #onFlushed: (key: RecordKey, record: number, padded: number) => void
  readonly #stored: (key: RecordKey) => RecordKey
  #pending: { key: RecordKey; padded: number }[] = []
  #flushed = 0
  #flushedAt = performance.now()

  private constructor(
    files: Record<FeatureKind, NpyWriter<"f16">>,
    size: RecordSize,
    pool: Pool,
    index: string,
    onFlushed: (key: RecordKey, record: number, padded: number) => void,
    stored: (key: RecordKey) => RecordKey,
  ) {
    this.#files = files
    this.#size = size
    this.#pool = pool
    this.#index = index
    this.#onFlushed = onFlushed
    this.#stored = stored
  }

  /**
   * @param onFlushed told of every record that has become lasting, by its name in the store
   * @param stored a record's name in the store
   */
  static async open(
    path: string,
    size: RecordSize,
    pool: Pool,
    onFlushed: (key: RecordKey, record: number, padded: number) => void,
    stored: (key: RecordKey) => RecordKey,
  ): Promise<FeatureWriter> {
    const shapes = recordShape(size)
    const open = (kind: FeatureKind) => NpyWriter.open(join(path, `${kind}.npy`), "f16", shapes[kind])
    const files = { m: await open("m"), s: await open("s"), t: await open("t") }
    return new FeatureWriter(files, size, pool, join(path, "index.jsonl"), onFlushed, stored)
  }

  /**
   * Adds a record: its map m [T,N,D] in float32; s and t are pooled from it here.
   *
   * @param where the clip, for errors
   * @throws FourtierError for features that are no finite numbers in float16
   */
  async append(key: RecordKey, m: Float32Array, padded: number, where = `clip ${key.clip}`): Promise<void> {
    const record = halfRecord(m, this.#size, this.#pool, where)
    await this.#files.m.append(record.m)
    await this.#files.s.append(record.s)
    await this.#files.t.append(record.t)
    this.#pending.push({ key: this.#stored(key), padded })
    const due = performance.now() - this.#flushedAt >= FLUSH_MS
    if (due || this.#pending.length >= FLUSH_RECORDS) await this.flush()
  }

  /** Makes the records appended so far last. */
  async flush(): Promise<void> {
    if (this.#pending.length === 0) return
    for (const file of Object.values(this.#files)) await file.flush()
    const lines = this.#pending.map(({ key, padded }) => `${JSON.stringify({ ...key, padded })}\n`)
    await appendFile(this.#index, lines.join(""), { flush: true }).catch((error: unknown) => {
      throw notWritten(this.#index, error, "features")
    })
    for (const { key, padded } of this.#pending) this.#onFlushed(key, this.#flushed++, padded)
    this.#pending = []
    this.#flushedAt = performance.now()
  }

  async close(): Promise<void> {
    await this.flush()
    for (const file of Object.values(this.#files)) await file.close()
  }
}
