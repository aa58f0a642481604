/** Finds the actions in long videos with an exported bundle. */

import { existsSync } from "node:fs"
import { mkdir, readFile } from "node:fs/promises"
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from "node:path"
import { pathToFileURL } from "node:url"
import { plural } from "@fourtier/core"
import type { Bundle, FrameRecognizer } from "@fourtier/core/bundle"
import { spanFigures } from "@fourtier/core/metrics"
import { terminalReporter } from "@fourtier/core/node"
import { FourtierError, PROVIDERS } from "@fourtier/tensor"
import { hashJson, readJson, writeFileAtomic, writeJson } from "@fourtier/tensor/node"
import { z } from "zod"
import { bundlePath, readBundle } from "../../deploy/folder.ts"
import { type SegmentedVideo, type SegmentOptions, segmentVideo } from "../../deploy/segment.ts"
import { drawSpans } from "../../deploy/segment-drawn.ts"
import { loadForStream } from "../../deploy/stream.ts"
import { timelineOf } from "../../report/timeline.ts"
import { fileNamed } from "../../util/file-name.ts"
import { withFolderLock } from "../../util/lock.ts"
import { terminalTable } from "../../util/table.ts"
import type { Clip } from "../../video/manifest.ts"
import { VideoReader } from "../../video/reader.ts"
import { interruptible } from "../interrupt.ts"
import { commonFolder, filesAt, lookThrough, shown } from "./files.ts"
import { oneOf } from "./one-of.ts"
import { secondsOfVideo } from "./seconds.ts"
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
  extends Pick<SegmentOptions, "window" | "step" | "threshold" | "least" | "contrast"> {
  out?: string
  json?: boolean
  csv?: boolean
  /** With `out`: also write copies of the videos with captions drawn on them. */
  mp4?: boolean
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
  if (options.mp4 && out === undefined) {
    throw new FourtierError({ where: "--mp4", what: "no folder for the videos", fix: "add --out <folder>" })
  }
  const provider = oneOf("--provider", options.provider, ["auto", ...PROVIDERS])
  const truth = options.truth === undefined ? null : await readTruth(options.truth)
  await readBundle(bundle) // what is no bundle is told before any video is looked into
  const files = await filesAt(videos, out)
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
  for (const { path, notes = [] } of clips) for (const note of notes) process.stderr.write(`${shown(path)}: ${note}\n`)
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

async function segmentAll(work: Work): Promise<FramedVideo[]> {
  const { recognizer, bundle, clips, options } = work
  const { out, window, step, threshold, least, contrast } = options
  // with a truth, standard output is for the figures
  const [json, csv] = [options.json && !options.truth, options.csv && !options.truth]
  const settings = { window, step, threshold, least, contrast }
  const described = await readFile(bundlePath(bundle), "utf8")
  const root = commonFolder(clips.map(({ path }) => dirname(path)))
  const seconds = clips.reduce((sum, { duration }) => sum + Math.round(duration), 0)
  const task = terminalReporter().task("segment", seconds, "s of video")
  if (csv) process.stdout.write(CSV_HEADER)
  const found: FramedVideo[] = []
  let again = 0
  for (const clip of clips) {
    const { path, hash } = clip
    const name = relative(root, path).replaceAll("\\", "/")
    const record = out && join(out, fileNamed(name, ".json"))
    const key = hashJson([described, hash, Object.entries(settings).map(([k, value]) => [k, value ?? null])])
    const drawn = out && options.mp4 ? join(out, fileNamed(name, ".captioned.mp4")) : null
    const known = record ? await readRecord(record, key) : null
    const isDrawn = drawn === null || (known?.captioned === true && existsSync(drawn))
    const progress = secondsOfVideo(task, clip)
    const judging = isDrawn ? 1 : JUDGING
    const video = known ?? (await segmentOne(work, path, settings, progress.part(0, judging)))
    if (!video) continue
    if (known && isDrawn) again++
    const own = { path: shown(path), clip, duration: video.duration, spans: video.spans }
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
      await writeJson(record, recordOf(key, own, false))
    }
    if (record && drawn && !isDrawn && (await drawOne(work, own, drawn, progress.part(judging, 1 - judging)))) {
      await writeJson(record, recordOf(key, own, true))
    }
    progress.end()
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

/** Of the seconds of a video, how many count for judging it where it is drawn as well. */
const JUDGING = 0.7

type OnProgress = NonNullable<SegmentOptions["onProgress"]>

/** The spans; null, and why in `unusable`, where there are none to be had. */
async function segmentOne(
  { recognizer, unusable, signal }: Work,
  path: string,
  settings: SegmentOptions,
  onProgress: OnProgress,
): Promise<SegmentedVideo | null> {
  return orUnusable(unusable, () => segmentVideo(recognizer, path, { ...settings, signal, onProgress }))
}

/** Whether the video with captions is written. */
async function drawOne(
  { unusable, signal }: Work,
  { path, spans }: VideoSpans,
  drawn: string,
  onProgress: OnProgress,
): Promise<boolean> {
  const done = await orUnusable(unusable, async () => {
    await mkdir(dirname(drawn), { recursive: true })
    const video = await VideoReader.open(path)
    try {
      await drawSpans(video, drawn, spans, { signal, onProgress })
      return true
    } finally {
      await video.close()
    }
  })
  return done ?? false
}

async function orUnusable<T>(unusable: string[], work: () => Promise<T>): Promise<T | null> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof FourtierError)) throw error
    unusable.push(error.message)
    return null
  }
}

const recordSchema = z.object({
  key: z.string(),
  /** Whether the video with captions shows these spans. */
  captioned: z.boolean(),
  duration: z.number(),
  spans: z.array(z.object({ label: z.string(), start: z.number(), end: z.number(), score: z.number() })),
})

/** What was found before with the same bundle, settings and file. */
async function readRecord(path: string, key: string): Promise<z.infer<typeof recordSchema> | null> {
  if (!existsSync(path)) return null
  const { success, data } = recordSchema.safeParse(await readJson(path))
  return success && data.key === key ? data : null
}

function recordOf(key: string, { duration, spans }: SegmentedVideo, captioned: boolean): z.infer<typeof recordSchema> {
  return { key, captioned, duration, spans }
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
