/** Clips of files that are in no manifest, measured in child processes. */

import { runJobs, type WorkerOptions, workerUrl } from "@fourtier/core/node"
import { FourtierError, messageOf } from "@fourtier/tensor"
import { absolutePath } from "../util/objects/address.ts"
import type { Clip } from "./manifest.ts"
import { clipOfProbe, probeSchema, type Window } from "./probe.ts"

/** A file, or a stretch of one. */
export interface FilePart extends Window {
  path: string
}

/**
 * What `clipOfFile` gives, of many files and without blocking, in the order of the files. A file that cannot be used yields its
 * error; so does one at which a decoder crashes, which would take down a process that looked through it itself.
 * @param files paths, or stretches of files
 *
 * @example
 * ```ts
 * import { clipsOfFiles } from "fourtier/video"
 *
 * for await (const found of clipsOfFiles(["jump.mp4", "wave.mp4"])) {
 *   if ("clip" in found) console.log(found.path, found.clip.frames)
 *   else console.error(found.error.message)
 * }
 * ```
 */
export async function* clipsOfFiles(
  files: readonly (string | FilePart)[],
  options: WorkerOptions = {},
): AsyncGenerator<{ path: string; clip: Clip } | { path: string; error: FourtierError }> {
  const jobs = files.map((file) => {
    const { path, start, end } = typeof file === "string" ? { path: file, start: null, end: null } : file
    return { path: absolutePath(path), windows: [{ start, end }] }
  })
  const entry = workerUrl(import.meta.url, "./probe.worker.ts")
  for await (const outcome of runJobs(entry, jobs, probeSchema, { ...options, processes: true })) {
    const { path, windows } = outcome.job
    try {
      if ("error" in outcome) {
        const found = messageOf(outcome.error)
        throw new FourtierError({ where: path, what: "cannot be looked through", found })
      }
      yield { path, clip: clipOfProbe(path, outcome.result, windows[0]) }
    } catch (error) {
      if (!(error instanceof FourtierError)) throw error
      yield { path, error }
    }
  }
}
