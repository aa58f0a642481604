/** Shows, edits, exports and imports the answers about a data set's clips. */

import { existsSync } from "node:fs"
import { join } from "node:path"
import { plural, type Reporter } from "@fourtier/core"
import { terminalReporter } from "@fourtier/core/node"
import { FourtierError } from "@fourtier/tensor"
import { writeFileAtomic } from "@fourtier/tensor/node"
import { exportAnnotationTask } from "../../describe/annotation-task.ts"
import { formatAnswers } from "../../describe/answer-formats.ts"
import { answersBeside, importBeside } from "../../describe/beside.ts"
import { answersByClip, clipNamed, editAnswer, importAnswers, withCache } from "../../describe/manage.ts"
import { type DescribedClip, usesStrip } from "../../describe/provider.ts"
import { describeStats } from "../../describe/stats.ts"
import { wrapText } from "../../util/table.ts"
import type { DataOptions, QuestionOptions } from "../describe-options.ts"
import { formatClip, formatStats } from "./describe-print.ts"
import { loadClips, namesProvider, openRun, readScope } from "./describe-setup.ts"
import { shown } from "./files.ts"

export async function showAnswers(
  data: string,
  clip: string,
  options: DataOptions & { json?: boolean },
): Promise<void> {
  const { clips, cachePath } = await loadClips(data, options, terminalReporter())
  const named = clipNamed(clips, clip)
  process.stdout.write(await withCache(cachePath, (cache) => formatClip(cache, named, options.json === true)))
}

export async function replaceAnswer(
  data: string,
  clip: string,
  prompt: string,
  text: string,
  options: DataOptions & { model?: string },
): Promise<void> {
  const { clips, cachePath } = await loadClips(data, options, terminalReporter())
  const named = clipNamed(clips, clip)
  const old = await withCache(cachePath, (cache) => editAnswer(cache, named, prompt, text, options.model))
  process.stdout.write(`${old.clip} ${prompt}, was: ${old.answer}\n`)
}

export async function showStats(data: string, options: DataOptions & { json?: boolean }): Promise<void> {
  const { clips, cachePath } = await loadClips(data, options, terminalReporter())
  const stats = await withCache(cachePath, (cache) => describeStats(cache, clips))
  if (options.json === true) return void process.stdout.write(`${JSON.stringify(stats, null, 2)}\n`)
  process.stdout.write(stats.length > 0 ? formatStats(stats) : noAnswers(data))
}

function noAnswers(data: string): string {
  const beside = answersBeside(data)
  if (!existsSync(beside)) return "no answers yet\n"
  return `${wrapText(`no answers yet but those in ${shown(beside)}: \`fourtier describe ${data}\` takes them into the count`)}\n`
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
    const rows = await withCache(cachePath, (cache) => answersByClip(cache, clips))
    await writeFileAtomic(out, formatAnswers(out, rows))
    reporter.say(`  answers about ${plural(rows.length, "clip")} written to ${out}`)
  }
  if (task !== undefined) {
    await exportAnnotationTask(task, clips.filter(mayDescribe), prompts, strips, reporter)
    reporter.say(`  fill in ${join(task, "tasks.csv")}, then give it to --answers or \`fourtier describe import\``)
  }
}

export async function importFile(data: string, file: string, options: QuestionOptions): Promise<void> {
  const reporter = terminalReporter()
  const scope = await readScope(data, options, reporter)
  if (!namesProvider(scope.config, options)) {
    const target = answersBeside(data)
    const { imported, unknown } = await importBeside(file, target, scope.clips, scope.prompts)
    reporter.say(
      `  ${plural(imported, "answer")} imported into ${shown(target)}, which is used wherever no model is named`,
    )
    return warnOfUnknown(unknown, reporter)
  }
  const { provider, cachePath, clips, prompts, strips } = await openRun(data, options, reporter)
  const { model, settings } = provider
  const strip = (clip: DescribedClip) => (usesStrip(provider) ? (strips.settingsOf?.(clip) ?? strips.settings) : {})
  const common = { model, settings, strip }
  const { imported, unknown } = await withCache(cachePath, (cache) =>
    importAnswers(cache, file, clips, prompts, common),
  ).finally(() => provider.close?.())
  reporter.say(`  ${plural(imported, "answer")} imported as if given by ${model}`)
  warnOfUnknown(unknown, reporter)
}

function warnOfUnknown(unknown: readonly string[], reporter: Reporter): void {
  if (unknown.length === 0) return
  const some = unknown.slice(0, 3).join("; ")
  reporter.warn(`${plural(unknown.length, "answer")} skipped: clip or prompt unknown, for example ${some}`)
}
