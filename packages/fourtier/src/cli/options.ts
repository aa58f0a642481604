/** Options that several verbs share. Verbs are declared without loading what does their work. */

import { type Command, InvalidArgumentError, Option } from "commander"
import { DEFAULT_PRESET, PRESETS } from "../presets.ts"

/** What `<data>` may be. */
export const DATA = "folder with a subfolder per class, folder with tables, or a CSV, TSV or JSONL file"

/** Parses a whole number of at least 1. */
export const wholeNumber = wholeNumberIn(1)

/** A parser of whole numbers between two, both allowed. */
export function wholeNumberIn(least: number, most = Number.MAX_SAFE_INTEGER): (text: string) => number {
  const expected = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`
  return (text) => {
    const value = /^\d+$/.test(text.trim()) ? Number(text) : Number.NaN
    if (value >= least && value <= most) return value
    throw new InvalidArgumentError(`Expected a whole number ${expected}.`)
  }
}

/** A parser of numbers between two, both allowed. */
export function numberIn(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = text.trim() === "" ? Number.NaN : Number(text)
    if (value >= least && value <= most) return value
    throw new InvalidArgumentError(`Expected a number from ${least} to ${most}.`)
  }
}

function numberThat(is: (value: number) => boolean, expected: string): (text: string) => number {
  return (text) => {
    const value = text.trim() === "" ? Number.NaN : Number(text)
    if (Number.isFinite(value) && is(value)) return value
    throw new InvalidArgumentError(`Expected ${expected}.`)
  }
}

export const positive = numberThat((value) => value > 0, "a number above 0")
export const notNegative = numberThat((value) => value >= 0, "a number, 0 or above")
export const probability = numberIn(0, 1)

/** A parser of lists separated by commas. */
export function listOf<T>(parse: (text: string) => T): (text: string) => T[] {
  return (text) => text.split(",").map((item) => parse(item.trim()))
}

/** The values of an option that is given several times. */
export function gathered(value: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), value]
}

/** Adds the options from which settings are read. */
export function settingsOptions(command: Command): Command {
  return command
    .option("-c, --config <file>", "YAML or JSON file with settings (docs/configuration.md)")
    .addOption(
      new Option("--preset <name>", `preset to start from (default: ${DEFAULT_PRESET})`).choices(Object.keys(PRESETS)),
    )
    .option("--set <a.b=c>", "individual settings, one or several, which override all others", gathered)
}

/** Adds all options that `readConfig` reads. */
export function configOptions(command: Command): Command {
  return settingsOptions(command)
    .option("--split <column>", "table column that says train, val or test; several: a,b,c")
    .option("--folds <column>", "table column that numbers the folds")
    .option("--views <grid>", "test views of a clip: temporal clips x crops, such as 4x3")
    .option("--seeds <n>", "number of training runs, each with its own seed", wholeNumber)
    .option("--exclude <class...>", "classes to leave out of a second table of results")
    .option("--alignment <folder>", "take stage 1 from a folder that `fourtier align` has made")
    .option("--answers <file>", "recorded answers of a vision-language model (JSONL or CSV)")
}

/** Options of what finds people. */
export interface DetectorOptions {
  detector?: string
  detectorFormat?: string
  detectorSize?: number
  personClass?: number
}

/**
 * Adds the options that `openNamedDetector` reads.
 * @param otherwise what holds where no detector is named, for the help
 */
export function detectorOptions(command: Command, otherwise = " (default: movenet)"): Command {
  return command
    .option("--detector <name>", `what finds people: movenet, nanodet, or an ONNX file${otherwise}`)
    .option("--detector-format <name>", "how an ONNX file's outputs are read (default: told by their shapes)")
    .option("--detector-size <px>", "side of an ONNX file's picture, where it takes any", wholeNumberIn(32, 8192))
    .option("--person-class <n>", "number of the class person, where it is not the usual one", wholeNumberIn(0))
}
