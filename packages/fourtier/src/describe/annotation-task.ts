/**
 * A captioning task for people or for programs elsewhere: numbered strips and a table to fill in. Numbers are shuffled and
 * the table names no file, so that whoever answers sees no label; `clips.csv` keeps the way back.
 *
 *   <folder>/0001.jpg ...     the strips
 *   <folder>/tasks.csv        strip,A,B,C,D: one row a strip, to be filled in
 *   <folder>/tasks.jsonl      the same for programs: {"strip", "system", "prompts": {...}, "answers": {}}
 *   <folder>/clips.csv        strip,clip: not for the one who answers
 *   <folder>/README.md        the questions
 */

import { existsSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { csvLine, type Reporter } from "@fourtier/core"
import { Rng } from "@fourtier/tensor"
import { writeFileAtomic } from "@fourtier/tensor/node"
import type { PromptSet } from "./prompts.ts"
import type { DescribedClip } from "./provider.ts"
import type { StripSource } from "./strip.ts"

/** Which clip a task's strip shows. */
export const CLIPS_FILE = "clips.csv"

export async function exportTask(
  folder: string,
  clips: readonly DescribedClip[],
  prompts: PromptSet,
  strips: StripSource,
  reporter: Reporter,
  seed = 0,
): Promise<void> {
  const digits = Math.max(4, String(clips.length).length)
  const order = Rng.fork(seed, "task").shuffle(clips)
  const ids = prompts.prompts.map(({ id }) => id)
  const questions = Object.fromEntries(prompts.prompts.map(({ id, text }) => [id, text]))
  let table = csvLine(["strip", ...ids])
  let lines = ""
  let key = csvLine(["strip", "clip"])
  const task = reporter.task("Writing strips", clips.length, "clips")
  for (const [i, clip] of order.entries()) {
    const strip = `${String(i + 1).padStart(digits, "0")}.jpg`
    await writeFileAtomic(join(folder, strip), await strips.encode(clip))
    table += csvLine([strip, ...ids.map(() => "")])
    lines += `${JSON.stringify({ strip, system: prompts.system, prompts: questions, answers: {} })}\n`
    key += csvLine([strip, clip.id])
    task.tick()
  }
  await writeFileAtomic(join(folder, CLIPS_FILE), key)
  await writeFileAtomic(join(folder, "tasks.jsonl"), lines)
  await writeFileAtomic(join(folder, "tasks.csv"), table)
  await writeFileAtomic(join(folder, "README.md"), readme(prompts))
  task.done()
}

function readme({ system, prompts }: PromptSet): string {
  const questions = prompts.map(({ id, text }) => `- **${id}**: ${text}`).join("\n")
  return `# Captioning task

${system ?? "Each JPEG shows frames of one video, in time order from left to right."}

Answer these questions about each JPEG in \`tasks.csv\` (one column a question) or in \`tasks.jsonl\` (under \`answers\`).
Leave a cell empty where you cannot tell. Answer from the image alone.

${questions}
`
}

/** Where the clips of a filled-in task file are named, if the file lies in a task's folder. */
export function clipsFileOf(file: string): string | null {
  const beside = join(dirname(file), CLIPS_FILE)
  return basename(file) !== CLIPS_FILE && existsSync(beside) ? beside : null
}
