/** `fourtier cache`: what is kept for all runs, how large it is, and how to be rid of it. */

import { Command, InvalidArgumentError } from "commander"
import type { ClearOptions } from "./actions/cache-clear.ts"
import { CACHE_KINDS } from "./cache-kinds.ts"
import { settingsOptions } from "./options.ts"

/** The command with its subcommands; `list` is the default. */
export function cacheCommand(): Command {
  const command = new Command("cache")
    .description("show what is cached for all runs; remove some of it; take over an older cache")
    .configureHelp({ subcommandTerm: (sub) => sub.name() })
    .addHelpText("after", "\nWhere it is and what each kind holds: docs/cache.md")
  command.addCommand(listCommand(), { isDefault: true })
  return command.addCommand(clearCommand()).addCommand(moveCommand()).addCommand(mergeCommand())
}

function listCommand(): Command {
  return settingsOptions(new Command("list").description("print each kind with its size and last use"))
    .option("--json", "print as JSON")
    .action(async (options: { json?: boolean }) => {
      const { listCache } = await import("./actions/cache.ts")
      await listCache(options)
    })
}

function clearCommand(): Command {
  return settingsOptions(new Command("clear").description("remove what is cached of some kinds"))
    .argument("<kind...>", CACHE_KINDS.join(", "))
    .option("--older-than <age>", "only what has not been used for so long: 12h, 30d, 4w", age)
    .option("--paid", "allow to remove answers: they were paid for, or written by people")
    .option("-y, --yes", "do not ask")
    .action(async (kinds: string[], options: ClearOptions) => {
      const { clearCache } = await import("./actions/cache-clear.ts")
      await clearCache(kinds, options)
    })
}

function moveCommand(): Command {
  return settingsOptions(new Command("move").description("take over the cache of an earlier version"))
    .argument("[folder]", "the older cache", ".fourtier")
    .action(async (folder: string, options: unknown) => {
      const { moveCache } = await import("./actions/cache-move.ts")
      await moveCache(folder, options)
    })
}

function mergeCommand(): Command {
  return settingsOptions(
    new Command("merge").description("make one of the shards and files that many workers have written"),
  ).action(async (options: unknown) => {
    const { mergeCache } = await import("./actions/cache-merge.ts")
    await mergeCache(options)
  })
}

const HOURS: Readonly<Record<string, number>> = { h: 1, d: 24, w: 7 * 24 }

/** Milliseconds. */
function age(text: string): number {
  const [, count, unit] = /^(\d+)\s*([hdw])$/.exec(text.trim()) ?? []
  if (count === undefined) throw new InvalidArgumentError("Expected an age such as 12h, 30d or 4w.")
  return Number(count) * HOURS[unit] * 3_600_000
}
