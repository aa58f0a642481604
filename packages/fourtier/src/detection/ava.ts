/**
 * AVA as it is distributed: a folder, at any depth of which lie
 *
 * ```
 * ava_<part>_v2.<n>.csv                       id, second, box, class, person
 * ava_<part>_excluded_timestamps_v2.<n>.csv   frames that do not count
 * ava_included_timestamps_v2.<n>.txt          the seconds that are annotated
 * ava_action_list_v2.<n>….pbtxt               the classes that count: 60 of 80
 * <id>.mp4 (.mkv, .webm, …)                   the videos
 * <id>/<id>_000001.jpg, …                     or their frames
 * ```
 * Format: https://research.google.com/ava/download.html
 */

import { basename, extname, join, resolve } from "node:path"
import { groupBy, plural } from "@fourtier/core"
import { type Box, frameKey, parseAvaCsv, parseAvaLabelMap } from "@fourtier/core/metrics"
import { FourtierError } from "@fourtier/tensor"
import { readForeignText } from "../util/text.ts"
import { isVideoName } from "../video/endings.ts"
import { examples } from "../video/findings.ts"
import { type Listing, listFiles } from "../video/listing.ts"
import { gapsOf, isSequence, sequenceAddress, sequenceAt } from "../video/sequence.ts"
import type { AnnotatedPerson, DetectionData, KeyFrame, Part, TrackBox } from "./data.ts"

/** Frames a second of extracted frames, as SlowFast extracts them. */
export const AVA_FRAME_RATE = 30

export interface AvaOptions {
  /** Frames a second in folders of frames. Default 30. */
  frameRate?: number
}

/**
 * Reads the annotations of a folder and finds its videos, or the folders of their frames. Nothing is opened as video.
 * @throws FourtierError where annotations or classes are missing, doubled or broken, or none of the videos is there
 *
 * @example
 * ```ts
 * import { readAva } from "fourtier/detection"
 *
 * const { classes, parts, notes } = await readAva("ava")
 * console.log(classes.length, parts.map(({ name, keyFrames }) => [name, keyFrames.length]), notes)
 * ```
 */
export async function readAva(folder: string, { frameRate = AVA_FRAME_RATE }: AvaOptions = {}): Promise<DetectionData> {
  const root = resolve(folder)
  const listing = await listFiles(root, { sequences: true })
  const { files } = listing
  const tables = onePerPart(root, files, /^ava_([a-z-]+)_v2\.\d\.csv$/)
  const exclusions = onePerPart(root, files, /^ava_([a-z-]+)_excluded_timestamps_v2\.\d\.csv$/)
  const maps = files.filter((file) => /^ava_action_list_v2\.\d.*\.pbtxt(?:\.txt)?$/.test(basename(file)))
  if (tables.size === 0 || maps.length !== 1) {
    throw new FourtierError({
      where: root,
      what: tables.size === 0 ? "no annotations of AVA" : "not one list of classes",
      expected: "ava_train_v2.2.csv, ava_val_v2.2.csv and one ava_action_list_v2.2….pbtxt, at any depth",
      found: tables.size === 0 ? `${plural(files.length, "other file")}` : maps.join(", ") || "none",
      fix: "see docs/detection.md for the layout",
    })
  }
  const classes = parseAvaLabelMap(await readForeignText(join(root, maps[0])), maps[0])
  const counted = new Set(classes.map(({ id }) => id))
  const videos = videosOf(root, listing, frameRate)
  const seconds = await includedSeconds(root, files)
  const notes = [...listing.notes]
  let outside = 0
  const missing = new Set<string>()
  const other = new Set<number>()
  const parts: Part[] = []
  const tracks = new Map<string, Map<string, TrackBox[]>>()
  for (const [name, file] of tables) {
    const { boxes, frames } = parseAvaCsv(await readForeignText(join(root, file)), file)
    for (const { classId } of boxes) if (!counted.has(classId)) other.add(classId)
    const keyFrames: KeyFrame[] = []
    const ofFrame = groupBy(boxes, frameKey)
    for (const key of frames) {
      const [videoId, timestamp] = splitKey(key)
      if (seconds !== null && !seconds.has(timestamp)) outside++
      else if (!videos.has(videoId)) missing.add(videoId)
      else keyFrames.push({ videoId, timestamp, people: peopleOf(ofFrame.get(key) ?? [], counted, file) })
    }
    keyFrames.sort((a, b) => (a.videoId < b.videoId ? -1 : a.videoId > b.videoId ? 1 : a.timestamp - b.timestamp))
    addTracks(tracks, keyFrames)
    const exclusion = exclusions.get(name)
    const excluded =
      exclusion === undefined
        ? new Set<string>()
        : parseAvaCsv(await readForeignText(join(root, exclusion)), exclusion).frames
    parts.push({ name, keyFrames, excluded })
  }
  if (missing.size > 0) {
    notes.push(`${plural(missing.size, "video")} of the annotations not there: ${examples([...missing])}`)
  }
  if (outside > 0)
    notes.push(`${plural(outside, "key frame")} at seconds that are not among the included ones left out`)
  notes.push(...gapNotes(parts, videos))
  if (other.size > 0) notes.push(`${plural(other.size, "class", "classes")} not in ${maps[0]} left out`)
  if (parts.some(({ keyFrames }) => keyFrames.length > 0)) return { classes, parts, videos, tracks, notes }
  throw new FourtierError({
    where: root,
    what: "none of the annotated videos is there",
    expected: `video files or folders of frames called as their ids, such as ${[...missing][0] ?? "-5KQ66BBWC4"}.mp4`,
    found: `${plural(videos.size, "other video")}`,
    fix: "put the videos anywhere below this folder",
  })
}

/** The file of each part. @throws FourtierError where a part has two */
function onePerPart(root: string, files: readonly string[], pattern: RegExp): Map<string, string> {
  const found = new Map<string, string>()
  for (const file of files) {
    const part = pattern.exec(basename(file))?.[1]
    if (part === undefined) continue
    const first = found.get(part)
    if (first !== undefined) {
      throw new FourtierError({
        where: root,
        what: `two files for the part ${part}`,
        found: `${first}, ${file}`,
        fix: "leave one of them",
      })
    }
    found.set(part, file)
  }
  return found
}

/**
 * Path of each video by its name without ending; the first in order of path where one id has several, and videos before folders of
 * frames.
 */
function videosOf(root: string, { files, sequences }: Listing, frameRate: number): Map<string, string> {
  const videos = new Map<string, string>()
  for (const file of files.filter(isVideoName)) {
    const id = basename(file, extname(file))
    if (!videos.has(id)) videos.set(id, join(root, file))
  }
  for (const { folder, pattern } of sequences) {
    const id = basename(folder)
    if (!videos.has(id)) videos.set(id, sequenceAddress(join(root, folder), pattern, frameRate))
  }
  return videos
}

/** The seconds that are annotated at all; null where no file says. */
async function includedSeconds(root: string, files: readonly string[]): Promise<Set<number> | null> {
  const file = files.find((name) => /^ava_included_timestamps_v2\.\d\.txt$/.test(basename(name)))
  if (file === undefined) return null
  const lines = (await readForeignText(join(root, file))).split(/\r?\n/).map((line) => line.trim())
  const seconds = new Set<number>()
  for (const [i, line] of lines.entries()) {
    if (line === "") continue
    if (!Number.isFinite(Number(line))) {
      throw new FourtierError({
        where: `${file}:${i + 1}`,
        what: "not a second",
        expected: "a number a line, such as 0902",
        found: line.slice(0, 40),
      })
    }
    seconds.add(Number(line))
  }
  return seconds
}

/** Frames that are missing from the folders of annotated videos. */
function gapNotes(parts: readonly Part[], videos: ReadonlyMap<string, string>): string[] {
  const annotated = new Set(parts.flatMap(({ keyFrames }) => keyFrames.map(({ videoId }) => videoId)))
  const gaps = [...annotated].flatMap((id) => {
    const path = videos.get(id) ?? ""
    const missing = isSequence(path) ? gapsOf(sequenceAt(path)) : 0
    return missing > 0 ? [{ id, missing }] : []
  })
  if (gaps.length === 0) return []
  const all = gaps.reduce((sum, { missing }) => sum + missing, 0)
  const named = examples(gaps.map(({ id, missing }) => `${id} (${missing})`))
  return [`${plural(all, "frame")} missing in ${plural(gaps.length, "folder")}: ${named}`]
}

/** An id may hold no comma: AVA's files have none in quotes. */
function splitKey(key: string): [videoId: string, timestamp: number] {
  const comma = key.lastIndexOf(",")
  return [key.slice(0, comma), Number(key.slice(comma + 1))]
}

/** Rows of one frame to people: a box that comes again with another class is the same person. */
function peopleOf(
  rows: readonly { videoId: string; timestamp: number; box: Box; classId: number; score: number }[],
  counted: ReadonlySet<number>,
  file: string,
): AnnotatedPerson[] {
  // the last column of the annotations is the person, read where detections have their score
  const people = [...groupBy(rows, ({ box, score }) => `${box.join()} ${score}`).values()]
  // files without that column give everybody the same
  const ids = people.map(([{ score }]) => score)
  const told = new Set(ids).size === ids.length
  return people.map((same) => {
    const [{ box, videoId, timestamp, score }] = same
    const [x1, y1, x2, y2] = box
    if (!(x1 < x2 && y1 < y2 && x2 > 0 && y2 > 0 && x1 < 1 && y1 < 1)) {
      throw new FourtierError({
        where: `${file}, ${frameKey({ videoId, timestamp })}`,
        what: "a box that holds nothing of the picture",
        expected: "x1 < x2 and y1 < y2 in shares of the picture, part of it between 0 and 1",
        found: box.join(", "),
        fix: "remove the row, or swap its corners",
      })
    }
    const classIds = [...new Set(same.map(({ classId }) => classId))].filter((id) => counted.has(id))
    return { box, classIds, track: told ? String(score) : null }
  })
}

/** Adds the boxes of key frames to the tracks of their videos. */
function addTracks(tracks: Map<string, Map<string, TrackBox[]>>, keyFrames: readonly KeyFrame[]): void {
  for (const { videoId, timestamp, people } of keyFrames) {
    const own = tracks.get(videoId) ?? new Map<string, TrackBox[]>()
    tracks.set(videoId, own)
    for (const { track, box } of people)
      if (track !== null) own.set(track, [...(own.get(track) ?? []), { timestamp, box }])
  }
}
