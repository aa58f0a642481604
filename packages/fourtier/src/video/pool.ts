/** Many clips from files to network inputs over worker threads, with back-pressure: workers run at most two clips ahead. */

import { runJobs, type WorkerOptions, workerUrl } from "@fourtier/core/node"
import type { Sampling, Transform } from "@fourtier/core/schemas"
import { FourtierError, messageOf } from "@fourtier/tensor"
import type { DecodableClip } from "./decode.ts"
import { clipViewsSchema, type ViewsJob } from "./views.ts"

/** What to load of one clip. */
export interface LoadJob<C extends LoadableClip> {
  clip: C
  sampling: Sampling
  transform: Transform
  /** Temporal views that are wanted, by number: the others do not count; all where absent. */
  only?: readonly number[]
  /** Seed of random sampling and steps (with the clip's id); null or absent for the fixed places of evaluation. */
  seed?: string | number | null
}

/** A clip as `Manifest` has it, or the part that matters here. */
export interface LoadableClip extends DecodableClip {
  id: string
}

export interface LoadOptions extends WorkerOptions {
  /** Let the decoder do the transform's first resize (default): up to twice as fast, pixels differ by about one level. */
  scaleWhileDecoding?: boolean
  /** Told of clips that cannot be loaded; without it the first such clip ends the iteration with its error. */
  onError?: (clip: LoadableClip, error: FourtierError) => void
}

/** One view of one clip. */
export interface LoadedView<C extends LoadableClip> {
  clip: C
  /** Number of the view, temporal clip major, crop minor; and how many there are. */
  view: number
  views: number
  /** `[T,H,W,3]` or `[T,3,H,W]`, as the transform's layout says. */
  frames: Float32Array<ArrayBuffer>
  shape: number[]
  /** Numbers of the frames, `[T]`. */
  frameIndices: number[]
  /** Frames of the whole clip (all views) that had to be replaced by a neighbour. */
  padded: number
}

/**
 * Loads clips in worker threads; all views of a clip come one after the other.
 *
 * @throws FourtierError that names the clip's file, when one cannot be loaded and `onError` is not given
 *
 * @example
 * ```ts
 * import { transformOf } from "@fourtier/core/frames"
 * import { clipOfFile, loadClips } from "fourtier/video"
 *
 * const transform = transformOf([{ step: "stretch", width: 192, height: 192 }])
 * const sampling = { kind: "segments" as const, frames: 8, clips: 1 }
 * const jobs = ["a.mp4", "b.mp4"].map((path) => ({ clip: clipOfFile(path), sampling, transform }))
 * for await (const { clip, frames, shape } of loadClips(jobs)) console.log(clip.id, shape) // [8, 192, 192, 3]
 * ```
 */
export async function* loadClips<C extends LoadableClip>(
  jobs: Iterable<LoadJob<C>>,
  options: LoadOptions = {},
): AsyncGenerator<LoadedView<C>> {
  const { onError, scaleWhileDecoding = true, ...workerOptions } = options
  const clips: C[] = []
  const entry = workerUrl(import.meta.url, "./views.worker.ts")
  for await (const outcome of runJobs(
    entry,
    toWorkerJobs(jobs, clips, scaleWhileDecoding),
    clipViewsSchema,
    workerOptions,
  )) {
    const clip = clips[outcome.job.number]
    if ("error" in outcome) {
      const error = namingClip(clip, outcome.error)
      if (onError === undefined) throw error
      onError(clip, error)
      continue
    }
    const { views, shape, frameIndices, padded } = outcome.result
    const crops = views.length / frameIndices.length
    for (const [view, frames] of views.entries()) {
      const indices = frameIndices[Math.floor(view / crops)]
      yield { clip, view, views: views.length, frames, shape, frameIndices: indices, padded }
    }
  }
}

function* toWorkerJobs<C extends LoadableClip>(
  jobs: Iterable<LoadJob<C>>,
  clips: C[],
  scaleWhileDecoding: boolean,
): Generator<ViewsJob & { number: number }> {
  for (const { clip, sampling, transform, only, seed } of jobs) {
    const { id, path, start, end, frames, fps } = clip
    clips.push(clip)
    yield {
      number: clips.length - 1,
      clip: { id, path, start, end, frames, fps },
      sampling,
      transform,
      ...(only === undefined ? {} : { only: [...only] }),
      seed: seed ?? null,
      scaleWhileDecoding,
    }
  }
}

/**
 * The same complaint, with the clip's file as its place.
 *
 * @example
 * ```ts
 * import { clipOfFile, namingClip } from "fourtier/video"
 *
 * throw namingClip(clipOfFile("jump.mp4"), new Error("disk full")) // …/jump.mp4: disk full
 * ```
 */
export function namingClip(clip: LoadableClip, error: Error): FourtierError {
  if (!(error instanceof FourtierError))
    return new FourtierError({ where: clip.path, what: messageOf(error) }, { cause: error })
  const { where, what, ...rest } = error.complaint
  if (where?.includes(clip.path)) return error
  return new FourtierError({ ...rest, where: clip.path, what: where === undefined ? what : `${where}: ${what}` })
}
