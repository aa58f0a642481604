/**
 * Renders long takes into a folder:
 *
 * ```
 * <split>/<id>.mp4
 * segments.csv       path, label, start, end, split, person, scene: the spans of the classes
 * activitynet.json   the same as ActivityNet has it
 * others.csv         path, what, start, end: what else is done
 * ```
 */

import { access, mkdir } from "node:fs/promises"
import { join } from "node:path"
import { csvLine, type Reporter, silent } from "@fourtier/core"
import { runJobs, workerUrl } from "@fourtier/core/node"
import { writeFileAtomic } from "@fourtier/tensor/node"
import { z } from "zod"
import { claimFolder } from "./generate.ts"
import { splitNames } from "./plan.ts"
import { type PlannedTake, planTakes, type TakeOptions } from "./take-plan.ts"

/** Raised whenever the same seed would give other takes or spans. */
const TAKES_VERSION = 1

export interface TakeSetOptions extends TakeOptions {
  /** Folder; made where it is missing. */
  out: string
  /** Threads; all cores by default. */
  workers?: number
}

/**
 * Writes the set; takes that are there already are not rendered again. Equal options give equal pixels and equal spans.
 * @throws FourtierError when the folder holds another set, or a take cannot be rendered
 *
 * @example
 * ```ts
 * import { demoClasses, generateTakes, takeCounts } from "@fourtier/puppets"
 *
 * await generateTakes({ out: "runs/takes", classes: demoClasses, counts: takeCounts, seed: 1 })
 * ```
 */
export async function generateTakes(options: TakeSetOptions, reporter: Reporter = silent): Promise<PlannedTake[]> {
  const { out, seed, classes, width = 320, height = 240, actions = [6, 12] } = options
  const takes = planTakes(options)
  for (const split of splitNames) await mkdir(join(out, split), { recursive: true })
  const named = [...new Set(classes)].sort().join(",")
  await claimFolder(out, {
    set: "takes",
    version: TAKES_VERSION,
    seed,
    width,
    height,
    classes: named,
    actions: actions.join(" to "),
  })
  const jobs: { take: PlannedTake; out: string }[] = []
  for (const take of takes) {
    const path = join(out, take.path)
    if (!(await exists(path))) jobs.push({ take, out: path })
  }
  const task = reporter.task("puppets", jobs.length, "takes")
  const entry = workerUrl(import.meta.url, "./take.worker.ts")
  const threads = options.workers === undefined ? {} : { workers: options.workers }
  for await (const outcome of runJobs(entry, jobs, z.unknown(), { ordered: false, timeout: 3600, ...threads })) {
    if ("error" in outcome) throw outcome.error
    task.tick(1, outcome.job.take.path)
  }
  task.done(jobs.length === 0 ? `${takes.length} takes, all there already` : undefined)
  for (const [name, text] of Object.entries(takeFiles(takes))) await writeFileAtomic(join(out, name), text)
  return takes
}

/** Every text file of a set, by its name. */
export function takeFiles(takes: readonly PlannedTake[]): Record<string, string> {
  const time = (seconds: number) => seconds.toFixed(3)
  const segments = takes.flatMap(({ path, spans, split, person, scene }) =>
    spans.map(({ label, start, end }) => csvLine([path, label, time(start), time(end), split, person, scene])),
  )
  const others = takes.flatMap(({ path, others }) =>
    others.map(({ label, start, end }) => csvLine([path, label, time(start), time(end)])),
  )
  const database = Object.fromEntries(
    takes.map(({ path, split, frames, fps, spans }) => [
      path.replace(/\.mp4$/, ""),
      {
        subset: split,
        duration: frames / fps,
        annotations: spans.map(({ label, start, end }) => ({ segment: [start, end], label })),
      },
    ]),
  )
  return {
    "segments.csv": csvLine(["path", "label", "start", "end", "split", "person", "scene"]) + segments.join(""),
    "others.csv": csvLine(["path", "what", "start", "end"]) + others.join(""),
    "activitynet.json": `${JSON.stringify({ version: "puppets", database }, null, 1)}\n`,
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
