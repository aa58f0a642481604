/** Renders clips of jointed figures, one or several in each, long takes, or a contact sheet. */

import { join } from "node:path"
import { terminalReporter } from "@fourtier/core/node"
import { oneOf } from "./one-of.ts"
import { loadPuppets } from "./puppets-package.ts"

export interface RenderOptions {
  clips?: number
  classes: string
  seed: number
  out: string
  workers?: number
}

/** Renders the clips and prints the path of their manifest. */
export async function renderPuppets({ clips, classes, seed, out, workers }: RenderOptions): Promise<void> {
  const { countsFor, demoCounts, generatePuppets, parseClasses } = await loadPuppets("fourtier puppets")
  const actions = parseClasses(classes)
  const counts = clips === undefined ? demoCounts : countsFor(clips, actions.length)
  const threads = workers === undefined ? {} : { workers }
  const { manifest } = await generatePuppets({ classes: actions, counts, seed, out, ...threads }, terminalReporter())
  process.stdout.write(`${manifest}\n`)
}

export interface CompanyRenderOptions {
  videos?: number
  classes: string
  seed: number
  out: string
  workers?: number
}

/** Renders videos of several figures and prints the path of their annotations. */
export async function renderCompany({ videos, classes, seed, out, workers }: CompanyRenderOptions): Promise<void> {
  const { companyCounts, companyCountsFor, generateAvaSet, parseClasses } =
    await loadPuppets("fourtier puppets company")
  const counts = videos === undefined ? companyCounts : companyCountsFor(videos)
  const threads = workers === undefined ? {} : { workers }
  await generateAvaSet({ classes: parseClasses(classes), counts, seed, out, ...threads }, terminalReporter())
  process.stdout.write(`${join(out, "annotations")}\n`)
}

export interface TakeRenderOptions {
  takes?: number
  classes: string
  seed: number
  out: string
  workers?: number
}

/** Renders long takes and prints the path of their spans. */
export async function renderTakes({ takes, classes, seed, out, workers }: TakeRenderOptions): Promise<void> {
  const { takeCounts, takeCountsFor, generateTakes, parseClasses } = await loadPuppets("fourtier puppets takes")
  const counts = takes === undefined ? takeCounts : takeCountsFor(takes)
  const threads = workers === undefined ? {} : { workers }
  await generateTakes({ classes: parseClasses(classes), counts, seed, out, ...threads }, terminalReporter())
  process.stdout.write(`${join(out, "segments.csv")}\n`)
}

export interface SheetOptions {
  classes: string
  split: string
  each: number
  frames: number
  seed: number
}

/** Draws key frames of the first clips of each class into one picture. */
export async function writeContactSheet(png: string, options: SheetOptions): Promise<void> {
  const { parseClasses, planClips, splitNames, writeSheet } = await loadPuppets("fourtier puppets sheet")
  const split = oneOf("--split", options.split, splitNames)
  const counts = { train: 0, test: 0, "test-shift": 0, [split]: options.each }
  const clips = planClips({ classes: parseClasses(options.classes), counts, seed: options.seed })
  const { width, height } = await writeSheet(png, clips, options.frames)
  process.stdout.write(`${png}: ${clips.length} clips, ${width}×${height} pixels\n`)
}
