#!/usr/bin/env node

/** The command line. Each verb is a file; this one only puts them together and prints errors. */

import { FourtierError } from "@fourtier/tensor"
import { Command } from "commander"
import pc from "picocolors"
import { description, version } from "../util/version.ts"
import { benchCommand } from "./bench.ts"
import { demoCommand } from "./demo.ts"
import { describeCommand } from "./describe.ts"
import { doctorCommand } from "./doctor.ts"
import { encodeCommand } from "./encode.ts"
import { extractCommand } from "./extract.ts"
import { infoCommand } from "./info.ts"
import { predictCommand } from "./predict.ts"
import { puppetsCommand } from "./puppets.ts"
import { alignCommand, evaluateCommand, exportCommand, finetuneCommand, runCommand } from "./run.ts"
import { dieBy } from "./shared.ts"
import { stripsCommand } from "./strips.ts"

const program = new Command("fourtier")
  .description(description)
  .version(version)
  .enablePositionalOptions()
  .showHelpAfterError("(--help shows all options)")

const verbs = [
  runCommand,
  predictCommand,
  demoCommand,
  doctorCommand,
  stripsCommand,
  describeCommand,
  extractCommand,
  alignCommand,
  finetuneCommand,
  evaluateCommand,
  exportCommand,
  encodeCommand,
  infoCommand,
  benchCommand,
  puppetsCommand,
]
for (const verb of verbs) program.addCommand(verb())

// a reader that has seen enough, such as `head`, is no error
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") process.stderr.write(`${pc.red("error")} standard output: ${error.message}\n`)
  dieBy("SIGTERM")
})

try {
  await program.parseAsync()
} catch (error) {
  if (error instanceof Error && error.name === "AbortError") {
    process.stderr.write("stopped; the same command goes on from here\n")
    process.exitCode = 130
  } else if (error instanceof FourtierError || isSystemError(error)) {
    process.stderr.write(`${pc.red("error")} ${error.message}\n`)
    process.exitCode = 1
  } else {
    throw error
  }
}

/** An error of the operating system: a full disk, a file without permission. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "syscall" in error
}
