/**
 * `fourtier run <data>`: the whole recipe; and its stages as verbs, each of which first does what is missing of the stages
 * before it, and leaves its own result for the next.
 */

import { Command } from "commander"
import type { Until } from "../recipe.ts"
import { configOptions, DATA } from "./options.ts"

export const runCommand = () =>
  recipeCommand("run", "train, evaluate and export a recogniser: the whole recipe", "export")

export const alignCommand = () =>
  configOptions(
    new Command("align")
      .description("stage 1, once for any number of data sets: align the processors with the answers about their clips")
      .argument("<data...>", `${DATA}; each with answers`)
      .option("-o, --out <folder>", "folder of the alignment", "runs/alignment"),
  )
    .addHelpText("after", "\nLabels are not needed. Use it: fourtier run <data> --alignment <folder>")
    .action(async (data: string[], options: { out: string }) => {
      const { runAlign } = await import("./actions/align.ts")
      await runAlign(data, options)
    })

export const finetuneCommand = () =>
  stageCommand("finetune", "stage 2: train integration and classifier on the labels; also trains the baselines")

export const evaluateCommand = () => stageCommand("evaluate", "test all methods on the same clips and write the report")

export const exportCommand = () =>
  stageCommand("export", "write the bundle and check that it predicts what the trained model predicts")

const EARLIER = "\nEarlier stages run first where their results are missing."

function stageCommand(stage: Until, description: string): Command {
  return recipeCommand(stage, description, stage).addHelpText("after", EARLIER)
}

function recipeCommand(name: string, description: string, until: Until): Command {
  const command = new Command(name)
    .description(description)
    .argument("<data>", DATA)
    .option("-o, --out <folder>", "folder of the run (default: runs/<data>)")
  return configOptions(command).action(async (data: string, options: { out?: string }) => {
    const { runUntil } = await import("./actions/run.ts")
    await runUntil(until, data, options)
  })
}
