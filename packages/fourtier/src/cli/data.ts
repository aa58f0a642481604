/** `fourtier data <name> <root>`: from a data set of others to a plain table of clips. */

import { Command } from "commander"
import type { DataCommandOptions } from "./actions/data.ts"
import { numberIn, positive } from "./options.ts"

export function dataCommand(): Command {
  return new Command("data")
    .description("read a published data set or another tool's lists, and write a table of the clips that are there")
    .argument("[name]", "what it is: see --list")
    .argument("[root]", "folder with its videos, at any depth; one file where it is one")
    .option("--list", "print the names of all data sets")
    .option("-o, --out <file>", "table to write (default: <name>.csv)")
    .option("--annotations <path...>", "annotation files or folders, if not in <root>; train=<file> names the part")
    .option("--classes <file>", "names of the classes that lists give as numbers, or a label map")
    .option("--whole-videos", "files named by the video alone are whole videos: write start and end")
    .option("--background [label]", "segments: the stretches between them are clips too (default label: none)")
    .option(
      "--windows [seconds]",
      "segments: windows of one length all along each video, labelled by their middle (default: as long as the labels)",
      positive,
    )
    .option("--stride <seconds>", "windows: from one to the next (default: half a window)", positive)
    .option("--frame-rate <fps>", "segments in frames: the rate that the tool counted with", numberIn(0.1, 1000))
    .option("--tier <name>", "segments of ELAN: the tier to take, where there are several")
    .option("--missing <file>", "write the names of the clips that are not there")
    .option("--json", "print the report as JSON")
    .addHelpText("after", "\nLayouts and counts: docs/datasets.md. Other verbs take the table as <data>.")
    .action(async (name: string | undefined, root: string | undefined, options: DataCommandOptions) => {
      const { listDatasets, tableOfDataset } = await import("./actions/data.ts")
      if (options.list === true) listDatasets(options)
      else await tableOfDataset(name, root, options)
    })
}
