/** `fourtier status`: how far shared work is, and what failed. */

import { Command } from "commander"
import { settingsOptions } from "./options.ts"

export const statusCommand = () =>
  settingsOptions(
    new Command("status")
      .description("show how far work is that several processes or machines share")
      .argument("[folder]", "folder of a run or of one piece of work (default: the cache)"),
  )
    .option("--json", "print as JSON")
    .option("--all", "also what is complete")
    .action(async (folder: string | undefined, options: { json?: boolean; all?: boolean }) => {
      const { showStatus } = await import("./actions/status.ts")
      await showStatus(folder, options)
    })
