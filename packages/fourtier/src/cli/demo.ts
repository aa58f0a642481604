/** `fourtier demo`: the whole method on rendered clips. */

import { join } from "node:path"
import { Command } from "commander"
import type { DemoOptions } from "./actions/demo.ts"
import { gathered, wholeNumber } from "./options.ts"

export function demoCommand(): Command {
  return new Command("demo")
    .description("try the whole method on rendered clips: about five minutes on two cores, nothing to download")
    .option("-o, --out <folder>", "folder of the clips, the features and the runs", join("runs", "demo"))
    .option("--seeds <n>", "number of training runs, each with its own seed", wholeNumber, 1)
    .option("--set <a.b=c>", "individual settings, one or several, which override all others", gathered)
    .action(async (options: DemoOptions) => {
      const { runDemo } = await import("./actions/demo.ts")
      await runDemo(options)
    })
}
