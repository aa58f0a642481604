/** `fourtier compare <run…>`: runs side by side, from the files that they wrote. */

import { Command } from "commander"
import type { CompareOptions } from "./actions/compare.ts"
import { gathered } from "./options.ts"

const HELP = `
The others are compared with the first, on the test clips and classes that they
share. What they do not share is said.

Examples:
  fourtier compare runs/a runs/b
  fourtier compare runs/mine --method baseline --method full
  fourtier compare runs/a runs/b --format csv --table classes > classes.csv`

export function compareCommand(): Command {
  return new Command("compare")
    .description("compare runs: figures, paired differences, gains class by class")
    .argument("<run...>", "folders of finished runs")
    .option(
      "--method <name>",
      "method to compare, once for all runs or once for each (default: the one that each run reports on)",
      gathered,
    )
    .option("--split <name>", "compare on this split alone (default: all that they share)")
    .option("--format <form>", "terminal, markdown, csv, latex or json", "terminal")
    .option("--table <name>", "figures, differences or classes (default: all; in CSV: figures)", gathered)
    .option("--charts <folder>", "also draw the gains of the classes, as SVG files")
    .addHelpText("after", HELP)
    .action(async (runs: string[], options: CompareOptions) => {
      const { compare } = await import("./actions/compare.ts")
      await compare(runs, options)
    })
}
