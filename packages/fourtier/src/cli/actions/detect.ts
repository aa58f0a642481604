/** Finds who does what, where, in videos, with an exported bundle. */

import { existsSync } from "node:fs"
import { mkdir, readFile } from "node:fs/promises"
import { basename, dirname, extname, join, relative, resolve } from "node:path"
import { groupBy, plural } from "@fourtier/core"
import type { FrameDetector } from "@fourtier/core/bundle"
import type { PlainBox } from "@fourtier/core/metrics"
import { terminalReporter } from "@fourtier/core/node"
import { FourtierError, PROVIDERS } from "@fourtier/tensor"
import { hashJson, readJson, writeFileAtomic, writeJson } from "@fourtier/tensor/node"
import { z } from "zod"
import { type DetectedMoment, judgePeople, keyTimesOf, trackPeople } from "../../deploy/detect.ts"
import { drawDetections } from "../../deploy/detect-drawn.ts"
import { loadDetector } from "../../deploy/detector.ts"
import { bundlePath, readDetectionBundle } from "../../deploy/folder.ts"
import { readPersonBoxes } from "../../detection/person-boxes.ts"
import type { PersonDetector } from "../../people/detector.ts"
import type { PeopleAt, Track } from "../../people/track.ts"
import { openCache } from "../../util/cache-folders.ts"
import { fileNamed } from "../../util/file-name.ts"
import { withFolderLock } from "../../util/lock.ts"
import { terminalTable } from "../../util/table.ts"
import type { Clip } from "../../video/manifest.ts"
import { VideoReader } from "../../video/reader.ts"
import { interruptible } from "../interrupt.ts"
import type { DetectorOptions } from "../options.ts"
import {
  avaLabelMap,
  avaRows,
  jsonLines,
  type NamedDetections,
  summaries,
  type VideoDetections,
  videoDetectionsSchema,
} from "./detect-formats.ts"
import { commonFolder, filesAt, lookThrough, shown } from "./files.ts"
import { oneOf } from "./one-of.ts"
import { openNamedDetector } from "./open-detector.ts"
import { type SecondsOfVideo, secondsOfVideo } from "./seconds.ts"
import { percent } from "./segment-formats.ts"

export interface DetectCommandOptions extends DetectorOptions {
  out?: string
  /** False: no video is drawn. */
  mp4: boolean
  json?: boolean
  csv?: boolean
  boxes?: string
  rate: number
  step: number
  threshold: number
  provider: string
  threads?: number
  cache?: string
}

/** Prints who does what in every video; those that cannot be used are listed after them and make the exit status 1. */
export async function detect(bundle: string, videos: readonly string[], options: DetectCommandOptions): Promise<void> {
  const { json = false, csv = false, out, threads, boxes, detector: named } = options
  if (json && csv) throw new FourtierError({ where: "--json, --csv", what: "one of them alone", fix: "leave one out" })
  if (boxes !== undefined && named !== undefined) {
    throw new FourtierError({ where: "--boxes, --detector", what: "one of them alone", fix: "leave one out" })
  }
  const provider = oneOf("--provider", options.provider, ["auto", ...PROVIDERS])
  await readDetectionBundle(bundle) // what is no bundle is told before any video is looked into
  const files = await filesAt(videos, options.out)
  const given = boxes === undefined ? null : groupBy((await readPersonBoxes(boxes, 0)).boxes, ({ videoId }) => videoId)
  const { clips, unusable } = await lookThrough(files)
  const actions = await loadDetector(bundle, { provider, threads })
  try {
    const people = given === null ? await openNamedDetector(options, threads) : null
    try {
      const { people: folder } = await openCache(options.cache ?? null, terminalReporter())
      const work = (signal: AbortSignal) =>
        detectAll({ actions, bundle, people: people ?? given ?? new Map(), folder, clips, unusable, options, signal })
      const found = await interruptible((signal) => (out ? withFolderLock(out, () => work(signal)) : work(signal)))
      if (!json && !csv) printTable(found)
    } finally {
      await people?.release()
    }
  } finally {
    await actions.release()
  }
  for (const reason of unusable) process.stderr.write(`${reason}\n`)
  if (unusable.length > 0) process.exitCode = 1
}

/** Boxes by the names of their videos. */
type GivenBoxes = ReadonlyMap<string, readonly PlainBox[]>

interface Work {
  actions: FrameDetector
  bundle: string
  people: PersonDetector | GivenBoxes
  /** Where found people are kept. */
  folder: string
  clips: readonly Clip[]
  /** What cannot be used is added. */
  unusable: string[]
  options: DetectCommandOptions
  signal: AbortSignal
}

/** Of the seconds of a video, how many count for each part of the work: looking for people, judging them, drawing. */
const SHARES = { find: 0.6, judge: 0.3, draw: 0.1 }

async function detectAll(work: Work): Promise<NamedDetections[]> {
  const { actions, bundle, people, clips, options } = work
  const { out, json, csv, mp4, rate, step, threshold } = options
  const { labels, classIds } = actions.bundle
  const described = await readFile(bundlePath(bundle), "utf8")
  const root = commonFolder(clips.map(({ path }) => dirname(path)))
  const seconds = clips.reduce((sum, { duration }) => sum + Math.round(duration), 0)
  const task = terminalReporter().task("detect", seconds, "s of video")
  const found: NamedDetections[] = []
  let again = 0
  for (const clip of clips) {
    const name = relative(root, clip.path).replaceAll("\\", "/")
    const record = out === undefined ? null : join(out, fileNamed(name, ".json"))
    const drawn = out === undefined || !mp4 ? null : join(out, fileNamed(name, ".drawn.mp4"))
    const own = "release" in people ? people : momentsOf(people.get(basename(name, extname(name))) ?? [])
    const who = "release" in own ? own.id : hashJson(own)
    const key = hashJson([described, clip.hash, who, rate, step])
    const drawing = hashJson([key, threshold])
    const known = record === null ? null : await readRecord(record, key)
    const isDone = known !== null && (drawn === null || (known.drawing === drawing && existsSync(drawn)))
    if (isDone) again++
    const video = isDone
      ? known
      : await detectOne({ ...work, people: own }, clip, known, drawn, secondsOfVideo(task, clip))
    if (isDone) task.tick(Math.round(clip.duration))
    if (video === null) continue
    const named = { path: shown(clip.path), ...detectionsOf(video) }
    found.push(named)
    if (json) process.stdout.write(jsonLines(named, threshold))
    if (csv) process.stdout.write(avaRows({ ...named, path: name }, classIds))
    if (record !== null && !isDone) await writeJson(record, { key, drawing: drawn && drawing, ...detectionsOf(video) })
  }
  task.done(`${plural(found.length, "video")}${again > 0 ? `, ${again} of them done before` : ""}`)
  if (out !== undefined) {
    const named = found.map((video) => ({ ...video, path: relative(root, resolve(video.path)).replaceAll("\\", "/") }))
    await writeFileAtomic(join(out, "ava.csv"), named.map((video) => avaRows(video, classIds)).join(""))
    await writeFileAtomic(join(out, "ava_action_list.pbtxt"), avaLabelMap(labels, classIds))
    await writeFileAtomic(join(out, "detections.jsonl"), named.map((video) => jsonLines(video, threshold)).join(""))
    process.stderr.write(`written: ${out}\n`)
  }
  return found
}

/** A video's detections as they are kept, with what they were found by. */
const recordSchema = videoDetectionsSchema.extend({
  key: z.string(),
  /** By what the drawn video was made; null: none was. */
  drawing: z.string().nullable(),
})

type DetectionRecord = z.infer<typeof recordSchema>

/** What was found before with the same bundle, settings, file and people. */
async function readRecord(path: string, key: string): Promise<DetectionRecord | null> {
  if (!existsSync(path)) return null
  const { success, data } = recordSchema.safeParse(await readJson(path))
  return success && data.key === key ? data : null
}

const detectionsOf = ({ duration, labels, moments, tracks }: VideoDetections): VideoDetections => ({
  ...{ duration, labels, moments, tracks },
})

interface OneVideo extends Omit<Work, "people"> {
  people: PersonDetector | readonly PeopleAt[]
}

/** @param known what was found before, of which only the drawing is missing */
async function detectOne(
  { actions, people, folder, unusable, options: { rate, step, threshold }, signal }: OneVideo,
  { path, hash }: Clip,
  known: VideoDetections | null,
  drawn: string | null,
  progress: SecondsOfVideo,
): Promise<VideoDetections | null> {
  try {
    const video = await VideoReader.open(path)
    try {
      const keep = { folder, hash }
      const onProgress = progress.part(0, SHARES.find)
      const asked = { people, rate, step, keep, onProgress, signal }
      const tracks = known ? known.tracks.map(trackOf) : await trackPeople(video, asked)
      const moments = known ? known.moments.map(momentOf) : await judged(keyTimesOf(video, asked), tracks, video)
      if (drawn !== null) {
        await mkdir(dirname(drawn), { recursive: true })
        const labels = actions.bundle.labels
        const drawing = {
          labels,
          threshold,
          signal,
          onProgress: progress.part(SHARES.find + SHARES.judge, SHARES.draw),
        }
        await drawDetections(video, drawn, tracks, moments, drawing)
      }
      progress.end()
      return {
        duration: video.duration,
        labels: [...actions.labels],
        moments: moments.map(plainMoment),
        tracks: tracks.map(plainTrack),
      }
    } finally {
      await video.close()
    }
  } catch (error) {
    if (!(error instanceof FourtierError)) throw error
    unusable.push(error.message)
    return null
  }

  async function judged(times: readonly number[], tracks: readonly Track[], video: VideoReader) {
    const found: DetectedMoment[] = []
    const onProgress = progress.part(SHARES.find, SHARES.judge)
    for await (const moment of judgePeople(actions, video, tracks, times, signal)) {
      found.push(moment)
      onProgress(found.length, times.length)
    }
    return found
  }
}

/** Digits of scores, times and corners that are written. */
const DIGITS = 4

const rounded = (value: number) => Number(value.toFixed(DIGITS))

const plainMoment = ({ time, people }: DetectedMoment): VideoDetections["moments"][number] => ({
  time: rounded(time),
  people: people.map(({ track, box: [x1, y1, x2, y2], probabilities }) => ({
    track,
    box: [rounded(x1), rounded(y1), rounded(x2), rounded(y2)],
    scores: Array.from(probabilities, (score) => Number(score.toPrecision(DIGITS))),
  })),
})

const momentOf = ({ time, people }: VideoDetections["moments"][number]): DetectedMoment => ({
  time,
  people: people.map(({ track, box, scores }) => ({ track, box, probabilities: Float32Array.from(scores) })),
})

const plainTrack = ({ id, boxes }: Track): VideoDetections["tracks"][number] => ({
  id,
  boxes: boxes.map(({ time, box, score }) => [time, ...box, score].map(rounded)),
})

const trackOf = ({ id, boxes }: VideoDetections["tracks"][number]): Track => ({
  id,
  boxes: boxes.map(([time, x1, y1, x2, y2, score]) => ({ time, box: [x1, y1, x2, y2], score })),
})

function momentsOf(boxes: readonly PlainBox[]): PeopleAt[] {
  return [...groupBy(boxes, ({ timestamp }) => timestamp)]
    .map(([time, own]) => ({ time, people: own.map(({ box, score = 1 }) => ({ box, score })) }))
    .sort((a, b) => a.time - b.time)
}

/** Labels of a person that a table shows. */
const SHOWN = 3

function printTable(videos: readonly NamedDetections[]): void {
  const right = "right" as const
  const columns = [
    { title: "video" },
    { title: "person", align: right },
    { title: "from", align: right },
    { title: "to", align: right },
    { title: "mean scores" },
  ]
  const rows = videos.flatMap((video) => {
    const own = summaries(video)
    if (own.length === 0) return [[basename(video.path), "", "", "", "nobody"]]
    return own.map(({ track, from, to, labels }, i) => [
      i === 0 ? basename(video.path) : "",
      String(track),
      ...[from, to].map((seconds) => seconds.toFixed(1)),
      labels
        .slice(0, SHOWN)
        .map(({ label, score }) => `${label} ${percent(score)}`)
        .join(", "),
    ])
  })
  if (rows.length > 0) process.stdout.write(`${terminalTable(columns, rows)}\n`)
}
