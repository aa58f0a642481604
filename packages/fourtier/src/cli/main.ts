/** The command line: runs what `program.ts` declares, and prints errors. */

import { CommanderError } from "commander"
import pc from "picocolors"
import { throwErrors, withAddresses, withSeparateSettings, withShownPaths } from "./errors.ts"
import { dieBy, STOPPED } from "./interrupt.ts"
import { createProgram } from "./program.ts"

// a reader that has seen enough, such as `head`, is no error
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") process.stderr.write(`${pc.red("error")} standard output: ${error.message}\n`)
  dieBy("SIGTERM")
})

const program = createProgram()
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
