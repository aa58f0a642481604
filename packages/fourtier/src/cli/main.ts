/**
 * The command line. Each verb is declared in a file of its own, which loads what does its work (`actions/`) only when the
 * verb is used. This file puts them together and prints errors.
 */

import { Command, CommanderError } from "commander"
import pc from "picocolors"
import { description, version } from "../util/version.ts"
import { ablateCommand } from "./ablate.ts"
import { benchCommand } from "./bench.ts"
import { cacheCommand } from "./cache.ts"
import { compareCommand } from "./compare.ts"
import { dataCommand } from "./data.ts"
import { demoCommand } from "./demo.ts"
import { describeCommand } from "./describe.ts"
import { detectCommand } from "./detect.ts"
import { detectionCommand } from "./detection.ts"
import { doctorCommand } from "./doctor.ts"
import { encodeCommand } from "./encode.ts"
import { throwErrors, withAddresses, withSeparateSettings, withShownPaths } from "./errors.ts"
import { extractCommand } from "./extract.ts"
import { infoCommand } from "./info.ts"
import { dieBy, STOPPED } from "./interrupt.ts"
import { predictCommand } from "./predict.ts"
import { puppetsCommand } from "./puppets.ts"
import { reportCommand } from "./report.ts"
import { alignCommand, evaluateCommand, exportCommand, finetuneCommand, runCommand } from "./run.ts"
import { segmentCommand } from "./segment.ts"
import { stripsCommand } from "./strips.ts"
import { suggestCommand } from "./suggest.ts"
import { watchCommand } from "./watch.ts"

/** The verbs under the headings of the help. */
const VERBS: Readonly<Record<string, readonly (() => Command)[]>> = {
  "Start here:": [demoCommand, runCommand, predictCommand, segmentCommand, watchCommand],
  "Prepare the data:": [dataCommand, doctorCommand, stripsCommand, describeCommand, extractCommand, suggestCommand],
  "Find who does what, where:": [detectionCommand, detectCommand],
  "Run the recipe up to one of its stages:": [alignCommand, finetuneCommand, evaluateCommand, exportCommand],
  "Inspect and measure:": [
    reportCommand,
    ablateCommand,
    compareCommand,
    infoCommand,
    cacheCommand,
    benchCommand,
    encodeCommand,
    puppetsCommand,
  ],
}

const program = new Command("fourtier").description(description).version(version).enablePositionalOptions()
program.configureHelp({ minWidthToWrap: 30 })

for (const [heading, verbs] of Object.entries(VERBS)) {
  program.commandsGroup(heading)
  for (const verb of verbs) program.addCommand(verb())
}

// a reader that has seen enough, such as `head`, is no error
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") process.stderr.write(`${pc.red("error")} standard output: ${error.message}\n`)
  dieBy("SIGTERM")
})

throwErrors(program)
const args = withSeparateSettings(process.argv.slice(2))
try {
  await program.parseAsync(args, { from: "user" })
} catch (error) {
  if (!(error instanceof Error)) throw error
  if (error instanceof CommanderError) {
    // without a verb the help is shown, and all that there is to say
    if (error.code === "commander.help") process.exitCode = 1
    else if (error.exitCode !== 0) {
      const { complaintOfParser } = await import("./parser-errors.ts")
      await print(complaintOfParser(error, args))
    }
  } else if (error.name === "AbortError") {
    process.stderr.write(`${STOPPED}\n`)
    process.exitCode = 130
  } else if (error.name === "FourtierError" || isSystemError(error)) await print(error)
  else throw error
}

async function print({ message }: Error): Promise<void> {
  const text = `${pc.red("error")} ${withAddresses(withShownPaths(message))}`
  const { isTTY, columns } = process.stderr
  const shown = isTTY ? (await import("@fourtier/core/node")).folded(text, columns) : text
  process.stderr.write(`${shown}\n`)
  process.exitCode = 1
}

/** An error of the operating system: a full disk, a file without permission. */
function isSystemError(error: Error): boolean {
  return "syscall" in error
}
