/** Recognises the action in videos with an exported bundle. */

import { stat } from "node:fs/promises"
import { plural } from "@fourtier/core"
import type { Recognition } from "@fourtier/core/bundle"
import { FourtierError, PROVIDERS } from "@fourtier/tensor"
import { Recognizer } from "../../deploy/recognizer.ts"
import { terminalTable } from "../../util/table.ts"
import { clipsOfFiles } from "../../video/firstlook.ts"
import type { Clip } from "../../video/manifest.ts"
import { scanSource } from "../../video/source.ts"
import { oneOf } from "./one-of.ts"

export interface PredictOptions {
  top: number
  json?: boolean
  provider: string
  threads?: number
}

interface Unusable {
  path: string
  reason: string
}

/** Prints the guesses for every video; videos that cannot be used are listed after them and make the exit status 1. */
export async function predict(bundle: string, video: string, options: PredictOptions): Promise<void> {
  const { top, json = false, threads } = options
  const provider = oneOf("--provider", options.provider, ["auto", ...PROVIDERS])
  const { clips, unusable } = await clipsAt(video)
  const recognizer = await Recognizer.load(bundle, { provider, threads })
  if (!json) {
    process.stderr.write(`${plural(recognizer.labels.length, "class", "classes")}, running on ${recognizer.provider}\n`)
  }
  const rows: string[][] = []
  try {
    for await (const outcome of recognizer.predictAll(clips, { top })) {
      if ("error" in outcome) unusable.push({ path: outcome.clip.path, reason: outcome.error.message })
      else if (json) process.stdout.write(`${jsonLine(outcome.clip, outcome.recognition)}\n`)
      else rows.push(tableRow(outcome.clip, outcome.recognition))
    }
  } finally {
    await recognizer.release()
  }
  if (rows.length > 0) process.stdout.write(`${terminalTable([{ title: "video" }, { title: "guesses" }], rows)}\n`)
  for (const { path, reason } of unusable) process.stderr.write(`${path}: ${reason}\n`)
  if (unusable.length > 0) process.exitCode = 1
}

/** The clips of a file or folder, and the files that cannot be used. */
async function clipsAt(path: string): Promise<{ clips: Clip[]; unusable: Unusable[] }> {
  const found = await stat(path).catch(() => null)
  if (!found) throw new FourtierError({ where: path, what: "no such file or folder" })
  const files = found.isDirectory() ? [...new Set((await scanSource(path)).clips.map((clip) => clip.path))] : [path]
  if (files.length === 0) throw new FourtierError({ where: path, what: "no videos in this folder" })
  const clips: Clip[] = []
  const unusable: Unusable[] = []
  for await (const found of clipsOfFiles(files)) {
    if ("clip" in found) clips.push(found.clip)
    else if (files.length === 1) throw found.error
    else unusable.push({ path: found.path, reason: found.error.message })
  }
  return { clips, unusable }
}

function jsonLine({ path }: Clip, { top, padded }: Recognition): string {
  return JSON.stringify({ path, top, ...(padded > 0 ? { paddedFrames: padded } : {}) })
}

function tableRow({ path }: Clip, { top }: Recognition): string[] {
  return [path, top.map(({ label, probability }) => `${label} ${(100 * probability).toFixed(1)} %`).join("\n")]
}
