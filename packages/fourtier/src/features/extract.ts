/**
 * Extraction: every clip's views through the frozen encoder, once.
 *
 * ```
 * clips ─ not yet stored ─ decode, sample, transform (worker threads) ─ batches ─ encoder ─ store
 * ```
 */

import type { Reporter } from "@fourtier/core"
import { isRandom, transformOf, type ViewRecipe, viewCount, viewNumbers } from "@fourtier/core/frames"
import type { Pool } from "@fourtier/core/model"
import { FourtierError, type SessionOptions } from "@fourtier/tensor"
import type { VisualEncoder } from "../encoders/encoder.ts"
import type { Division } from "../shards/job.ts"
import type { Clip } from "../video/manifest.ts"
import { extractDivided } from "./divided.ts"
import { EncodeStage, missingJobs, sayWork, type ViewJob } from "./encode-stage.ts"
import { FeatureStore } from "./store.ts"

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
  /** Which part of the clips is this process's, where several share the work; absent: all. */
  division?: Division
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
  const wanted = uniqueByContent(clips)
  if (options.division) return { store, views, failed: await extractDivided(wanted, store, options, options.division) }
  let total = 0
  const jobs: ViewJob[] = []
  for (const clip of wanted) {
    for (const job of missingJobs(clip, recipe, store)) {
      total += job.clip.views.length
      jobs.push(job)
    }
  }
  const failed: Extraction["failed"] = []
  if (jobs.length === 0) {
    if (clips.length > 0) reporter.say(`features: ${clips.length} clips × ${views} views are already in the store`)
    return { store, views, failed }
  }
  sayWork(total, store, reporter)
  const stage = await EncodeStage.open(store, total, options)
  try {
    await stage.encode(jobs, {
      view: async () => true,
      failed: async ({ clip }, error) => {
        if (failed.at(-1)?.clip.id !== clip.id) failed.push({ clip, error })
      },
    })
  } finally {
    await stage.close()
  }
  stage.done()
  return { store, views, failed }
}

/** Each content once. */
function uniqueByContent(clips: readonly Clip[]): Clip[] {
  const seen = new Set<string>()
  return clips.filter(({ hash }) => !seen.has(hash) && seen.add(hash))
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
