/**
 * A clip's features: sampled frames, transformed, through the frozen encoder, each frame once; kept in a file as float16.
 *
 * ```
 * features/<encoder>-<clip>   train views, then test views; of each: m [T,N,D], s [T,D], t [N,D]
 * ```
 */

import { leadingSize, sampleFrames, transformOf, viewsOf, viewsOfPictures } from "@fourtier/core/frames"
import { placesOf } from "@fourtier/core/model"
import { type FeatureKind, type FeatureSource, halfRecord, type RecordKey } from "@fourtier/core/train"
import { Rng, type Session, type Values } from "@fourtier/tensor"
import type { StoredClip } from "../store/database.ts"
import { folder, read, write } from "../store/files.ts"
import { type Encoder, type Recipes, recipesOf } from "./encoder.ts"
import { openVideo } from "./frames.ts"

/** Counts up where the same clip gives other features. */
const VERSION = 4

export interface ViewCounts {
  train: number
  test: number
}

export function viewCounts(encoder: Encoder): ViewCounts {
  const { train, test } = recipesOf(encoder)
  return {
    train: train.draws * viewsOf(transformOf(train.steps)) * train.sampling.clips,
    test: viewsOf(transformOf(test.steps)) * test.sampling.clips,
  }
}

const nameOf = (encoder: Encoder, clip: string) => `${VERSION}-${encoder.id.slice(0, 16)}-${clip}`

export async function hasFeatures(encoder: Encoder, clip: string): Promise<boolean> {
  return (await read(await folder("features"), nameOf(encoder, clip))) !== null
}

/** Computes what is missing of a clip. @throws UnreadableVideo */
export async function extractFeatures(
  encoder: Encoder,
  sessions: { frame: Session; map: Session },
  clip: StoredClip,
): Promise<void> {
  const file = await read(await folder("clips"), clip.file)
  if (!file) throw new Error(`${clip.name}: its file is gone`)
  const { T, H, W, D } = encoder.size
  const size = { T, N: H * W, D }
  const pool = encoder.settings.model.pool
  const records: Uint16Array[] = []
  for (const m of await mapsOf(encoder, sessions, clip, file)) {
    const record = halfRecord(m, size, pool, clip.name)
    records.push(record.m, record.s, record.t)
  }
  const whole = new Uint16Array(records.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const record of records) {
    whole.set(record, at)
    at += record.length
  }
  await write(await folder("features"), nameOf(encoder, clip.id), whole)
}

/** The maps of the training views, then of the test views. */
export async function mapsOf(
  encoder: Encoder,
  sessions: { frame: Session; map: Session },
  clip: Pick<StoredClip, "id" | "start" | "end">,
  file: Blob,
): Promise<Float32Array[]> {
  const recipes = recipesOf(encoder)
  const video = await openVideo(file)
  try {
    const rows = new RowsOfFrames(sessions.frame)
    const maps: Float32Array[] = []
    const { N, D } = encoder.rows
    for (const { frames, indices } of await viewsOfClip(recipes, encoder.settings.seed, clip, video)) {
      const area = frames.length / indices.length
      const all = new Float32Array(indices.length * N * D)
      for (const [t, index] of indices.entries()) {
        all.set(await rows.of(index, frames.subarray(t * area, (t + 1) * area)), t * N * D)
      }
      maps.push(floatsOf((await sessions.map.run({ rows: all })).m))
    }
    return maps
  } finally {
    video.close()
  }
}

interface View {
  /** Pixels [T,H,W,3]. */
  frames: Float32Array
  /** Number of each frame in the clip, [T]. */
  indices: number[]
}

async function viewsOfClip(
  { train, test }: Recipes,
  seed: number,
  clip: Pick<StoredClip, "id" | "start" | "end">,
  video: Awaited<ReturnType<typeof openVideo>>,
): Promise<View[]> {
  const jobs = [
    ...Array.from({ length: train.draws }, (_, draw) => ({
      ...train,
      rng: Rng.fork(`${seed}/${clip.id}/${draw}`, clip.id),
    })),
    { ...test, rng: null },
  ].map((job) => ({ ...job, transform: transformOf(job.steps) }))
  const size = leadingSize(jobs[0].transform)
  const source = video.clip(clip.start, clip.end, size)
  const last = source.times.length - 1
  const drawn = jobs.map(({ sampling, rng }) =>
    sampleFrames(source, sampling, rng).map((indices) => indices.map((index) => Math.min(index, last))),
  )
  // one pass over the file for all views
  const wanted = [...new Set(drawn.flat(2))].sort((a, b) => a - b)
  const pictures = await source.read(wanted)
  const places = new Map(wanted.map((index, place) => [index, place]))
  const area = pictures.width * pictures.height * 3
  return jobs.flatMap(({ sampling, transform, rng }, i) => {
    const indices = drawn[i].flat()
    const data = new Uint8Array(indices.length * area)
    for (const [at, index] of indices.entries()) {
      const place = places.get(index) ?? 0
      data.set(pictures.data.subarray(place * area, (place + 1) * area), at * area)
    }
    const { views } = viewsOfPictures({ ...pictures, data, count: indices.length }, sampling.clips, transform, rng)
    const crops = views.length / sampling.clips
    return views.map((frames, v) => ({ frames, indices: drawn[i][Math.floor(v / crops)] }))
  })
}

/** Rows of frames through the encoder; a picture that has been seen is not computed again. */
class RowsOfFrames {
  readonly #session: Session
  readonly #known = new Map<number, { pixels: Float32Array; rows: Float32Array }[]>()

  constructor(session: Session) {
    this.#session = session
  }

  /** [N,D]. @param index number of the frame that the pixels [H,W,3] come from: it may have been mirrored */
  async of(index: number, pixels: Float32Array): Promise<Float32Array> {
    const known = this.#known.get(index) ?? []
    const same = known.find((one) => alike(one.pixels, pixels))
    if (same) return same.rows
    const rows = floatsOf((await this.#session.run({ frames: pixels })).rows)
    this.#known.set(index, [...known, { pixels, rows }])
    return rows
  }
}

function alike(a: Float32Array, b: Float32Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

const floatsOf = (values: Values[string]) =>
  values instanceof Float32Array ? values : Float32Array.from(values, Number)

/** Features of the clips of a training: of so many the whole file stays in memory, of others what is asked for is read. */
export class StoredFeatures implements FeatureSource {
  readonly id: string
  readonly size: { T: number; N: number; D: number }
  readonly #encoder: Encoder
  readonly #first: number
  readonly #most: number
  readonly #held = new Map<string, Promise<Uint16Array>>()

  /** @param part which of the stored views are those numbered from 0 */
  constructor(encoder: Encoder, part: "train" | "test", most = 200) {
    const { T, D } = encoder.size
    this.#encoder = encoder
    this.#first = part === "train" ? 0 : viewCounts(encoder).train
    this.#most = most
    this.id = nameOf(encoder, part)
    this.size = { T, N: placesOf(encoder.size), D }
  }

  async read({ clip, view }: RecordKey, kind: FeatureKind, into?: Uint16Array): Promise<Uint16Array> {
    const { T, N, D } = this.size
    const lengths = { m: T * N * D, s: T * D, t: N * D }
    const record = lengths.m + lengths.s + lengths.t
    const from = (this.#first + view) * record + { m: 0, s: lengths.m, t: lengths.m + lengths.s }[kind]
    const own = await this.#words(clip, from, from + lengths[kind])
    if (!into) return own
    into.set(own)
    return into
  }

  async #words(clip: string, from: number, to: number): Promise<Uint16Array> {
    const known = this.#held.get(clip)
    if (known) return (await known).subarray(from, to)
    const file = read(await folder("features"), nameOf(this.#encoder, clip)).then((found) => {
      if (!found) throw new Error(`internal error: no features of clip ${clip}`)
      return found
    })
    if (this.#held.size >= this.#most) return new Uint16Array(await (await file).slice(2 * from, 2 * to).arrayBuffer())
    const whole = file.then(async (found) => new Uint16Array(await found.arrayBuffer()))
    this.#held.set(clip, whole)
    return (await whole).subarray(from, to)
  }
}
