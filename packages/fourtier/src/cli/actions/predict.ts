/** Recognises the action in videos with an exported bundle. */

import { resolve } from "node:path"
import { csvLine, plural } from "@fourtier/core"
import type { Recognition } from "@fourtier/core/bundle"
import { parseViewGrid } from "@fourtier/core/frames"
import { terminalReporter } from "@fourtier/core/node"
import { FourtierError, PROVIDERS } from "@fourtier/tensor"
import { readBundle } from "../../deploy/folder.ts"
import { Recognizer } from "../../deploy/recognizer.ts"
import { terminalTable } from "../../util/table.ts"
import { filesAt, lookThrough, shown } from "./files.ts"
import { oneOf } from "./one-of.ts"

export interface PredictOptions {
  top: number
  json?: boolean
  csv?: boolean
  provider: string
  views?: string
  workers?: number
  threads?: number
}

/** Prints the guesses for every video; videos that cannot be used are listed after them and make the exit status 1. */
export async function predict(bundle: string, videos: readonly string[], options: PredictOptions): Promise<void> {
  const { top, json = false, csv = false, threads, workers } = options
  if (json && csv) throw new FourtierError({ where: "--json, --csv", what: "one of them alone", fix: "leave one out" })
  const provider = oneOf("--provider", options.provider, ["auto", ...PROVIDERS])
  const views = options.views === undefined ? undefined : parseViewGrid(options.views, "--views")
  await readBundle(bundle) // what is no bundle is told before any video is looked into
  const files = await filesAt(videos)
  const given = new Map(files.map((file) => [resolve(file), file]))
  const { clips, unusable } = await lookThrough(files, workers)
  const recognizer = await Recognizer.load(bundle, { provider, threads, workers, views })
  const { labels } = recognizer
  if (!json && !csv) {
    process.stderr.write(`${plural(labels.length, "class", "classes")}, running on ${recognizer.provider}\n`)
  }
  const guesses = Math.min(top, labels.length)
  const mayBeUnknown = recognizer.bundle.unknown !== null
  if (csv) process.stdout.write(csvHeader(guesses, mayBeUnknown))
  // lines that appear on the terminal one by one show the progress themselves
  const quiet = clips.length < 2 || ((json || csv) && process.stdout.isTTY === true)
  const task = quiet ? null : terminalReporter().task("recognise", clips.length, "videos")
  const rows: string[][] = []
  let recognised = 0
  try {
    for await (const outcome of recognizer.predictAll(clips, { top: guesses })) {
      const path = shown(given.get(outcome.clip.path) ?? outcome.clip.path)
      if ("error" in outcome) unusable.push(outcome.error.message)
      else if (json) process.stdout.write(`${jsonLine(path, outcome.recognition, mayBeUnknown)}\n`)
      else if (csv) process.stdout.write(csvRow(path, outcome.recognition, mayBeUnknown))
      else rows.push([path, guessesOf(outcome.recognition)])
      if ("recognition" in outcome) recognised++
      task?.tick()
    }
  } finally {
    await recognizer.release()
  }
  task?.done(plural(recognised, "video"))
  if (rows.length > 0) process.stdout.write(`${terminalTable([{ title: "video" }, { title: "guesses" }], rows)}\n`)
  for (const reason of unusable) process.stderr.write(`${reason}\n`)
  if (unusable.length > 0) process.exitCode = 1
}

/** @param mayBeUnknown whether the bundle has a threshold of unknown */
function jsonLine(path: string, { top, unknown, padded }: Recognition, mayBeUnknown: boolean): string {
  return JSON.stringify({
    path,
    top,
    ...(mayBeUnknown ? { unknown } : {}),
    ...(padded > 0 ? { paddedFrames: padded } : {}),
  })
}

function csvHeader(guesses: number, mayBeUnknown: boolean): string {
  const columns = Array.from({ length: guesses }, (_, i) => (i === 0 ? "" : `_${i + 1}`))
  const named = columns.flatMap((end) => [`label${end}`, `probability${end}`])
  return csvLine(["path", ...named, ...(mayBeUnknown ? ["unknown"] : [])])
}

function csvRow(path: string, { top, unknown }: Recognition, mayBeUnknown: boolean): string {
  const named = top.flatMap(({ label, probability }) => [label, Number(probability.toFixed(6))])
  return csvLine([path, ...named, ...(mayBeUnknown ? [String(unknown)] : [])])
}

function guessesOf({ top, unknown }: Recognition): string {
  const lines = top.map(({ label, probability }) => `${label} ${(100 * probability).toFixed(1)} %`)
  return [...(unknown ? ["unknown, nearest:"] : []), ...lines].join("\n")
}
