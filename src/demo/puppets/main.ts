#!/usr/bin/env node
/** `npm run puppets`. */

import { FourtierError } from "../../util/errors.ts"
import { puppetsCommand } from "./command.ts"

try {
  await puppetsCommand().parseAsync()
} catch (error) {
  if (!(error instanceof FourtierError)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 1
}
