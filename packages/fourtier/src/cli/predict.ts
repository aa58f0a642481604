/** `fourtier predict <bundle> <video|folder>`: what a video shows, or every video of a folder. */

import { stat } from "node:fs/promises"
import { plural } from "@fourtier/core"
import type { Recognition } from "@fourtier/core/bundle"
import { FourtierError, messageOf, PROVIDERS } from "@fourtier/tensor"
import { Command, Option } from "commander"
import { z } from "zod"
import { Recognizer } from "../deploy/recognizer.ts"
import { terminalTable } from "../util/table.ts"
import { type Clip, clipOfFile, scanSource } from "../video/index.ts"

const optionsSchema = z.object({
  top: z.coerce.number().int().min(1),
  json: z.boolean().default(false),
  provider: z.enum(["auto", ...PROVIDERS]),
  threads: z.coerce.number().int().min(1).optional(),
})

export function predictCommand(): Command {
  return new Command("predict")
    .description("recognise the action in a video, or in every video of a folder")
    .argument("<bundle>", "folder that `run` exported")
    .argument("<video>", "video file, or folder of videos")
    .option("-k, --top <n>", "guesses to show", "3")
    .option("--json", "one line of JSON a clip")
    .addOption(new Option("--provider <name>", "device").choices(["auto", ...PROVIDERS]).default("auto"))
    .option("--threads <n>", "threads of the network (default: one per core)")
    .action(async (folder: string, video: string, given) => {
      const { top, json, provider, threads } = optionsSchema.parse(given)
      const clips = await clipsAt(video)
      const recognizer = await Recognizer.load(folder, { provider, threads })
      if (!json)
        process.stderr.write(`${plural(recognizer.labels.length, "class", "classes")}, on ${recognizer.provider}\n`)
      const rows: string[][] = []
      try {
        for await (const outcome of recognizer.predictAll(clips.good, { top })) {
          if ("error" in outcome) clips.bad.push({ path: outcome.clip.path, reason: outcome.error.message })
          else if (json) process.stdout.write(`${jsonLine(outcome.clip, outcome.recognition)}\n`)
          else rows.push(tableRow(outcome.clip, outcome.recognition))
        }
      } finally {
        await recognizer.release()
      }
      if (rows.length > 0) process.stdout.write(`${terminalTable([{ title: "video" }, { title: "guesses" }], rows)}\n`)
      for (const { path, reason } of clips.bad) process.stderr.write(`${path}: ${reason}\n`)
      if (clips.bad.length > 0) process.exitCode = 1
    })
}

/** The clips of a file or folder, and the files that are none. */
async function clipsAt(path: string): Promise<{ good: Clip[]; bad: { path: string; reason: string }[] }> {
  const found = await stat(path).catch(() => null)
  if (!found) throw new FourtierError({ where: path, what: "no such file or folder" })
  const files = found.isDirectory() ? [...new Set((await scanSource(path)).clips.map((clip) => clip.path))] : [path]
  if (files.length === 0) throw new FourtierError({ where: path, what: "no videos in this folder" })
  const good: Clip[] = []
  const bad: { path: string; reason: string }[] = []
  for (const file of files) {
    try {
      good.push(clipOfFile(file))
    } catch (error) {
      if (files.length === 1) throw error
      bad.push({ path: file, reason: messageOf(error) })
    }
  }
  return { good, bad }
}

function jsonLine({ path }: Clip, { top, padded }: Recognition): string {
  return JSON.stringify({ path, top, ...(padded > 0 ? { paddedFrames: padded } : {}) })
}

function tableRow({ path }: Clip, { top }: Recognition): string[] {
  return [path, top.map(({ label, probability }) => `${label} ${(100 * probability).toFixed(1)} %`).join("\n")]
}
