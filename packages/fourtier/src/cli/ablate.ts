/** `fourtier ablate <what> <data>`: cells of settings side by side. */

import { Command, InvalidArgumentError } from "commander"
import type { AblateOptions } from "./actions/ablate.ts"
import { configOptions, DATA, listOf } from "./options.ts"
import { shardOptions } from "./shard-options.ts"

export function ablateCommand(): Command {
  const command = configOptions(
    new Command("ablate")
      .description("compare settings cell by cell, as in the paper's ablations, or as a file of your own says")
      .argument("<what>", "prompts, keyframes, vlm, encoder, switches, or a YAML file of cells")
      .argument("<data>", DATA)
      .option("-o, --out <folder>", "folder of cells and tables (default: runs/<data>-<what>)")
      .option(
        "--labels-per-class <list>",
        "labels per class, each in columns of its own, such as all,1 (default: as configured)",
        listOf(labels),
      )
      .option("--control", "also train every cell with shuffled answers")
      .option("--show", "print the cells as YAML, to start a file from, and run nothing"),
  )
  return shardOptions(command, "cells")
    .addHelpText("after", HELP)
    .action(async (what: string, data: string, options: AblateOptions) => {
      const { ablate } = await import("./actions/ablate.ts")
      await ablate(what, data, options)
    })
}

function labels(text: string): number | null {
  if (text === "all") return null
  if (/^\d+$/.test(text)) return Number(text)
  throw new InvalidArgumentError("Expected numbers or all, separated by commas.")
}

const HELP = `
prompts    every combination of the prompts; none: the baseline (Table 7)
keyframes  strips of 1, 3, 5 and 7 key frames (Table C5)
vlm        recorded answers beside the clips, and the configured VLM (Table 5)
encoder    encoders with and without the prompts (Table 6)
switches   every switch of the network and of stage 1, one at a time

Cells that are done are not run again. Nothing is asked of any VLM: a cell
without answers is named below the table, with the command that asks for them.
Files: ablation.json with all cells, ablation.md, .csv and .tex.`
