/** `fourtier describe`: asks a vision-language model about the training clips, and looks after its answers. */

import { join } from "node:path"
import { plural } from "@fourtier/core"
import { terminalReporter } from "@fourtier/core/node"
import { FourtierError } from "@fourtier/tensor"
import { writeFileAtomic } from "@fourtier/tensor/node"
import { Command } from "commander"
import {
  answersByClip,
  describe,
  describeStats,
  editAnswer,
  estimateDescriptions,
  exportTask,
  formatAnswers,
  importAnswers,
  listPrices,
  withCache,
} from "../describe/index.ts"
import { printEstimate, printShown, printStats } from "./describe-print.ts"
import {
  type AskFlags,
  askFlags,
  cacheOf,
  loadClips,
  loadConfig,
  openRun,
  type RunFlags,
  runFlags,
  scopeOf,
  type WhereFlags,
  whereFlags,
} from "./describe-setup.ts"
import { interruptible } from "./shared.ts"

/** The command with its sub-commands; without one it runs. */
export function describeCommand(): Command {
  const command = new Command("describe").description(
    "ask a vision-language model about the training clips; show and mend its answers",
  )
  command.addCommand(runCommand(), { isDefault: true })
  for (const sub of [retryCommand(), showCommand(), editCommand(), statsCommand()]) command.addCommand(sub)
  for (const sub of [exportCommand(), importCommand(), pricesCommand()]) command.addCommand(sub)
  return command
}

function runCommand(): Command {
  return runFlags(new Command("run").description("ask what has not been answered yet")).action(run)
}

function retryCommand(): Command {
  return runFlags(new Command("retry").description("ask flagged answers again"))
    .requiredOption("--flagged", "those kept apart by the checks")
    .action(run)
}

async function run(data: string, flags: RunFlags): Promise<void> {
  const options = await openRun(data, flags, terminalReporter())
  try {
    if (flags.estimate === true) {
      process.stdout.write(printEstimate(await estimateDescriptions(options), options.provider))
      return
    }
    const { failed } = await interruptible((signal) => describe({ ...options, signal }))
    if (failed.length > 0) process.exitCode = 1
  } finally {
    await options.provider.close?.()
  }
}

function showCommand(): Command {
  return whereFlags(new Command("show").description("print a clip's strip and answers"))
    .argument("<clip>", "id, or path below the data folder")
    .option("--json", "print as JSON")
    .action(async (_: string, clip: string, flags: WhereFlags & { json?: boolean }) => {
      const path = cacheOf(flags, await loadConfig(flags))
      process.stdout.write(await withCache(path, (cache) => printShown(cache, clip, flags.json === true)))
    })
}

function editCommand(): Command {
  return whereFlags(new Command("edit").description("replace an answer; the old one stays in the file"))
    .argument("<clip>", "id, or path below the data folder")
    .argument("<prompt>", "A, B, ...")
    .argument("<text>", "the answer")
    .option("-m, --model <name>", "whose answer, where several models have answered")
    .action(async (_: string, clip: string, prompt: string, text: string, flags: WhereFlags & { model?: string }) => {
      const path = cacheOf(flags, await loadConfig(flags))
      const old = await withCache(path, (cache) => editAnswer(cache, clip, prompt, text, flags.model))
      process.stdout.write(`${old.clip} ${prompt}, was: ${old.answer}\n`)
    })
}

function statsCommand(): Command {
  return whereFlags(
    new Command("stats").description("counts, lengths, flags, distinct answers, agreement with labels, phrases"),
  )
    .option("--json", "print as JSON")
    .action(async (data: string, flags: WhereFlags & { json?: boolean }) => {
      const clips = await loadClips(data, flags, terminalReporter())
      const labels = new Map(clips.map(({ id, label }) => [id, label]))
      const path = cacheOf(flags, await loadConfig(flags))
      const stats = await withCache(path, (cache) => describeStats(cache, labels))
      process.stdout.write(flags.json === true ? `${JSON.stringify(stats, null, 2)}\n` : printStats(stats))
    })
}

function exportCommand(): Command {
  return askFlags(new Command("export").description("write answers to a file, or a captioning task to a folder"))
    .option("-o, --out <file>", "all sound answers, as .jsonl or .csv")
    .option("--task <folder>", "numbered strips and a table to fill in, for people or programs elsewhere")
    .action(async (data: string, flags: AskFlags & { out?: string; task?: string }) => {
      const reporter = terminalReporter()
      const { out, task } = flags
      if (out === undefined && task === undefined) {
        throw new FourtierError({ where: "export", what: "nothing to write", fix: "give --out FILE or --task FOLDER" })
      }
      const { clips, cachePath, mayDescribe, prompts, strips } = await scopeOf(data, flags, reporter)
      if (out !== undefined) {
        const labels = new Map(clips.map(({ id, label }) => [id, label]))
        const rows = await withCache(cachePath, (cache) => answersByClip(cache, labels))
        await writeFileAtomic(out, formatAnswers(out, rows))
        reporter.say(`  answers about ${plural(rows.length, "clip")} written to ${out}`)
      }
      if (task !== undefined) {
        await exportTask(task, clips.filter(mayDescribe), prompts, strips, reporter)
        reporter.say(
          `  fill in ${join(task, "tasks.csv")}, then use it with --answers, or \`fourtier describe import\``,
        )
      }
    })
}

function importCommand(): Command {
  return askFlags(new Command("import").description("take answers from a file as if the model had given them"))
    .argument("<file>", ".jsonl or .csv: see docs/describe.md for its forms")
    .action(async (data: string, file: string, flags: AskFlags) => {
      const reporter = terminalReporter()
      const { provider, cachePath, clips, prompts, strips } = await openRun(data, flags, reporter)
      const common = { model: provider.model, settings: provider.settings, strip: strips.settings }
      const { taken, unknown } = await withCache(cachePath, (cache) =>
        importAnswers(cache, file, clips, prompts, common),
      )
      await provider.close?.()
      reporter.say(`  ${plural(taken, "answer")} taken as ${provider.model}'s`)
      if (unknown.length > 0) {
        const some = unknown.slice(0, 3).join("; ")
        reporter.warn(`${unknown.length} answers are about clips or prompts that are not known, such as ${some}`)
      }
    })
}

function pricesCommand(): Command {
  return new Command("prices")
    .description("print a price file to start from: US dollars a million tokens")
    .action(() => void process.stdout.write(`${JSON.stringify(listPrices, null, 2)}\n`))
}
