/** `fourtier puppets`: the rendered clips, or a contact sheet of them. */

import { join } from "node:path"
import { Command } from "commander"
import type { CompanyRenderOptions, RenderOptions, SheetOptions, TakeRenderOptions } from "./actions/puppets.ts"
import { wholeNumber, wholeNumberIn } from "./options.ts"

export function puppetsCommand(): Command {
  return new Command("puppets")
    .enablePositionalOptions()
    .description("render labelled clips of jointed figures")
    .option("--clips <n>", "total number of clips (default: 31 per class: 15 + 8 + 8)", wholeNumber)
    .option("--classes <list>", "all, demo, or names of actions separated by commas", "demo")
    .option("--seed <n>", "the same seed gives the same clips", wholeNumberIn(0), 1)
    .option("-o, --out <folder>", "where to write the clips", join("runs", "puppets"))
    .option("--workers <n>", "worker threads (default: one per core)", wholeNumber)
    .addHelpText("after", PARTS)
    .action(async (options: RenderOptions) => {
      const { renderPuppets } = await import("./actions/puppets.ts")
      await renderPuppets(options)
    })
    .addCommand(sheetCommand())
    .addCommand(companyCommand())
    .addCommand(takesCommand())
}

const PARTS = `
The clips have three parts. train: for training; test: other people and cameras;
test-shift: also other scenes, so that the place does not give the action away.`

function sheetCommand(): Command {
  return new Command("sheet")
    .description("write a PNG with key frames of a few clips per class")
    .argument("<png>", "file to write")
    .option("--classes <list>", "all, demo, or names of actions separated by commas", "demo")
    .option("--split <name>", "train, test or test-shift", "train")
    .option("--each <n>", "clips per class", wholeNumber, 1)
    .option("--frames <n>", "key frames per clip", wholeNumber, 5)
    .option("--seed <n>", "seed of the clips", wholeNumberIn(0), 1)
    .action(async (png: string, options: SheetOptions) => {
      const { writeContactSheet } = await import("./actions/puppets.ts")
      await writeContactSheet(png, options)
    })
}

function companyCommand(): Command {
  return new Command("company")
    .description("render videos of several figures at once, with AVA's annotations")
    .option("--videos <n>", "total number of videos (default: 120 + 40 + 40)", wholeNumber)
    .option("--classes <list>", "all, demo, or names of actions separated by commas", "demo")
    .option("--seed <n>", "the same seed gives the same videos", wholeNumberIn(0), 1)
    .option("-o, --out <folder>", "where to write the set", join("runs", "company"))
    .option("--workers <n>", "worker threads (default: one per core)", wholeNumber)
    .addHelpText("after", COMPANY)
    .action(async (options: CompanyRenderOptions) => {
      const { renderCompany } = await import("./actions/puppets.ts")
      await renderCompany(options)
    })
}

const COMPANY = `
Two to four figures in each video do different things. The set is laid out as
AVA is: videos, and annotations of the parts train, val (other people and
cameras) and shift (also other scenes). tracks.csv has the box of every figure
in every frame.`

function takesCommand(): Command {
  return new Command("takes")
    .description("render long takes: one figure, many actions in a row")
    .option("--takes <n>", "total number of takes (default: 24 + 12 + 12)", wholeNumber)
    .option("--classes <list>", "all, demo, or names of actions separated by commas", "demo")
    .option("--seed <n>", "the same seed gives the same takes", wholeNumberIn(0), 1)
    .option("-o, --out <folder>", "where to write the set", join("runs", "takes"))
    .option("--workers <n>", "worker threads (default: one per core)", wholeNumber)
    .addHelpText("after", TAKES)
    .action(async (options: TakeRenderOptions) => {
      const { renderTakes } = await import("./actions/puppets.ts")
      await renderTakes(options)
    })
}

const TAKES = `
In each take of a minute or two, one figure does six to twelve actions. Before
and between them it stands, makes small gestures, walks to another place, and
does things that are none of the classes. Parts: train, test (other people and
cameras), test-shift (also other scenes). segments.csv and activitynet.json
say what happens from when to when; others.csv what else is done.`
