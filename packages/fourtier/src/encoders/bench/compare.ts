/**
 * What an encoder costs in each precision, and how similar its features stay, measured on real clips.
 *
 * ```
 * float32, one clip at a time ──┬── takes turns with ── float16
 *                               ├── takes turns with ── int8
 *                               └── takes turns with ── float32, 2, 4, 8 clips at a time
 * ```
 * Each side is a process of its own. Two run at a time and take turns clip by clip, so that a busy machine slows both alike:
 * read the ratios.
 */

import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Reporter } from "@fourtier/core"
import { transformOf, type ViewRecipe } from "@fourtier/core/frames"
import { FourtierError, type ProviderChoice } from "@fourtier/tensor"
import { NpyWriter } from "@fourtier/tensor/node"
import { checkFrames } from "../../features/encode-stage.ts"
import { type Cost, medianCost } from "../../util/timing.ts"
import type { Clip } from "../../video/manifest.ts"
import { loadClips } from "../../video/pool.ts"
import type { EncoderConfig } from "../catalog.ts"
import type { VisualEncoder } from "../encoder.ts"
import type { Precision } from "../precision.ts"
import { type FeatureSimilarity, featureSimilarity, meanRow } from "./feature-similarity.ts"
import { type Loaded, type Setup, Side } from "./side.ts"

export interface CompareOptions {
  config: EncoderConfig
  /** The same encoder, opened: its frames and sizes. */
  encoder: VisualEncoder
  /** The first view of each is encoded. */
  clips: readonly Clip[]
  recipe: ViewRecipe
  /** Precisions beside float32. */
  precisions: readonly Precision[]
  /** Clips at a time beside one, in float32. */
  batches: readonly number[]
  /** How often each clip is timed. */
  rounds: number
  provider: ProviderChoice
  threads: number | null
  reporter: Reporter
  workers?: number
  signal?: AbortSignal
}

/** One encoder, measured. Costs are medians for one clip. */
export interface Measured extends Loaded {
  precision: Precision
  batch: number
  cost: Cost
  /** Of float32 with one clip at a time, in the same turns. */
  reference: Cost
  /** Bytes of memory of its process: the most, loading included, and while it encodes. */
  memory: { peak: number; now: number }
  /** Similarity to the features of float32: mean over clips, and the lowest of a clip. */
  similarity: { mean: FeatureSimilarity; lowest: FeatureSimilarity }
}

/** What could not be measured, and why. */
export interface Unmeasured {
  precision: Precision
  batch: number
  problem: string
}

export interface Comparison {
  /** float32 first. */
  precisions: (Measured | Unmeasured)[]
  /** float32, one clip at a time first. */
  batches: (Measured | Unmeasured)[]
}

/** @throws FourtierError when clips cannot be read, or the encoder does not run in float32 */
export async function compareEncoder(options: CompareOptions): Promise<Comparison> {
  const { config, precisions, batches, provider, threads, reporter } = options
  const folder = await mkdtemp(join(tmpdir(), "fourtier-bench-"))
  try {
    const clips = join(folder, "clips.npy")
    await writeClips(clips, options)
    const setup = (precision: Precision, batch: number): Setup => {
      return { encoder: { ...config, precision }, batch, provider, threads, clips }
    }
    reporter.say("float32: loading")
    const reference = await Reference.start(setup("float32", 1), options)
    try {
      const rows: Comparison = { precisions: [], batches: [] }
      for (const precision of precisions) rows.precisions.push(await reference.against(setup(precision, 1)))
      for (const batch of batches) rows.batches.push(await reference.against(setup("float32", batch)))
      const own = await reference.measured()
      return { precisions: [own, ...rows.precisions], batches: [own, ...rows.batches] }
    } finally {
      await reference.side.end()
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The first view of every clip, as extraction makes it: [n,T,H,W,3]. */
async function writeClips(path: string, { encoder, clips, recipe, workers, reporter, signal }: CompareOptions) {
  const shape = [encoder.frames, ...encoder.resolution, 3]
  const writer = await NpyWriter.open(path, "f32", shape)
  const progress = reporter.task("read clips", clips.length, "clips")
  const transform = transformOf(recipe.steps)
  const jobs = clips.map((clip) => ({ clip, sampling: recipe.sampling, transform, seed: null }))
  try {
    for await (const { clip, view, frames, shape } of loadClips(jobs, { workers })) {
      if (view > 0) continue
      checkFrames(encoder, clip, shape)
      await writer.append(frames)
      progress.tick()
      signal?.throwIfAborted()
    }
  } finally {
    await writer.close()
  }
  progress.done()
}

/** float32 with one clip at a time, which all others are measured against. */
class Reference {
  readonly side: Side
  readonly #options: CompareOptions
  /** Maps of all clips. */
  readonly #maps: readonly Float32Array[]
  /** For one clip, in all turns. */
  readonly #costs: Cost[] = []
  #memory = { peak: 0, now: 0 }

  private constructor(side: Side, maps: readonly Float32Array[], options: CompareOptions) {
    this.side = side
    this.#maps = maps
    this.#options = options
  }

  static async start(setup: Setup, options: CompareOptions): Promise<Reference> {
    const side = await Side.start(setup)
    try {
      return new Reference(side, await mapsOf(side, options.clips.length), options)
    } catch (error) {
      await side.end()
      throw error
    }
  }

  /** Starts another side, lets the two take turns, and ends it. */
  async against(setup: Setup): Promise<Measured | Unmeasured> {
    const { batch, encoder } = setup
    const { reporter } = this.#options
    const { D } = this.#options.encoder.size
    const named = { precision: encoder.precision, batch }
    const title = batch === 1 ? encoder.precision : `${encoder.precision}, ${batch} clips at a time`
    reporter.say(`${title}: loading`)
    let side: Side | undefined
    try {
      side = await Side.start(setup)
      const maps = await mapsOf(side, this.#maps.length)
      const turns = await this.#takeTurns(side, title)
      return { ...named, ...side.loaded, ...turns, similarity: similarityOf(this.#maps, maps, D) }
    } catch (error) {
      if (!(error instanceof FourtierError)) throw error
      return { ...named, problem: error.message }
    } finally {
      await side?.end()
    }
  }

  /** Its own row, of all turns together. */
  async measured(): Promise<Measured> {
    if (this.#costs.length === 0) await this.#takeTurns(null, "float32")
    const cost = medianCost(this.#costs)
    const identical = { cosine: 1, centred: 1 }
    return {
      precision: "float32",
      batch: 1,
      ...this.side.loaded,
      cost,
      reference: cost,
      memory: this.#memory,
      similarity: { mean: identical, lowest: identical },
    }
  }

  /** Every group of clips through both sides, round by round; without another side, alone. */
  async #takeTurns(side: Side | null, title: string): Promise<Pick<Measured, "cost" | "reference" | "memory">> {
    const { rounds, reporter, signal } = this.#options
    const groups = groupsOf(this.#maps.length, side?.batch ?? 1)
    const progress = reporter.task(`${title} against float32`, groups.length * rounds, "turns")
    const own: Cost[] = []
    const others: Cost[] = []
    let memory = this.#memory
    for (let round = 0; round < rounds; round++) {
      for (const clips of groups) {
        const costs: Cost[] = []
        for (const clip of clips) {
          const encoded = await this.side.encode({ clips: [clip], keepMaps: false })
          costs.push(encoded.cost)
          this.#memory = encoded.memory
        }
        own.push(perClip(costs, clips.length))
        if (side) {
          const encoded = await side.encode({ clips, keepMaps: false })
          others.push(perClip([encoded.cost], clips.length))
          memory = encoded.memory
        }
        progress.tick()
        signal?.throwIfAborted()
      }
    }
    progress.done()
    this.#costs.push(...own)
    return { cost: medianCost(others), reference: medianCost(own), memory }
  }
}

/** The maps of all clips, by number; the side is warm then. */
async function mapsOf(side: Side, count: number): Promise<Float32Array[]> {
  const maps: Float32Array[] = []
  for (const clips of groupsOf(count, side.batch)) {
    const { maps: joined } = await side.encode({ clips, keepMaps: true })
    if (!joined) throw new Error("internal error: a process of the benchmark sent no maps")
    const length = joined.length / clips.length
    for (const [i, clip] of clips.entries()) maps[clip] = joined.subarray(i * length, (i + 1) * length)
  }
  return maps
}

/** All clips in groups of `batch`; the last group is filled up from the front. */
function groupsOf(clips: number, batch: number): number[][] {
  return Array.from({ length: Math.ceil(clips / batch) }, (_, group) =>
    Array.from({ length: batch }, (_, i) => (group * batch + i) % clips),
  )
}

/** The sum of costs as that of one of the clips. */
function perClip(costs: readonly Cost[], clips: number): Cost {
  const share = (take: (cost: Cost) => number) => costs.reduce((sum, cost) => sum + take(cost), 0) / clips
  return { clock: share(({ clock }) => clock), processor: share(({ processor }) => processor) }
}

function similarityOf(
  reference: readonly Float32Array[],
  maps: readonly Float32Array[],
  D: number,
): Measured["similarity"] {
  const origin = meanRow(reference, D)
  const each = reference.map((map, clip) => featureSimilarity(map, maps[clip], origin))
  const over = (pick: (values: number[]) => number): FeatureSimilarity => ({
    cosine: pick(each.map(({ cosine }) => cosine)),
    centred: pick(each.map(({ centred }) => centred)),
  })
  const average = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  return { mean: over(average), lowest: over((values) => Math.min(...values)) }
}
