/** `fourtier suggest <run>`: the clips whose label would teach most. */

import { Command } from "commander"
import { wholeNumber } from "./options.ts"

export const suggestCommand = () =>
  new Command("suggest")
    .description("name the clips without a label whose label would teach most")
    .argument("<run>", "folder of a run on clips of which some have no label")
    .option("-n, --count <n>", "number of clips", wholeNumber, 10)
    .action(async (run: string, options: { count: number }) => {
      const { printSuggestions } = await import("./actions/suggest.ts")
      await printSuggestions(run, options.count)
    })
