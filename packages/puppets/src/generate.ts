/** Renders a planned set into a folder: several threads, whole files only, picks up where it was interrupted. */

import { access, mkdir, readdir, rm, stat } from "node:fs/promises"
import { dirname, join } from "node:path"
import { type Reporter, silent } from "@fourtier/core"
import { runJobs, workerUrl } from "@fourtier/core/node"
import { FourtierError } from "@fourtier/tensor"
import { readJson, writeFileAtomic, writeJson } from "@fourtier/tensor/node"
import { z } from "zod"
import { manifestCsv, type PlannedClip, type PlanOptions, planClips } from "./plan.ts"

/** Raised whenever the same seed would give other clips or pixels. */
export const PUPPETS_VERSION = 1

/** Milliseconds after which a temporary file counts as left behind: no clip takes nearly as long. */
const ABANDONED = 600_000

export interface GenerateOptions extends PlanOptions {
  /** Folder; made where it is missing. */
  out: string
  /** Threads; all cores by default. */
  workers?: number
}

export interface Generated {
  /** The written `manifest.csv`. */
  manifest: string
  clips: PlannedClip[]
  /** How many were rendered now; the others were there already. */
  rendered: number
}

/** What a folder was made with. */
const stampSchema = z.record(z.string(), z.union([z.number(), z.string()]))

/**
 * Writes `<split>/<class>/<class>-<number>.mp4` (or `.webm`), `manifest.csv` and `puppets.json` (what the folder was made
 * with). Equal options give equal clips and, before encoding, equal pixels on every machine; the encoders' bytes may
 * differ between processors.
 *
 * @throws FourtierError when the folder holds a set of another seed, size or version, or a clip cannot be rendered
 *
 * @example
 * ```ts
 * import { demoClasses, demoCounts, generatePuppets } from "@fourtier/puppets"
 *
 * await generatePuppets({ out: "runs/puppets", classes: demoClasses, counts: demoCounts, seed: 1 })
 * ```
 */
export async function generatePuppets(options: GenerateOptions, reporter: Reporter = silent): Promise<Generated> {
  const { out, seed, width = 256, height = 192 } = options
  const clips = planClips(options)
  await claimFolder(out, { version: PUPPETS_VERSION, seed, width, height })
  const missing: PlannedClip[] = []
  for (const clip of clips) if (!(await exists(join(out, clip.path)))) missing.push(clip)
  for (const folder of new Set(missing.map((clip) => join(out, dirname(clip.path))))) {
    await mkdir(folder, { recursive: true })
    await sweep(folder)
  }
  const task = reporter.task("puppets", missing.length, "clips")
  const jobs = missing.map((clip) => ({ clip, out: join(out, clip.path) }))
  const entry = workerUrl(import.meta.url, "./render.worker.ts")
  const threads = options.workers === undefined ? {} : { workers: options.workers }
  for await (const outcome of runJobs(entry, jobs, z.unknown(), { ordered: false, ...threads })) {
    if ("error" in outcome) throw outcome.error
    task.tick(1, outcome.job.clip.action)
  }
  task.done(missing.length === 0 ? `${clips.length} clips, all there already` : undefined)
  const manifest = join(out, "manifest.csv")
  await writeFileAtomic(manifest, manifestCsv(clips))
  return { manifest, clips, rendered: missing.length }
}

/** Writes `puppets.json`, or checks that the one there is of the same set. @throws FourtierError where it is not */
export async function claimFolder(out: string, stamp: z.infer<typeof stampSchema>): Promise<void> {
  const path = join(out, "puppets.json")
  if (!(await exists(path))) {
    await writeJson(path, stamp)
    return
  }
  const found = stampSchema.safeParse(await readJson(path))
  if (found.success && JSON.stringify(found.data) === JSON.stringify(stamp)) return
  throw new FourtierError({
    where: path,
    what: "this folder holds another set",
    expected: JSON.stringify(stamp),
    found: JSON.stringify(found.data ?? "unreadable"),
    fix: "name another folder, or delete this one",
  })
}

/** Removes what a run that was killed left half written. */
async function sweep(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.includes(".tmp-")) continue
    const { mtimeMs } = await stat(join(folder, name))
    if (Date.now() - mtimeMs > ABANDONED) await rm(join(folder, name), { force: true })
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path)
    return true
  } catch {
    return false
  }
}
