/** Finds the actions in long videos with an exported bundle. */

import { existsSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { basename, dirname, join, relative, resolve } from "node:path"
import { plural, type Task } from "@fourtier/core"
import type { FrameRecognizer } from "@fourtier/core/bundle"
import { terminalReporter } from "@fourtier/core/node"
import { FourtierError, PROVIDERS } from "@fourtier/tensor"
import { hashJson, readJson, writeFileAtomic, writeJson } from "@fourtier/tensor/node"
import { z } from "zod"
import { bundlePath } from "../../deploy/folder.ts"
import { type SegmentOptions, segmentVideo } from "../../deploy/segment.ts"
import { loadForStream } from "../../deploy/stream.ts"
import { fileNamed } from "../../util/file-name.ts"
import { withFolderLock } from "../../util/lock.ts"
import { terminalTable } from "../../util/table.ts"
import type { Clip } from "../../video/manifest.ts"
import { interruptible } from "../interrupt.ts"
import { filesAt, lookThrough, shown } from "./files.ts"
import { oneOf } from "./one-of.ts"
import {
  activityNet,
  CSV_HEADER,
  csvRows,
  jsonLines,
  percent,
  subRip,
  type VideoSpans,
  webVtt,
} from "./segment-formats.ts"

export interface SegmentCommandOptions
  extends Pick<SegmentOptions, "window" | "step" | "threshold" | "least" | "switching"> {
  out?: string
  json?: boolean
  csv?: boolean
  provider: string
  threads?: number
}

/** Prints the spans of every video; those that cannot be used are listed after them and make the exit status 1. */
export async function segment(
  bundle: string,
  videos: readonly string[],
  options: SegmentCommandOptions,
): Promise<void> {
  const { json = false, csv = false, out } = options
  if (json && csv) throw new FourtierError({ where: "--json, --csv", what: "one of them alone", fix: "leave one out" })
  const provider = oneOf("--provider", options.provider, ["auto", ...PROVIDERS])
  const files = await filesAt(videos)
  const { clips, unusable } = await lookThrough(files)
  const recognizer = await loadForStream(bundle, { provider, threads: options.threads })
  const work = (signal: AbortSignal) => segmentAll({ recognizer, bundle, clips, unusable, options, signal })
  try {
    const found = await interruptible((signal) => (out ? withFolderLock(out, () => work(signal)) : work(signal)))
    if (!json && !csv) printTable(found)
  } finally {
    await recognizer.release()
  }
  for (const reason of unusable) process.stderr.write(`${reason}\n`)
  if (unusable.length > 0) process.exitCode = 1
}

interface Work {
  recognizer: FrameRecognizer
  bundle: string
  clips: readonly Clip[]
  /** What cannot be segmented is added. */
  unusable: string[]
  options: SegmentCommandOptions
  signal: AbortSignal
}

async function segmentAll({ recognizer, bundle, clips, unusable, options, signal }: Work): Promise<VideoSpans[]> {
  const { out, json, csv, window, step, threshold, least, switching } = options
  const settings = { window, step, threshold, least, switching }
  const described = await readFile(bundlePath(bundle), "utf8")
  const root = commonFolder(clips.map(({ path }) => dirname(path)))
  const seconds = clips.reduce((sum, { duration }) => sum + Math.round(duration), 0)
  const task = terminalReporter().task("segment", seconds, "s of video")
  if (csv) process.stdout.write(CSV_HEADER)
  const found: VideoSpans[] = []
  let again = 0
  for (const { path, duration, hash } of clips) {
    const name = relative(root, path).replaceAll("\\", "/")
    const record = out && join(out, fileNamed(name, ".json"))
    const key = hashJson([described, hash, Object.entries(settings).map(([k, value]) => [k, value ?? null])])
    const known = record ? await readRecord(record, key) : null
    if (known) again++
    const video = known ?? (await segmentOne(recognizer, path, { ...settings, signal, ...ticking(task) }, unusable))
    if (known) task.tick(Math.round(duration))
    if (!video) continue
    const own = { path: shown(path), ...video }
    found.push(own)
    if (json) process.stdout.write(jsonLines(own))
    if (csv) process.stdout.write(csvRows(own))
    if (record && out && !known) {
      await writeFileAtomic(join(out, fileNamed(name, ".vtt")), webVtt(own))
      await writeFileAtomic(join(out, fileNamed(name, ".srt")), subRip(own))
      await writeJson(record, { key, ...video })
    }
  }
  const skipped = again > 0 ? `, ${again} of them done before` : ""
  task.done(`${plural(found.length, "video")}${skipped}`)
  if (out) {
    const named = found.map((video) => ({ ...video, path: relative(root, resolve(video.path)).replaceAll("\\", "/") }))
    await writeFileAtomic(join(out, "segments.csv"), CSV_HEADER + named.map(csvRows).join(""))
    await writeFileAtomic(join(out, "segments.jsonl"), named.map(jsonLines).join(""))
    await writeFileAtomic(join(out, "activitynet.json"), activityNet(named))
    process.stderr.write(`written: ${out}\n`)
  }
  return found
}

async function segmentOne(
  recognizer: FrameRecognizer,
  path: string,
  options: SegmentOptions,
  unusable: string[],
): Promise<Pick<VideoSpans, "duration" | "spans"> | null> {
  try {
    return await segmentVideo(recognizer, path, options)
  } catch (error) {
    if (!(error instanceof FourtierError)) throw error
    unusable.push(error.message)
    return null
  }
}

/** Counts seconds of one video. */
function ticking(task: Task): Pick<SegmentOptions, "onProgress"> {
  let before = 0
  return {
    onProgress(seconds) {
      const whole = Math.round(seconds)
      task.tick(whole - before)
      before = whole
    },
  }
}

const recordSchema = z.object({
  key: z.string(),
  duration: z.number(),
  spans: z.array(z.object({ label: z.string(), start: z.number(), end: z.number(), score: z.number() })),
})

/** What was found before with the same bundle, settings and file. */
async function readRecord(path: string, key: string): Promise<Pick<VideoSpans, "duration" | "spans"> | null> {
  if (!existsSync(path)) return null
  const { success, data } = recordSchema.safeParse(await readJson(path))
  return success && data.key === key ? { duration: data.duration, spans: data.spans } : null
}

/** The folder that holds all of these. */
function commonFolder(folders: readonly string[]): string {
  let common = resolve(folders[0] ?? "")
  for (const folder of folders) {
    while (relative(common, resolve(folder)).startsWith("..")) common = dirname(common)
  }
  return common
}

function printTable(videos: readonly VideoSpans[]): void {
  const time = (seconds: number) => {
    const minutes = Math.floor(seconds / 60)
    return `${minutes}:${(seconds - 60 * minutes).toFixed(1).padStart(4, "0")}`
  }
  const columns = [
    { title: "video" },
    { title: "start", align: "right" as const },
    { title: "end", align: "right" as const },
    { title: "action" },
    { title: "score", align: "right" as const },
  ]
  const rows = videos.flatMap(({ path, spans }) => {
    if (spans.length === 0) return [[basename(path), "", "", "–", ""]]
    return spans.map(({ label, start, end, score }, i) => {
      return [i === 0 ? basename(path) : "", time(start), time(end), label, percent(score)]
    })
  })
  if (rows.length > 0) process.stdout.write(`${terminalTable(columns, rows)}\n`)
}
