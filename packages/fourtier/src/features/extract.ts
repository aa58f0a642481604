/**
 * Extraction: every clip's views through the frozen encoder, once.
 *
 * ```
 * clips ─ not yet stored ─ decode, sample, transform (worker threads) ─ batches ─ encoder ─ store
 * ```
 */

import { formatBytes, type Reporter } from "@fourtier/core"
import { isRandom, transformOf, type ViewRecipe, viewCount, viewNumbers, viewsOf } from "@fourtier/core/frames"
import type { Pool } from "@fourtier/core/model"
import { FRAMES } from "@fourtier/core/schemas"
import { FourtierError, type SessionOptions } from "@fourtier/tensor"
import { encoderShapes, MAP, openEncoder, type VisualEncoder } from "../encoders/encoder.ts"
import { shownPath } from "../util/shown-path.ts"
import type { Clip } from "../video/manifest.ts"
import { type LoadJob, loadClips } from "../video/pool.ts"
import { FeatureStore, type FeatureWriter } from "./store.ts"

export interface ExtractOptions {
  encoder: VisualEncoder
  recipe: ViewRecipe
  /** How s and t are pooled from the map. */
  pool: Pool
  /** Folder of all feature stores. */
  root: string
  /** Folders with stores that are read as well. */
  others?: readonly string[]
  reporter: Reporter
  runtime?: SessionOptions
  /** Decoding threads; default: one per core, shared with other runs on the machine. */
  workers?: number
  /** Clips through the encoder at once; default 1, on a CPU as fast as any number (`fourtier bench encoder`). */
  batch?: number
  signal?: AbortSignal
}

export interface Extraction {
  store: FeatureStore
  /** Views a clip has in the store: 0..views-1. */
  views: number
  /** Clips that could not be decoded, and why. */
  failed: { clip: Clip; error: FourtierError }[]
}

/**
 * Opens the store of a recipe without extracting anything. Fixed views share a store however many of them are looked at, and a view
 * at the same place in time is the same record: what 1×3 has computed, 3×3 takes over.
 *
 * @example
 * ```ts
 * import type { ViewRecipe } from "@fourtier/core/frames"
 * import { encoderSchema, openVisualEncoder } from "fourtier/encoders"
 * import { openFeatures } from "fourtier/features"
 *
 * async function storedViews(recipe: ViewRecipe) {
 *   const encoder = await openVisualEncoder(encoderSchema.parse({ kind: "movenet" }))
 *   return (await openFeatures({ encoder, recipe, pool: "mean", root: "cache/features" })).count
 * }
 * ```
 */
export async function openFeatures({
  encoder,
  recipe,
  pool,
  root,
  others,
}: Pick<ExtractOptions, "encoder" | "recipe" | "pool" | "root" | "others">) {
  const { T, D, H, W } = encoder.size
  const { sampling, steps, draws } = recipe
  const spec = {
    sampling: draws ? sampling : { ...sampling, clips: 1 },
    transform: { steps, seed: draws?.seed ?? null },
    encoder: encoder.id,
    size: { T, N: H * W, D },
    pool,
  }
  return FeatureStore.open(root, spec, draws ? null : viewNumbers(recipe), others)
}

/**
 * Makes sure that every view of every clip is in the store.
 *
 * @example
 * ```ts
 * import { terminalReporter } from "@fourtier/core/node"
 * import { encoderSchema, openVisualEncoder } from "fourtier/encoders"
 * import { extractFeatures } from "fourtier/features"
 * import { clipOfFile } from "fourtier/video"
 *
 * const encoder = await openVisualEncoder(encoderSchema.parse({ kind: "movenet" }))
 * const [height, width] = encoder.resolution
 * const { store } = await extractFeatures([clipOfFile("jump.mp4")], {
 *   encoder,
 *   recipe: {
 *     sampling: { kind: "segments", frames: encoder.frames, clips: 1 },
 *     steps: [{ step: "stretch", width, height }],
 *     draws: null,
 *   },
 *   pool: "mean",
 *   root: "cache/features",
 *   reporter: terminalReporter(),
 * })
 * await store.close()
 * ```
 */
export async function extractFeatures(clips: readonly Clip[], options: ExtractOptions): Promise<Extraction> {
  const { encoder, recipe, reporter } = options
  checkRecipe(encoder, recipe)
  const store = await openFeatures(options)
  const views = viewCount(recipe)
  const jobs = missingJobs(clips, recipe, store)
  const failed: Extraction["failed"] = []
  if (jobs.length === 0) {
    if (clips.length > 0) reporter.say(`features: ${clips.length} clips × ${views} views are already in the store`)
    return { store, views, failed }
  }
  const total = jobs.reduce((sum, { job }) => sum + job.clip.views.length, 0)
  reporter.say(
    `features: ${total} views to compute, ${formatBytes(total * store.recordBytes)} on disk in ${shownPath(store.path)}`,
  )

  const batch = options.batch ?? 1
  const session = await openEncoder(encoder, batch, options.runtime ?? {})
  const writer = await store.writer()
  const progress = reporter.task(`extract (${encoder.name} on ${session.provider})`, total, "views")
  const encode = batchEncoder(session, encoder, batch, writer)
  try {
    const loaded = loadClips(
      jobs.map(({ job }) => job),
      {
        workers: options.workers,
        signal: options.signal,
        onError: (clip, error) => {
          const known = clips.find(({ id }) => id === clip.id)
          if (known && !failed.some((failure) => failure.clip === known)) failed.push({ clip: known, error })
          progress.tick(jobs.find(({ job }) => job.clip.id === clip.id)?.job.clip.views.length)
        },
      },
    )
    for await (const { clip, view, frames, shape, padded } of loaded) {
      checkFrames(encoder, clip, shape)
      await encode.add({ clip: clip.hash, view: clip.views[view] }, frames, padded, clip.path)
      progress.tick()
    }
    await encode.flush()
  } finally {
    await writer.close()
    await session.release()
  }
  progress.done()
  return { store, views, failed }
}

/** A clip to load, and which views of it these are. */
type ViewedClip = Clip & { views: readonly number[] }

function missingJobs(clips: readonly Clip[], { sampling, steps, draws }: ViewRecipe, store: FeatureStore) {
  const transform = transformOf(steps)
  const crops = viewsOf(transform)
  const jobs: { job: LoadJob<ViewedClip> }[] = []
  const seen = new Set<string>()
  for (const clip of clips) {
    if (seen.has(clip.hash)) continue
    seen.add(clip.hash)
    for (let draw = 0; draw < (draws?.count ?? 1); draw++) {
      const viewsAt = (place: number) =>
        Array.from({ length: crops }, (_, crop) => (draw * sampling.clips + place) * crops + crop)
      const places = [...Array(sampling.clips).keys()]
      const missing = places.filter((place) => viewsAt(place).some((view) => !store.has({ clip: clip.hash, view })))
      if (missing.length === 0) continue
      // random views of one draw come from one generator, so they are drawn together
      const only = draws ? places : missing
      const seed = draws ? `${draws.seed}/${clip.hash}/${draw}` : null
      jobs.push({ job: { clip: { ...clip, views: only.flatMap(viewsAt) }, sampling, transform, only, seed } })
    }
  }
  return jobs
}

/** Collects views until a batch is full, encodes it and stores the maps. */
function batchEncoder(
  session: Awaited<ReturnType<typeof openEncoder>>,
  encoder: VisualEncoder,
  batch: number,
  writer: FeatureWriter,
) {
  const { frames: shape } = encoderShapes(encoder, batch)
  const length = shape.slice(1).reduce((a, b) => a * b, 1)
  const input = new Float32Array(batch * length)
  let held: { key: { clip: string; view: number }; padded: number; path: string }[] = []
  const flush = async () => {
    if (held.length === 0) return
    const result = (await session.run({ [FRAMES]: input }))[MAP]
    const map = Float32Array.from(result, Number)
    const size = map.length / batch
    for (const [i, { key, padded, path }] of held.entries()) {
      const m = map.subarray(i * size, (i + 1) * size)
      await writer.append(key, m, padded, `${path}, encoder ${encoder.name}`)
    }
    held = []
  }
  return {
    flush,
    async add(key: { clip: string; view: number }, frames: Float32Array, padded: number, path: string) {
      input.set(frames, held.length * length)
      held.push({ key, padded, path })
      if (held.length === batch) await flush()
    },
  }
}

/**
 * Steps whose outcome depends on the clip (a short side, no steps at all) may miss the encoder's resolution.
 * @throws FourtierError that names the clip and the size
 *
 * @example
 * ```ts
 * import { encoderSchema, openVisualEncoder } from "fourtier/encoders"
 * import { checkFrames } from "fourtier/features"
 * import { clipOfFile } from "fourtier/video"
 *
 * const encoder = await openVisualEncoder(encoderSchema.parse({ kind: "movenet" }))
 * checkFrames(encoder, clipOfFile("jump.mp4"), [encoder.frames, ...encoder.resolution, 3])
 * ```
 */
export function checkFrames(
  { name, frames, resolution: [H, W] }: VisualEncoder,
  { path }: Clip,
  shape: readonly number[],
): void {
  if (String(shape) === String([frames, H, W, 3])) return
  throw new FourtierError({
    where: path,
    what: `the steps do not give the frame size of the encoder ${name}`,
    expected: `${H}×${W}`,
    found: `${shape[1]}×${shape[2]}`,
    fix: "end the steps with a letterbox, stretch, crop or multiScaleCrop of that size",
  })
}

function checkRecipe({ name, frames, resolution }: VisualEncoder, { sampling, steps, draws }: ViewRecipe): void {
  if (sampling.frames !== frames) {
    throw new FourtierError({
      where: "sampling.frames",
      what: `not the number of frames that the encoder ${name} takes`,
      expected: String(frames),
      found: String(sampling.frames),
    })
  }
  if (draws === null && isRandom(transformOf(steps))) {
    throw new FourtierError({
      where: "evaluation steps",
      what: "evaluation must not have random steps",
      found: steps.map(({ step }) => step).join(", "),
      fix: "move multiScaleCrop, flip and colorJitter to the training steps",
    })
  }
  const last = steps.findLast((step) => "size" in step || step.step === "stretch")
  if (last === undefined || last.step === "shortSide") return
  const [height, width] =
    "size" in last
      ? [("height" in last ? last.height : undefined) ?? last.size, last.size]
      : last.step === "stretch"
        ? [last.height, last.width]
        : []
  if (height !== resolution[0] || width !== resolution[1]) {
    throw new FourtierError({
      where: `step ${last.step}`,
      what: `not the frame size that the encoder ${name} takes`,
      expected: `${resolution[0]}×${resolution[1]}`,
      found: `${height}×${width}`,
    })
  }
}
