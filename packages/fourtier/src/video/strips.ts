/** Strips of many clips, in worker threads. */

import { stat } from "node:fs/promises"
import { join } from "node:path"
import { runJobs, type WorkerOptions, workerUrl } from "@fourtier/core/node"
import type { FourtierError } from "@fourtier/tensor"
import { z } from "zod"
import type { StripClip, StripOptions } from "./keyframes.ts"
import { namingClip } from "./pool.ts"

export const stripDoneSchema = z.object({ keyFrames: z.array(z.number()), padded: z.number() })

export interface WrittenStrip<C> {
  clip: C
  path: string
  keyFrames: number[]
  padded: number
}

/**
 * `<folder>/<clip id>.jpg`
 *
 * @example
 * ```ts
 * import { stripPath } from "fourtier/video"
 *
 * stripPath("strips", { id: "jump/a" }) // "strips/jump/a.jpg"
 * ```
 */
export function stripPath(folder: string, clip: { id: string }): string {
  return join(folder, `${clip.id}.jpg`)
}

/**
 * Writes a strip of every clip to `<folder>/<clip id>.jpg`, in the clips' order.
 *
 * @param options.onError told of clips that cannot be decoded; without it the first ends the iteration with its error
 *
 * @example
 * ```ts
 * import { readManifest, writeStrips } from "fourtier/video"
 *
 * const { manifest } = await readManifest("runs/mine/manifest.jsonl")
 * const strips = writeStrips(manifest.clips, "strips", { frames: 5 })
 * for await (const { path, keyFrames } of strips) console.log(path, keyFrames)
 * ```
 */
export async function* writeStrips<C extends StripClip & { id: string }>(
  clips: Iterable<C>,
  folder: string,
  options: StripOptions & WorkerOptions & { onError?: (clip: C, error: FourtierError) => void } = {},
): AsyncGenerator<WrittenStrip<C>> {
  const { frames, height, quality, onError, ...workerOptions } = options
  const known: C[] = []
  function* jobs() {
    for (const clip of clips) {
      const { id, path, start, end, frames: count, fps, width, height: tall } = clip
      known.push(clip)
      yield {
        number: known.length - 1,
        clip: { id, path, start, end, frames: count, fps, width, height: tall },
        path: stripPath(folder, clip),
        options: { frames, height, quality },
      }
    }
  }
  const entry = workerUrl(import.meta.url, "./strips.worker.ts")
  for await (const outcome of runJobs(entry, jobs(), stripDoneSchema, workerOptions)) {
    const clip = known[outcome.job.number]
    if ("error" in outcome) {
      const error = namingClip(clip, outcome.error)
      if (onError === undefined) throw error
      onError(clip, error)
    } else yield { clip, path: outcome.job.path, ...outcome.result }
  }
}

/**
 * Whether a clip's strip is there already.
 *
 * @example
 * ```ts
 * import { hasStrip } from "fourtier/video"
 *
 * await hasStrip("strips", { id: "jump/a" })
 * ```
 */
export async function hasStrip(folder: string, clip: { id: string }): Promise<boolean> {
  return (await stat(stripPath(folder, clip)).catch(() => null))?.isFile() ?? false
}
