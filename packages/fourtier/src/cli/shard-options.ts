/** Options of verbs whose work several processes or machines can share. */

import type { Command } from "commander"
import { wholeNumber } from "./options.ts"

export interface ShardOptions {
  shard?: string
  steal?: boolean
  block?: number
}

/** @param unit what the verb's work consists of, in the plural */
export function shardOptions(command: Command, unit = "clips"): Command {
  command
    .option(
      "--shard <i/n>",
      "do part i of n; auto: as a Slurm array, a Kubernetes index or MPI says; none: do all (default: auto)",
    )
    .option("--steal", `share the work with all that run this with the same cache: take ${unit} that nobody has taken`)
  return unit === "cells"
    ? command
    : command.option("--block <n>", `${unit} that are taken at once (default: 64)`, wholeNumber)
}
