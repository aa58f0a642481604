#!/usr/bin/env node
/** The command line. Each verb is a file; this one only puts them together and prints errors. */

import { readFileSync } from "node:fs"
import { Command } from "commander"
import pc from "picocolors"
import { z } from "zod"
import { FourtierError } from "../util/errors.ts"
import { doctorCommand } from "./doctor.ts"
import { runCommand } from "./run.ts"
import { stripsCommand } from "./strips.ts"

const manifest = z
  .object({ version: z.string(), description: z.string() })
  .parse(JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")))

const program = new Command("fourtier")
  .description(manifest.description)
  .version(manifest.version)
  .showHelpAfterError("(--help shows all options)")

for (const command of [runCommand(), doctorCommand(), stripsCommand()]) program.addCommand(command)

try {
  await program.parseAsync()
} catch (error) {
  if (error instanceof Error && error.name === "AbortError") {
    process.stderr.write("stopped; the same command goes on from here\n")
    process.exitCode = 130
  } else if (error instanceof FourtierError) {
    process.stderr.write(`${pc.red("error")} ${error.message}\n`)
    process.exitCode = 1
  } else {
    throw error
  }
}
