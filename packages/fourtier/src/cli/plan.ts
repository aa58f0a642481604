/** `fourtier plan`: what a run takes, before anything is computed. */

import { Command, Option } from "commander"
import type { PlanOptions } from "./actions/plan.ts"
import { configOptions, positive, wholeNumber } from "./options.ts"

export function planCommand(): Command {
  return configOptions(
    new Command("plan")
      .description("clips, answers, money, hours, disk and network of a run, on paper")
      .argument("<data>", "a published data set by name (fourtier data --list), a manifest, a table or a folder")
      .option("--machines <n>", "machines that share the work", wholeNumber, 1)
      .option("--cores <n>", "cores of each (default: those of this machine)", wholeNumber)
      .option("--vlm <model>", "model that answers, for its price (fourtier describe prices)")
      .option("--prices <file>", "price file")
      .addOption(
        new Option("--ask <how>", "as for `fourtier describe`").choices(["separate", "together"]).default("separate"),
      )
      .option("--batch-api", "answers by batch files, at half the price")
      .option("--rpm <n>", "requests a minute that the server takes", positive)
      .option("--bench <file>", "what `fourtier bench encoder --json` has measured of this encoder")
      .option("--gflops <n>", "speed of one core in a matrix product (default: measured)", positive)
      .option("--network <gbit>", "between machines, in Gbit/s", positive, 10)
      .option("--latency <us>", "of a message between machines, in microseconds", positive, 50)
      .option("--json", "print the plan as JSON"),
  )
    .addHelpText("after", HELP)
    .action(async (data: string, options: PlanOptions) => {
      const { printPlan } = await import("./actions/plan.ts")
      await printPlan(data, options)
    })
}

const HELP = `
Nothing is decoded, encoded or sent: a matrix product is timed for a second,
and docs/scale.md says how hours follow from it. Probes are left out, as they
take little.

Examples:
  fourtier plan kinetics710 --machines 16 --vlm gpt-4o-mini --preset paper \\
    --set 'encoder={kind: uniformerv2, model: B/16, checkpoint: random}'
  fourtier plan runs/clips/manifest.jsonl --machines 4 --json`
