/** The verbs of the command line, put together. Each is declared in a file of its own, which loads what does its work when it is used. */

import { Command } from "commander"
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
import { extractCommand } from "./extract.ts"
import { infoCommand } from "./info.ts"
import { planCommand } from "./plan.ts"
import { predictCommand } from "./predict.ts"
import { puppetsCommand } from "./puppets.ts"
import { reportCommand } from "./report.ts"
import { alignCommand, evaluateCommand, exportCommand, finetuneCommand, runCommand } from "./run.ts"
import { segmentCommand } from "./segment.ts"
import { statusCommand } from "./status.ts"
import { stripsCommand } from "./strips.ts"
import { studioCommand } from "./studio.ts"
import { suggestCommand } from "./suggest.ts"
import { watchCommand } from "./watch.ts"

/** The verbs under the headings of the help. */
const VERBS: Readonly<Record<string, readonly (() => Command)[]>> = {
  "Start here:": [demoCommand, studioCommand, runCommand, predictCommand, segmentCommand, watchCommand],
  "Prepare the data:": [
    dataCommand,
    doctorCommand,
    planCommand,
    stripsCommand,
    describeCommand,
    extractCommand,
    suggestCommand,
  ],
  "Find who does what, where:": [detectionCommand, detectCommand],
  "Run the recipe up to one of its stages:": [alignCommand, finetuneCommand, evaluateCommand, exportCommand],
  "Inspect and measure:": [
    reportCommand,
    statusCommand,
    ablateCommand,
    compareCommand,
    infoCommand,
    cacheCommand,
    benchCommand,
    encodeCommand,
    puppetsCommand,
  ],
}

/** The whole command line, ready to parse arguments. */
export function createProgram(): Command {
  const program = new Command("fourtier").description(description).version(version).enablePositionalOptions()
  program.configureHelp({ minWidthToWrap: 30 })
  for (const [heading, verbs] of Object.entries(VERBS)) {
    program.commandsGroup(heading)
    for (const verb of verbs) program.addCommand(verb())
  }
  return program
}
