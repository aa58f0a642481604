/** `fourtier doctor <data>`: measures a data set and reports its problems. */

import { Command } from "commander"
import type { DoctorCommandOptions } from "./actions/doctor.ts"
import { DATA, settingsOptions, wholeNumber } from "./options.ts"
import { shardOptions } from "./shard-options.ts"

export function doctorCommand(): Command {
  return shardOptions(settingsOptions(new Command("doctor")), "files")
    .description("measure every video of a data set, write its manifest and report problems")
    .argument("<data>", DATA)
    .option("-o, --out <file>", "manifest to write (default: runs/<data>/manifest.jsonl)")
    .option("--split <column>", "table column that says train, val or test")
    .option("--folds <column>", "table column that numbers the folds")
    .option("--workers <n>", "worker threads (default: one per core)", wholeNumber)
    .option("--json", "print the report as JSON")
    .addHelpText("after", "\nSettings are those of `fourtier run`: the doctor says what it would say.")
    .action(async (data: string, options: DoctorCommandOptions) => {
      const { runDoctor } = await import("./actions/doctor.ts")
      await runDoctor(data, options)
    })
}
