/** `fourtier studio [data]`: from a webcam and a folder of clips to a working recogniser, in a page that this machine serves. */

import { Command } from "commander"
import { configOptions, DATA, positive, wholeNumberIn } from "./options.ts"

/** As `actions/studio.ts` reads them. */
interface StudioOptions {
  out?: string
  port: number
  host?: string
  maxUpload: number
}

export function studioCommand(): Command {
  const command = new Command("studio")
    .description("record, label, train and use a recogniser in a page in the browser, served from this machine")
    .argument("[data]", `${DATA}; a folder is made where none is (default: clips)`)
    .option("-o, --out <folder>", "folder of the run (default: runs/<name of data>)")
    .option("--port <n>", "port; 0: any that is free", wholeNumberIn(0, 65535), 0)
    .option("--host <address>", "address to listen on, for other machines too (default: 127.0.0.1)")
    .option("--max-upload <gb>", "size of one uploaded file, at most", positive, 4)
    .addHelpText(
      "after",
      `
Open the address that it prints: whoever has it sees the clips, changes
labels and trains. --host opens the studio to a network, where the address
and all clips travel unencrypted. Labels are kept in the data's own table,
so that fourtier run <data> reads the same. More: docs/studio.md.`,
    )
  return configOptions(command).action(async (data: string | undefined, options: StudioOptions) => {
    const { runStudio } = await import("./actions/studio.ts")
    await runStudio(data ?? "clips", options)
  })
}
