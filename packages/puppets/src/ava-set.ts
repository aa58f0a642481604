/**
 * Renders videos with several figures into a folder laid out as AVA is:
 *
 * ```
 * videos/<id>.mp4
 * annotations/ava_<train|val|shift>_v2.2.csv                        id, second, box, class, figure
 * annotations/ava_<train|val|shift>_excluded_timestamps_v2.2.csv    key frames with a figure that is mostly outside
 * annotations/ava_included_timestamps_v2.2.txt                      the seconds that are annotated
 * annotations/ava_action_list_v2.2_for_activitynet_2019.pbtxt       the classes
 * tracks.csv                                                        the box of every figure in every frame
 * ```
 * `val` is the part `test`, `shift` the part `test-shift`.
 */

import { access, mkdir } from "node:fs/promises"
import { join } from "node:path"
import { csvLine, type Reporter, silent } from "@fourtier/core"
import { runJobs, workerUrl } from "@fourtier/core/node"
import { writeFileAtomic } from "@fourtier/tensor/node"
import { z } from "zod"
import { type ActionName, actionNames } from "./acts.ts"
import type { MemberBox } from "./company.ts"
import { type CompanyOptions, type PlannedCompany, planCompanies } from "./company-plan.ts"
import { claimFolder } from "./generate.ts"
import type { SplitName } from "./plan.ts"

/** Raised whenever the same seed would give other videos or boxes. */
const COMPANY_VERSION = 1

/** Names of the parts in AVA's files. */
export const avaParts: Record<SplitName, string> = { train: "train", test: "val", "test-shift": "shift" }

/** A figure counts from this share of it in the picture; a key frame with one of less, but more than nothing, is excluded. */
const LEAST_INSIDE = 0.35

export interface AvaSetOptions extends CompanyOptions {
  /** Folder; made where it is missing. */
  out: string
  /** Threads; all cores by default. */
  workers?: number
}

const boxSchema = z.object({
  id: z.number(),
  box: z.tuple([z.number(), z.number(), z.number(), z.number()]),
  inside: z.number(),
}) satisfies z.ZodType<MemberBox>

/**
 * Writes the set; videos that are there already are not rendered again. Equal options give equal pixels and equal boxes.
 * @throws FourtierError when the folder holds another set, or a video cannot be rendered
 *
 * @example
 * ```ts
 * import { companyCounts, demoClasses, generateAvaSet } from "@fourtier/puppets"
 *
 * await generateAvaSet({ out: "runs/company", classes: demoClasses, counts: companyCounts, seed: 1 })
 * ```
 */
export async function generateAvaSet(options: AvaSetOptions, reporter: Reporter = silent): Promise<PlannedCompany[]> {
  const { out, seed, width = 320, height = 240 } = options
  const videos = planCompanies(options)
  await mkdir(join(out, "videos"), { recursive: true })
  await mkdir(join(out, "annotations"), { recursive: true })
  await claimFolder(out, { set: "company", version: COMPANY_VERSION, seed, width, height })
  const task = reporter.task("puppets", videos.length, "videos")
  const jobs = await Promise.all(
    videos.map(async (video) => {
      const path = join(out, "videos", `${video.id}.mp4`)
      return { video, out: (await exists(path)) ? null : path }
    }),
  )
  const boxes = new Map<string, MemberBox[][]>()
  const entry = workerUrl(import.meta.url, "./company.worker.ts")
  const threads = options.workers === undefined ? {} : { workers: options.workers }
  for await (const outcome of runJobs(entry, jobs, z.array(z.array(boxSchema)), { ordered: false, ...threads })) {
    if ("error" in outcome) throw outcome.error
    boxes.set(outcome.job.video.id, outcome.result)
    task.tick(1, outcome.job.video.id)
  }
  task.done()
  for (const [name, text] of Object.entries(avaFiles(videos, boxes))) await writeFileAtomic(join(out, name), text)
  return videos
}

/** The class's id in AVA's files: the same whichever classes a set has. */
export function classIdOf(action: ActionName): number {
  return actionNames.indexOf(action) + 1
}

/** Every text file of a set, by its path below the set's folder. @param boxes of each video, by frame */
export function avaFiles(
  videos: readonly PlannedCompany[],
  boxes: ReadonlyMap<string, readonly (readonly MemberBox[])[]>,
): Record<string, string> {
  const files: Record<string, string> = {}
  const seconds = new Set<number>()
  const tracks = [csvLine(["path", "time", "x1", "y1", "x2", "y2", "label", "track"])]
  for (const [split, part] of Object.entries(avaParts)) {
    const rows: string[] = []
    const excluded: string[] = []
    for (const video of videos.filter((each) => each.split === split)) {
      for (const [i, all] of (boxes.get(video.id) ?? []).entries()) {
        const time = i / video.fps
        const isKey = Number.isInteger(time) && time > 0
        const second = String(time).padStart(4, "0")
        if (isKey) seconds.add(time)
        if (isKey && all.some(({ inside }) => inside < LEAST_INSIDE)) excluded.push(csvLine([video.id, second]))
        for (const { id, action } of video.members) {
          const found = all.find((box) => box.id === id)
          if (found === undefined || found.inside < LEAST_INSIDE) continue
          const corners = found.box.map((value) => value.toFixed(3)) // as many decimals as AVA's files have
          tracks.push(csvLine([`videos/${video.id}.mp4`, time.toFixed(3), ...corners, action, `${id}`]))
          if (isKey) rows.push(csvLine([video.id, second, ...corners, `${classIdOf(action)}`, `${id}`]))
        }
      }
    }
    files[`annotations/ava_${part}_v2.2.csv`] = rows.join("")
    files[`annotations/ava_${part}_excluded_timestamps_v2.2.csv`] = excluded.join("")
  }
  const classes = [...new Set(videos.flatMap(({ members }) => members.map(({ action }) => action)))].sort()
  const entry = (name: ActionName) => `label {\n  name: "${name}"\n  label_id: ${classIdOf(name)}\n}\n`
  files["annotations/ava_action_list_v2.2_for_activitynet_2019.pbtxt"] = classes.map(entry).join("")
  files["annotations/ava_included_timestamps_v2.2.txt"] = [...seconds]
    .sort((a, b) => a - b)
    .map((second) => `${String(second).padStart(4, "0")}\n`)
    .join("")
  files["tracks.csv"] = tracks.join("")
  return files
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
