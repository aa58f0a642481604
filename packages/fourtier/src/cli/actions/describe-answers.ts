/** Shows, edits, exports and imports the answers about a data set's clips. */

import { join } from "node:path"
import { plural, type Reporter } from "@fourtier/core"
import { terminalReporter } from "@fourtier/core/node"
import { FourtierError } from "@fourtier/tensor"
import { writeFileAtomic } from "@fourtier/tensor/node"
import { exportAnnotationTask } from "../../describe/annotation-task.ts"
import { formatAnswers } from "../../describe/answer-formats.ts"
import {
  answersBeside,
  editBeside,
  type Imported,
  importBeside,
  providerBeside,
  readBeside,
} from "../../describe/beside.ts"
import { describe } from "../../describe/describe.ts"
import { folderStrips, stripFolder } from "../../describe/folder-strips.ts"
import { answersByClip, clipNamed, editAnswer, importAnswers, withCache } from "../../describe/manage.ts"
import { resolvePrompts } from "../../describe/prompts.ts"
import { type DescribedClip, usesStrip } from "../../describe/provider.ts"
import { openProvider } from "../../describe/providers.ts"
import { describeStats } from "../../describe/stats.ts"
import { shownPath } from "../../util/shown-path.ts"
import type { DataOptions, QuestionOptions } from "../describe-options.ts"
import { formatClip, formatStats } from "./describe-print.ts"
import { loadClips, namesProvider, openRun, readScope } from "./describe-setup.ts"
import { printFolded } from "./print-folded.ts"

export async function showAnswers(
  data: string,
  clip: string,
  options: DataOptions & { json?: boolean },
): Promise<void> {
  const { clips, cachePath } = await loadAnswers(data, options)
  const named = clipNamed(clips, clip)
  const json = options.json === true
  const text = await withCache(cachePath, (cache) => formatClip(cache, named, json))
  if (json) process.stdout.write(text)
  else printFolded(text)
}

export async function replaceAnswer(
  data: string,
  clip: string,
  prompt: string,
  text: string,
  options: DataOptions & { model?: string },
): Promise<void> {
  const { clips, cachePath, beside } = await loadAnswers(data, options)
  const named = clipNamed(clips, clip)
  const old = await withCache(cachePath, (cache) => editAnswer(cache, named, prompt, text, options.model))
  if (beside !== null && old.by === "replay") await editBeside(beside, named, { ...old, answer: text.trim() })
  process.stdout.write(`${old.clip} ${prompt}, was: ${old.answer}\n`)
}

export async function showStats(data: string, options: DataOptions & { json?: boolean }): Promise<void> {
  const { clips, cachePath } = await loadAnswers(data, options)
  const stats = await withCache(cachePath, (cache) => describeStats(cache, clips))
  if (options.json === true) return void process.stdout.write(`${JSON.stringify(stats, null, 2)}\n`)
  printFolded(stats.length > 0 ? formatStats(stats) : "no answers yet\n")
}

/**
 * The clips and the path of the answers. Where no model is named, the answers beside the data are among them.
 * @returns with `beside`, the file beside the data that is used; null where none is
 */
async function loadAnswers(data: string, options: DataOptions) {
  const loaded = await loadClips(data, options, terminalReporter())
  const { clips, cachePath, config } = loaded
  const recorded = config.describe === null ? providerBeside(data) : null
  if (recorded === null) return { ...loaded, beside: null }
  const provider = await openProvider(recorded)
  const { count, height } = config.keyFrames
  await describe({
    clips,
    prompts: resolvePrompts(config.prompts),
    provider,
    strips: folderStrips(stripFolder(cachePath), { frames: count, height }),
    cachePath,
    mayDescribe: () => true,
    collect: false,
  })
  return { ...loaded, beside: recorded.file }
}

/** @throws FourtierError when neither a file nor a folder is given */
export async function exportAnswers(
  data: string,
  options: QuestionOptions & { out?: string; task?: string },
): Promise<void> {
  const reporter = terminalReporter()
  const { out, task } = options
  if (out === undefined && task === undefined) {
    throw new FourtierError({ where: "export", what: "nothing to write", fix: "give --out FILE or --task FOLDER" })
  }
  const { clips, cachePath, mayDescribe, prompts, strips } = await readScope(data, options, reporter)
  if (out !== undefined) {
    await loadAnswers(data, options)
    const rows = await withCache(cachePath, (cache) => answersByClip(cache, clips))
    await writeFileAtomic(out, formatAnswers(out, rows))
    reporter.say(`  answers about ${plural(rows.length, "clip")} written to ${out}`)
  }
  if (task !== undefined) {
    const file = answersBeside(data)
    const known = await readBeside(file, clips)
    const complete = ({ id }: DescribedClip) => prompts.prompts.every((prompt) => known.get(id)?.[prompt.id])
    const wanted = clips.filter(mayDescribe)
    const open = wanted.filter((clip) => !complete(clip))
    if (open.length < wanted.length) {
      const answered = plural(
        wanted.length - open.length,
        "clip is left out: its answers are",
        "clips are left out: their answers are",
      )
      reporter.say(`  ${answered} in ${shownPath(file)}`)
    }
    if (open.length === 0) return
    await exportAnnotationTask(task, open, prompts, strips, reporter, 0, known)
    reporter.say(
      `  fill in ${join(task, "tasks.csv")}, then: fourtier describe import ${data} ${join(task, "tasks.csv")}`,
    )
  }
}

export async function importFile(data: string, file: string, options: QuestionOptions): Promise<void> {
  const reporter = terminalReporter()
  const scope = await readScope(data, options, reporter)
  if (!namesProvider(scope.config, options)) {
    const target = answersBeside(data)
    const { imported, ...doubts } = await importBeside(file, target, scope.clips, scope.prompts)
    reporter.say(
      `  ${plural(imported, "answer")} imported into ${shownPath(target)}, which is used wherever no model is named`,
    )
    return warnOf(doubts, reporter)
  }
  const { provider, cachePath, clips, prompts, strips } = await openRun(data, options, reporter)
  const { model, settings } = provider
  const strip = (clip: DescribedClip) => (usesStrip(provider) ? (strips.settingsOf?.(clip) ?? strips.settings) : {})
  const common = { model, settings, strip }
  const { imported, ...doubts } = await withCache(cachePath, (cache) =>
    importAnswers(cache, file, clips, prompts, common),
  ).finally(() => provider.close?.())
  reporter.say(`  ${plural(imported, "answer")} imported as if given by ${model}`)
  warnOf(doubts, reporter)
}

function warnOf({ unknown, twice }: Omit<Imported, "imported">, reporter: Reporter): void {
  if (twice !== null) reporter.warn(twice)
  if (unknown.length === 0) return
  const some = unknown.slice(0, 3).join("; ")
  reporter.warn(`${plural(unknown.length, "answer")} skipped: clip or prompt unknown, for example ${some}`)
}
