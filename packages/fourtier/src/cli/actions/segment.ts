/** Finds the actions in long videos with an exported bundle. */

import { existsSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from "node:path"
import { pathToFileURL } from "node:url"
import { plural, type Task } from "@fourtier/core"
import type { Bundle, FrameRecognizer } from "@fourtier/core/bundle"
import { spanFigures } from "@fourtier/core/metrics"
import { terminalReporter } from "@fourtier/core/node"
import { FourtierError, PROVIDERS } from "@fourtier/tensor"
import { hashJson, readJson, writeFileAtomic, writeJson } from "@fourtier/tensor/node"
import { z } from "zod"
import { bundlePath } from "../../deploy/folder.ts"
import { type SegmentOptions, segmentVideo } from "../../deploy/segment.ts"
import { loadForStream } from "../../deploy/stream.ts"
import { timelineOf } from "../../report/page.ts"
import { fileNamed } from "../../util/file-name.ts"
import { withFolderLock } from "../../util/lock.ts"
import { terminalTable } from "../../util/table.ts"
import type { Clip } from "../../video/manifest.ts"
import { interruptible } from "../interrupt.ts"
import { commonFolder, filesAt, lookThrough, shown } from "./files.ts"
import { oneOf } from "./one-of.ts"
import { cvatXml, type FramedVideo, labelStudioInterface, labelStudioTasks } from "./segment-annotations.ts"
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
import { judgeSpans, readTruth, truthTable } from "./segment-truth.ts"

export interface SegmentCommandOptions
  extends Pick<SegmentOptions, "window" | "step" | "threshold" | "least" | "switching"> {
  out?: string
  json?: boolean
  csv?: boolean
  /** Table or ActivityNet JSON of what is true. */
  truth?: string
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
  const truth = options.truth === undefined ? null : await readTruth(options.truth)
  const files = await filesAt(videos)
  const { clips, unusable } = await lookThrough(files)
  const recognizer = await loadForStream(bundle, { provider, threads: options.threads })
  const work = (signal: AbortSignal) => segmentAll({ recognizer, bundle, clips, unusable, options, signal })
  try {
    const found = await interruptible((signal) => (out ? withFolderLock(out, () => work(signal)) : work(signal)))
    if (truth) {
      const judged = judgeSpans(found, truth, options.truth ?? "")
      const figures = spanFigures(judged)
      if (out) await writeJson(join(out, "figures.json"), figures)
      process.stdout.write(json ? `${JSON.stringify(figures)}\n` : `${truthTable(figures)}\n`)
    } else if (!json && !csv) printTable(found)
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

async function segmentAll({ recognizer, bundle, clips, unusable, options, signal }: Work): Promise<FramedVideo[]> {
  const { out, window, step, threshold, least, switching } = options
  // with a truth, standard output is for the figures
  const [json, csv] = [options.json && !options.truth, options.csv && !options.truth]
  const settings = { window, step, threshold, least, switching }
  const described = await readFile(bundlePath(bundle), "utf8")
  const root = commonFolder(clips.map(({ path }) => dirname(path)))
  const seconds = clips.reduce((sum, { duration }) => sum + Math.round(duration), 0)
  const task = terminalReporter().task("segment", seconds, "s of video")
  if (csv) process.stdout.write(CSV_HEADER)
  const found: FramedVideo[] = []
  let again = 0
  for (const clip of clips) {
    const { path, duration, hash } = clip
    const name = relative(root, path).replaceAll("\\", "/")
    const record = out && join(out, fileNamed(name, ".json"))
    const key = hashJson([described, hash, Object.entries(settings).map(([k, value]) => [k, value ?? null])])
    const known = record ? await readRecord(record, key) : null
    if (known) again++
    const video = known ?? (await segmentOne(recognizer, path, { ...settings, signal, ...ticking(task) }, unusable))
    if (known) task.tick(Math.round(duration))
    if (!video) continue
    const own = { path: shown(path), clip, ...video }
    found.push(own)
    if (json) process.stdout.write(jsonLines(own))
    if (csv) process.stdout.write(csvRows(own))
    if (record && out && !known) {
      await writeFileAtomic(join(out, fileNamed(name, ".vtt")), webVtt(own))
      await writeFileAtomic(join(out, fileNamed(name, ".srt")), subRip(own))
      await writeFileAtomic(
        join(out, fileNamed(name, ".cvat.xml")),
        cvatXml({ ...own, path: name }, recognizer.bundle.labels),
      )
      await writeJson(record, { key, ...video })
    }
  }
  const skipped = again > 0 ? `, ${again} of them done before` : ""
  task.done(`${plural(found.length, "video")}${skipped}`)
  if (out) await writeTogether(out, root, found, recognizer.bundle)
  return found
}

/** What is written of all videos together, with paths below their common folder. */
async function writeTogether(out: string, root: string, found: readonly FramedVideo[], bundle: Bundle): Promise<void> {
  const below = (path: string) => relative(root, resolve(path)).replaceAll("\\", "/")
  const named = found.map((video) => ({ ...video, path: below(video.path) }))
  const { method, encoder } = bundle.provenance
  const shownVideos = found.map(({ path, duration, spans }) => ({
    ...{ name: below(path), duration, spans: [...spans] },
    src: addressFrom(out, path),
  }))
  const files: Record<string, string> = {
    "segments.csv": CSV_HEADER + named.map(csvRows).join(""),
    "segments.jsonl": named.map(jsonLines).join(""),
    "activitynet.json": activityNet(named),
    "timeline.html": await timelineOf(shownVideos),
    "label-studio.json": labelStudioTasks(named, `fourtier ${method}, ${encoder.name}`),
    "label-studio.xml": labelStudioInterface(bundle.labels),
  }
  for (const [name, text] of Object.entries(files)) await writeFileAtomic(join(out, name), text)
  process.stderr.write(`written: ${out}, with timeline.html\n`)
}

/** The address of a file, relative to a page in a folder; whole where there is no relative one. */
function addressFrom(folder: string, path: string): string {
  const way = relative(resolve(folder), resolve(path))
  if (isAbsolute(way)) return pathToFileURL(way).href
  return way.split(sep).map(encodeURIComponent).join("/")
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
