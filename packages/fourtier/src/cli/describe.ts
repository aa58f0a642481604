/** `fourtier describe`: asks a vision-language model about the training clips; shows and edits its answers. */

import { Command } from "commander"
import {
  type DataOptions,
  dataOptions,
  type QuestionOptions,
  questionOptions,
  runOptions,
  type SharedRunOptions,
} from "./describe-options.ts"
import { shardOptions } from "./shard-options.ts"

const CLIP = "id of the clip, or its path relative to the data folder"

/** The command with its subcommands; `run` is the default. */
export function describeCommand(): Command {
  const command = new Command("describe")
    .description("ask a vision-language model about the training clips; show and edit its answers")
    .configureHelp({ subcommandTerm: (sub) => sub.name() })
  command.addCommand(runCommand(), { isDefault: true })
  for (const sub of [retryCommand(), showCommand(), editCommand(), statsCommand()]) command.addCommand(sub)
  for (const sub of [exportCommand(), importCommand(), pricesCommand()]) command.addCommand(sub)
  return command
}

function runCommand(): Command {
  return shardOptions(runOptions(new Command("run").description("ask what has not been answered yet"))).action(run)
}

function retryCommand(): Command {
  return runOptions(new Command("retry").description("ask flagged answers again"))
    .requiredOption("--flagged", "the answers that failed a check")
    .action(run)
}

async function run(data: string, options: SharedRunOptions): Promise<void> {
  const { runDescribe } = await import("./actions/describe.ts")
  await runDescribe(data, options)
}

function showCommand(): Command {
  return dataOptions(new Command("show").description("print the strip of a clip and the answers about it"))
    .argument("<clip>", CLIP)
    .option("--json", "print as JSON")
    .action(async (data: string, clip: string, options: DataOptions & { json?: boolean }) => {
      const { showAnswers } = await import("./actions/describe-answers.ts")
      await showAnswers(data, clip, options)
    })
}

function editCommand(): Command {
  return dataOptions(new Command("edit").description("edit an answer; the old one stays in the file"))
    .argument("<clip>", CLIP)
    .argument("<prompt>", "A, B, ...")
    .argument("<text>", "the new answer")
    .option("-m, --model <name>", "whose answer, when several models have answered")
    .action(
      async (data: string, clip: string, prompt: string, text: string, options: DataOptions & { model?: string }) => {
        const { replaceAnswer } = await import("./actions/describe-answers.ts")
        await replaceAnswer(data, clip, prompt, text, options)
      },
    )
}

function statsCommand(): Command {
  return dataOptions(new Command("stats").description("print statistics of the answers: length, flags, agreement"))
    .option("--json", "print as JSON")
    .action(async (data: string, options: DataOptions & { json?: boolean }) => {
      const { showStats } = await import("./actions/describe-answers.ts")
      await showStats(data, options)
    })
}

function exportCommand(): Command {
  const about = "write the answers to a file, or an annotation task to a folder"
  return questionOptions(new Command("export").description(about))
    .option("-o, --out <file>", "all sound answers, as .jsonl or .csv")
    .option("--task <folder>", "annotation task: numbered strips and a table to fill in, for people or other programs")
    .action(async (data: string, options: QuestionOptions & { out?: string; task?: string }) => {
      const { exportAnswers } = await import("./actions/describe-answers.ts")
      await exportAnswers(data, options)
    })
}

function importCommand(): Command {
  return questionOptions(
    new Command("import").description(
      "import answers: beside the data, or as if the model that is named had given them",
    ),
  )
    .argument("<file>", "JSONL or CSV file (formats: docs/describe.md)")
    .action(async (data: string, file: string, options: QuestionOptions) => {
      const { importFile } = await import("./actions/describe-answers.ts")
      await importFile(data, file, options)
    })
}

function pricesCommand(): Command {
  return new Command("prices")
    .description("print a price file to start from, in US dollars per million tokens")
    .action(async () => {
      const { listPrices } = await import("../describe/cost.ts")
      process.stdout.write(`${JSON.stringify(listPrices, null, 2)}\n`)
    })
}
