/** Views through the decoder, the encoder and into a store. */

import { formatBytes, type Reporter, type Task } from "@fourtier/core"
import { transformOf, type ViewRecipe, viewsOf } from "@fourtier/core/frames"
import { FRAMES } from "@fourtier/core/schemas"
import { FourtierError, type SessionOptions } from "@fourtier/tensor"
import { encoderShapes, MAP, openEncoder, type VisualEncoder } from "../encoders/encoder.ts"
import { shownPath } from "../util/shown-path.ts"
import type { Clip } from "../video/manifest.ts"
import { type LoadJob, loadClips } from "../video/pool.ts"
import type { FeatureStore, FeatureWriter } from "./store.ts"

/** A clip to load, and which views of it. */
export type ViewJob = LoadJob<Clip & { views: readonly number[] }>

/** What is to be decoded so that all views of a clip are in the store. */
export function missingJobs(clip: Clip, { sampling, steps, draws }: ViewRecipe, store: FeatureStore): ViewJob[] {
  const transform = transformOf(steps)
  const crops = viewsOf(transform)
  const jobs: ViewJob[] = []
  for (let draw = 0; draw < (draws?.count ?? 1); draw++) {
    const viewsAt = (place: number) =>
      Array.from({ length: crops }, (_, crop) => (draw * sampling.clips + place) * crops + crop)
    const places = [...Array(sampling.clips).keys()]
    const missing = places.filter((place) => viewsAt(place).some((view) => !store.has({ clip: clip.hash, view })))
    if (missing.length === 0) continue
    // random views of one draw come from one generator, so they are drawn together
    const only = draws ? places : missing
    const seed = draws ? `${draws.seed}/${clip.hash}/${draw}` : null
    jobs.push({ clip: { ...clip, views: only.flatMap(viewsAt) }, sampling, transform, only, seed })
  }
  return jobs
}

/** Says how many views there are to compute, and what they take. */
export function sayWork(views: number, store: FeatureStore, reporter: Reporter): void {
  const bytes = formatBytes(views * store.recordBytes)
  reporter.say(`features: ${views} views to compute, ${bytes} on disk in ${shownPath(store.path)}`)
}

export interface EncodeOptions {
  encoder: VisualEncoder
  reporter: Reporter
  runtime?: SessionOptions
  workers?: number
  batch?: number
  signal?: AbortSignal
}

/** Told of what becomes of jobs, in their order. */
export interface Progress {
  /** A view has been decoded and is about to be encoded. @returns false where it is no longer wanted */
  view(job: ViewJob): Promise<boolean>
  /** A job whose clip cannot be decoded. */
  failed(job: ViewJob, error: FourtierError): Promise<void>
  /** The last view of a job has been encoded, or waits for a batch to be full. */
  encoded?(job: ViewJob): Promise<void>
}

/** An open encoder and a writer; to be closed. */
export class EncodeStage {
  readonly #options: EncodeOptions
  readonly #session: Awaited<ReturnType<typeof openEncoder>>
  readonly #writer: FeatureWriter
  readonly #batch: ReturnType<typeof batchEncoder>
  readonly #task: Task

  private constructor(
    options: EncodeOptions,
    session: Awaited<ReturnType<typeof openEncoder>>,
    writer: FeatureWriter,
    total: number,
  ) {
    const { encoder, batch = 1, reporter } = options
    this.#options = options
    this.#session = session
    this.#writer = writer
    this.#batch = batchEncoder(session, encoder, batch, writer)
    this.#task = reporter.task(`extract (${encoder.name} on ${session.provider})`, total, "views")
  }

  /** @param total views that progress is counted against */
  static async open(store: FeatureStore, total: number, options: EncodeOptions): Promise<EncodeStage> {
    const session = await openEncoder(options.encoder, options.batch ?? 1, options.runtime ?? {})
    return new EncodeStage(options, session, await store.writer(), total)
  }

  /** Encodes jobs. They are asked for while others are under way, at most a few ahead. */
  async encode(jobs: Iterable<ViewJob>, progress: Progress): Promise<void> {
    const { encoder, workers, signal } = this.#options
    const errors: { job: ViewJob; error: FourtierError }[] = []
    const started: ViewJob[] = []
    const noted = function* () {
      for (const job of jobs) {
        started.push(job)
        yield job
      }
    }
    // jobs come out in their order: those before this one have failed, or are done
    const settle = async (until: Clip | null) => {
      while (started.length > 0 && started[0].clip !== until) {
        const job = started[0]
        const failure = errors.find((one) => one.job === job)
        if (!failure) break
        started.shift()
        this.#task.tick(job.clip.views.length)
        await progress.failed(job, failure.error)
      }
    }
    const onError = (clip: { id: string }, error: FourtierError) => {
      const job = started.find((one) => one.clip === clip)
      if (job) errors.push({ job, error })
    }
    for await (const { clip, view, views, frames, shape, padded } of loadClips(noted(), { workers, signal, onError })) {
      await settle(clip)
      const [job] = started
      checkFrames(encoder, clip, shape)
      if (await progress.view(job)) {
        await this.#batch.add({ clip: clip.hash, view: clip.views[view] }, frames, padded, clip.path)
      }
      this.#task.tick()
      if (view < views - 1) continue
      started.shift()
      await progress.encoded?.(job)
    }
    await settle(null)
    await this.#batch.flush()
  }

  /** Makes all that has been encoded last. */
  async flush(): Promise<void> {
    await this.#batch.flush()
    await this.#writer.flush()
  }

  /** Counts views that another has done. */
  skip(views: number): void {
    this.#task.tick(views)
  }

  done(): void {
    this.#task.done()
  }

  async close(): Promise<void> {
    await this.#writer.close()
    await this.#session.release()
  }
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
