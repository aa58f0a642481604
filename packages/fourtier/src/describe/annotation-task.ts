/**
 * An annotation task, for people or for programs elsewhere: numbered strips and a table to fill in. The numbers are shuffled
 * and the table names no file, so that nobody who answers sees a label; `clips.csv` tells which clip a strip shows.
 *
 *   <folder>/0001.jpg ...     the strips
 *   <folder>/tasks.csv        strip,A,B,C,D: one row per strip, to be filled in
 *   <folder>/tasks.jsonl      the same for programs: {"strip", "system", "prompts": {...}, "answers": {}}
 *   <folder>/clips.csv        strip,clip: not for those who answer
 *   <folder>/README.md        the questions
 */

import { existsSync } from "node:fs"
import { join } from "node:path"
import { csvLine, type Reporter } from "@fourtier/core"
import { FourtierError, Rng } from "@fourtier/tensor"
import { writeFileAtomic } from "@fourtier/tensor/node"
import { CLIPS_FILE, readRecords } from "./answer-formats.ts"
import type { PromptSet } from "./prompts.ts"
import type { DescribedClip } from "./provider.ts"
import type { StripSource } from "./strip.ts"

/**
 * Writes an annotation task into a folder.
 * @param seed of the order of the strips
 * @param known answers that stand in the table already, clip id → prompt id → text
 * @throws FourtierError where the folder holds a task that somebody has begun to fill in
 *
 * @example
 * ```ts
 * import { silent } from "@fourtier/core"
 * import { exportAnnotationTask, folderStrips, resolvePrompts } from "fourtier/describe"
 * import { readManifest } from "fourtier/video"
 *
 * const { manifest } = await readManifest("runs/mine/manifest.jsonl")
 * const strips = folderStrips("cache/strips", { frames: 5, height: 256 })
 * await exportAnnotationTask("task", manifest.clips, resolvePrompts("paper"), strips, silent)
 * ```
 */
export async function exportAnnotationTask(
  folder: string,
  clips: readonly DescribedClip[],
  prompts: PromptSet,
  strips: StripSource,
  reporter: Reporter,
  seed = 0,
  known: ReadonlyMap<string, Readonly<Record<string, string>>> = new Map(),
): Promise<void> {
  await refuseToOverwrite(folder)
  const digits = Math.max(4, String(clips.length).length)
  const order = Rng.fork(seed, "task").shuffle(clips)
  const ids = prompts.prompts.map(({ id }) => id)
  const questions = Object.fromEntries(prompts.prompts.map(({ id, text }) => [id, text]))
  let table = csvLine(["strip", ...ids])
  let lines = ""
  let clipTable = csvLine(["strip", "clip"])
  const task = reporter.task("write strips", clips.length, "clips")
  for (const [i, clip] of order.entries()) {
    const strip = `${String(i + 1).padStart(digits, "0")}.jpg`
    await writeFileAtomic(join(folder, strip), await strips.encode(clip))
    const answers = known.get(clip.id) ?? {}
    table += csvLine([strip, ...ids.map((id) => answers[id] ?? "")])
    lines += `${JSON.stringify({ strip, system: prompts.system, prompts: questions, answers })}\n`
    clipTable += csvLine([strip, clip.id])
    task.tick()
  }
  await writeFileAtomic(join(folder, CLIPS_FILE), clipTable)
  await writeFileAtomic(join(folder, "tasks.jsonl"), lines)
  await writeFileAtomic(join(folder, "tasks.csv"), table)
  await writeFileAtomic(join(folder, "README.md"), readme(prompts))
  task.done()
}

/** Exporting anew must not cost the answers that somebody has written. */
async function refuseToOverwrite(folder: string): Promise<void> {
  for (const name of ["tasks.csv", "tasks.jsonl"]) {
    const file = join(folder, name)
    if (!existsSync(file) || !existsSync(join(folder, CLIPS_FILE))) continue
    const { done } = await readRecords(file).next()
    if (done === true) continue
    throw new FourtierError({
      where: file,
      what: "this task has been filled in, at least in part",
      fix: "import it first and remove the folder, or give --task another folder",
    })
  }
}

function readme({ system, prompts }: PromptSet): string {
  const questions = prompts.map(({ id, text }) => `- **${id}**: ${text}`).join("\n")
  return `# Annotation task

${system ?? "Each JPEG shows frames of one video, in time order from left to right."}

Answer the questions below about each JPEG, either in \`tasks.csv\` (one column per question) or in
\`tasks.jsonl\` (under \`answers\`). Answer from the image alone. If you cannot tell, leave the answer empty.

${questions}
`
}
