/** Strips of a data set's clips, those that exist already left as they are. */

import { readdir } from "node:fs/promises"
import { join } from "node:path"
import { plural } from "@fourtier/core"
import { terminalReporter } from "@fourtier/core/node"
import { FourtierError } from "@fourtier/tensor"
import { doctor } from "../../video/doctor.ts"
import { hasStrip, stripPath, writeStrips } from "../../video/strips.ts"
import { defaultManifest, runFolder } from "./folders.ts"

export interface StripsOptions {
  out?: string
  manifest?: string
  frames: number
  height?: number
  quality: number
  workers?: number
  force?: boolean
}

/** @throws FourtierError when a strip could not be written; the others are */
export async function writeAllStrips(data: string, options: StripsOptions): Promise<void> {
  const { frames, height, quality, workers, force = false } = options
  const reporter = terminalReporter()
  const { manifest } = await doctor(data, options.manifest ?? defaultManifest(data), reporter, { workers })
  const out = options.out ?? join(runFolder(data), `strips-${frames}${height === undefined ? "" : `-${height}`}`)
  const exists = await Promise.all(
    manifest.clips.map((clip) => !force && hasStrip(out, clip, { frames, height, quality })),
  )
  const clips = manifest.clips.filter((_, i) => !exists[i])
  const failures: FourtierError[] = []
  const task = reporter.task("write strips", clips.length, "clips")
  const onError = (_: unknown, error: FourtierError) => void failures.push(error)
  for await (const _ of writeStrips(clips, out, { frames, height, quality, workers, onError })) task.tick()
  const written = plural(clips.length - failures.length, "strip")
  task.done(`${written} written to ${out}, ${manifest.clips.length - clips.length} already there`)
  for (const { message } of failures) reporter.warn(message)
  const own = new Set(manifest.clips.map((clip) => stripPath(out, clip)))
  const found = await readdir(out, { recursive: true }).catch(() => [])
  const others = found.filter((file) => file.endsWith(".jpg") && !own.has(join(out, file)))
  if (others.length > 0) {
    reporter.warn(
      `${plural(others.length, "strip")} in ${out} of clips that are not in this data, such as ${others[0]}`,
    )
  }
  if (failures.length === 0) return
  throw new FourtierError({ where: out, what: `${plural(failures.length, "strip")} could not be written` })
}
