/** The `puppets` command: makes the rendered clip set, or a contact sheet of it. */

import { terminalReporter } from "@fourtier/core/node"
import {
  countsFor,
  demoCounts,
  generatePuppets,
  parseClasses,
  planClips,
  type SplitName,
  splitNames,
  writeSheet,
} from "@fourtier/puppets"
import { Command, InvalidArgumentError } from "commander"

function whole(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError("expected a whole number, 0 or more")
  return value
}

function split(text: string): SplitName {
  const found = splitNames.find((name) => name === text)
  if (!found) throw new InvalidArgumentError(`expected one of ${splitNames.join(", ")}`)
  return found
}

/** Renders clips, or a sheet of them, as the arguments say. */
export function puppetsCommand(): Command {
  const command = new Command("puppets")
    .enablePositionalOptions()
    .description("render labelled clips of jointed figures: train, test, and a test part that breaks the scenes' hints")
    .option("--clips <n>", "clips in all (default: 15 + 8 + 8 of each class)", whole)
    .option("--classes <list>", "all, demo, or action names between commas", "demo")
    .option("--seed <n>", "equal seeds give equal clips", whole, 1)
    .option("-o, --out <folder>", "where the clips go", "runs/puppets")
    .option("--workers <n>", "threads (default: all cores)", whole)
    .action(async (options: { clips?: number; classes: string; seed: number; out: string; workers?: number }) => {
      const classes = parseClasses(options.classes)
      const counts = options.clips === undefined ? demoCounts : countsFor(options.clips, classes.length)
      const threads = options.workers === undefined ? {} : { workers: options.workers }
      const set = { classes, counts, seed: options.seed, out: options.out, ...threads }
      const { manifest } = await generatePuppets(set, terminalReporter())
      process.stdout.write(`${manifest}\n`)
    })
  command
    .command("sheet")
    .description("write a PNG with the key frames of a few clips of each class")
    .argument("<png>", "file to write")
    .option("--classes <list>", "all, demo, or action names between commas", "demo")
    .option("--split <name>", "train, test or test-shift", split, "train")
    .option("--each <n>", "clips of each class", whole, 1)
    .option("--frames <n>", "key frames a clip", whole, 5)
    .option("--seed <n>", "seed of the set", whole, 1)
    .action(
      async (
        png: string,
        options: { classes: string; split: SplitName; each: number; frames: number; seed: number },
      ) => {
        const counts = { train: 0, test: 0, "test-shift": 0, [options.split]: options.each }
        const clips = planClips({ classes: parseClasses(options.classes), counts, seed: options.seed })
        const { width, height } = await writeSheet(png, clips, options.frames)
        process.stdout.write(`${png}: ${clips.length} clips, ${width}x${height}\n`)
      },
    )
  return command
}
