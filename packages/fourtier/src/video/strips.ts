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

/** `<folder>/<clip id>.jpg` */
export function stripPath(folder: string, clip: { id: string }): string {
  return join(folder, `${clip.id}.jpg`)
}

/**
 * Writes a strip of every clip to `<folder>/<clip id>.jpg`, in the clips' order.
 *
 * @param options.onError told of clips that cannot be decoded; without it the first ends the iteration with its error
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

/** Whether a clip's strip is there already. */
export async function hasStrip(folder: string, clip: { id: string }): Promise<boolean> {
  return (await stat(stripPath(folder, clip)).catch(() => null))?.isFile() ?? false
}
