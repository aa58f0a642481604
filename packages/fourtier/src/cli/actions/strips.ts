/** Strips of a data set's clips, those that exist already left as they are. */

import { readdir } from "node:fs/promises"
import { basename, join, resolve } from "node:path"
import { plural, type Reporter } from "@fourtier/core"
import { terminalReporter, type WorkerOptions } from "@fourtier/core/node"
import { FourtierError } from "@fourtier/tensor"
import { type Division, Job } from "../../shards/job.ts"
import { cacheFolders } from "../../util/cache-folders.ts"
import { doctor } from "../../video/doctor.ts"
import type { StripOptions } from "../../video/keyframes.ts"
import type { Clip } from "../../video/manifest.ts"
import { hasStrip, stripPath, writeStrips } from "../../video/strips.ts"
import type { ShardOptions } from "../shard-options.ts"
import { divisionOf } from "./division.ts"
import { defaultManifest, runFolder } from "./folders.ts"

export interface StripsOptions extends ShardOptions {
  out?: string
  manifest?: string
  frames: number
  height?: number
  quality: number
  workers?: number
  force?: boolean
}

/** Writes the strips that this process gets to do. */
async function writeShared(
  clips: readonly Clip[],
  exists: readonly boolean[],
  out: string,
  options: StripOptions & WorkerOptions,
  division: Division,
  reporter: Reporter,
  failures: FourtierError[],
): Promise<void> {
  const job = await Job.open({
    division,
    kind: "strips",
    title: `strips in ${basename(out)}`,
    unit: "clips",
    spec: [resolve(out), options.frames, options.height, options.quality],
    items: clips.map(({ id, hash }) => `${id} ${hash}`),
    nameOf: (item) => clips[item].relative,
    isThere: (item) => exists[item],
  })
  let count = 0
  await job.during(async () => {
    for await (const block of job.all()) {
      const wanted = new Map(block.items.filter((item) => !exists[item]).map((item) => [clips[item], item] as const))
      for (const item of block.items) if (exists[item]) await block.tick(item)
      const failed: { clip: Clip; error: FourtierError }[] = []
      const onError = (clip: Clip, error: FourtierError) => void failed.push({ clip, error })
      for await (const { clip } of writeStrips(wanted.keys(), out, { ...options, onError })) {
        await block.tick(wanted.get(clip) ?? 0)
        count++
      }
      for (const { clip, error } of failed) {
        failures.push(error)
        await block.tick(wanted.get(clip) ?? 0, error.message)
      }
      await block.finish()
    }
  })
  reporter.say(`  ${plural(count, "strip")} written here to ${out}`)
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
  const failures: FourtierError[] = []
  const write = { frames, height, quality, workers }
  const division = divisionOf(options, cacheFolders().work, reporter)
  if (division) await writeShared(manifest.clips, exists, out, write, division, reporter, failures)
  else {
    const clips = manifest.clips.filter((_, i) => !exists[i])
    const task = reporter.task("write strips", clips.length, "clips")
    const onError = (_: unknown, error: FourtierError) => void failures.push(error)
    for await (const _ of writeStrips(clips, out, { ...write, onError })) task.tick()
    const written = plural(clips.length - failures.length, "strip")
    task.done(`${written} written to ${out}, ${manifest.clips.length - clips.length} already there`)
  }
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
