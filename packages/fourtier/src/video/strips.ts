/** Strips of many clips, in worker threads. */

import { open } from "node:fs/promises"
import { join } from "node:path"
import { runJobs, type WorkerOptions, workerUrl } from "@fourtier/core/node"
import type { FourtierError } from "@fourtier/tensor"
import { z } from "zod"
import { fileNamed } from "../util/file-name.ts"
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
  return join(folder, fileNamed(clip.id, ".jpg"))
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
export async function* writeStrips<C extends StripClip & { id: string; hash?: string }>(
  clips: Iterable<C>,
  folder: string,
  options: StripOptions & WorkerOptions & { onError?: (clip: C, error: FourtierError) => void } = {},
): AsyncGenerator<WrittenStrip<C>> {
  const { frames, height, quality, onError, ...workerOptions } = options
  const known: C[] = []
  function* jobs() {
    for (const clip of clips) {
      const { id, hash, path, start, end, frames: count, fps, width, height: tall } = clip
      known.push(clip)
      yield {
        number: known.length - 1,
        clip: { id, path, start, end, frames: count, fps, width, height: tall },
        path: stripPath(folder, clip),
        options: { frames, height, quality, ...(hash === undefined ? {} : { comment: noteOf(hash, options) }) },
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
 * Whether a clip's strip is there already, of this very content and made in this way: `writeStrips` notes both in the picture.
 *
 * @example
 * ```ts
 * import { hasStrip, readManifest } from "fourtier/video"
 *
 * const { manifest } = await readManifest("runs/mine/manifest.jsonl")
 * await hasStrip("strips", manifest.clips[0], { frames: 5 })
 * ```
 */
export async function hasStrip(
  folder: string,
  clip: { id: string; hash: string },
  options: StripOptions = {},
): Promise<boolean> {
  const note = noteOf(clip.hash, options)
  const head = await readHead(stripPath(folder, clip), note.length + 6)
  return head?.subarray(6).equals(Buffer.from(note)) ?? false
}

/** What a strip was made of and how. */
export function noteOf(hash: string, { frames = 5, height, quality = 90 }: StripOptions): string {
  return `fourtier strip of ${hash}, ${frames} frames, height ${height ?? "own"}, quality ${quality}`
}

async function readHead(path: string, length: number): Promise<Buffer | null> {
  const file = await open(path).catch(() => null)
  if (file === null) return null
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, 0)
    return bytesRead === length ? buffer : null
  } finally {
    await file.close()
  }
}
