/**
 * Anyone's boxes to key frames: rows of single boxes, from a table or from CVAT, are gathered by video and second, brought to
 * shares of the picture, and thinned to one key frame in so many seconds.
 */

import { readdirSync, statSync } from "node:fs"
import { isAbsolute, join } from "node:path"
import { groupBy, plural } from "@fourtier/core"
import type { Box } from "@fourtier/core/metrics"
import { FourtierError, messageOf, Rng } from "@fourtier/tensor"
import { examples } from "../video/findings.ts"
import { buildFrameTable } from "../video/frametable.ts"
import { withOpenFile } from "../video/openfiles.ts"
import { swapsSides } from "../video/orientation.ts"
import { sequenceAddress, sequencePattern } from "../video/sequence.ts"
import { AVA_FRAME_RATE } from "./ava.ts"
import type { AnnotatedPerson, DetectionData, KeyFrame, TrackBox } from "./data.ts"

/** A box of one person at one moment. */
export interface BoxRow {
  /** File and line, for errors. */
  where: string
  /** As the annotations name it, relative to their folder or absolute. */
  video: string
  /** Seconds, or the number of the frame. */
  at: { seconds: number } | { frame: number }
  box: Box
  labels: readonly string[]
  track: string | null
  /** `train`, `val`, or whatever else; null where nothing says. */
  split: string | null
}

export interface OwnOptions {
  /** Seconds from one key frame of a video to the next, at least. */
  every: number
  /** Frames a second where a video is a folder of frames. Default 30. */
  frameRate?: number
}

/** One video of five without a part is held back, by its name alone. */
const HELD_BACK = 0.2

/** Above this, coordinates are pixels: a box in shares may hang over the picture's edge, but not by half of it. */
const LARGEST_SHARE = 1.5

/**
 * @param root folder that the videos' names are relative to
 * @throws FourtierError for a box that holds nothing of its picture, rows without any label, and where no video is there
 */
export function assemble(
  root: string,
  rows: readonly BoxRow[],
  { every, frameRate = AVA_FRAME_RATE }: OwnOptions,
): DetectionData {
  const names = [...new Set(rows.flatMap(({ labels }) => labels))].sort()
  if (names.length === 0) {
    throw new FourtierError({
      where: root,
      what: "no box has a label",
      expected: "boxes of people with what they do",
      found: plural(rows.length, "box", "boxes"),
    })
  }
  const classes = names.map((name, i) => ({ id: i + 1, name }))
  const idOf = new Map(classes.map(({ id, name }) => [name, id]))
  const videos = new Map<string, string>()
  const missing: string[] = []
  const broken: string[] = []
  const parts = new Map<string, KeyFrame[]>()
  const tracks = new Map<string, Map<string, TrackBox[]>>()
  let drawn = 0
  for (const [video, own] of groupBy(rows, (row) => row.video)) {
    const named = isAbsolute(video) ? video : join(root, video)
    const found = statSync(named, { throwIfNoEntry: false })
    const pattern = found?.isDirectory() === true ? sequencePattern(readdirSync(named)) : null
    const path = pattern === null ? named : sequenceAddress(named, pattern, frameRate)
    if (found === undefined) {
      missing.push(video)
      continue
    }
    try {
      const numbered = own.some(({ at }) => "frame" in at)
      const { frames, tracks: ofVideo } = keyFramesOf(video, own, pictureOf(path, numbered), every, idOf)
      const given = own.find(({ split }) => split !== null)?.split ?? null
      if (given === null) drawn++
      const part = given ?? (Rng.fork("detection", "part", video).next() < HELD_BACK ? "val" : "train")
      videos.set(video, path)
      tracks.set(video, ofVideo)
      parts.set(part, [...(parts.get(part) ?? []), ...frames])
    } catch (error) {
      if (error instanceof FourtierError && error.complaint.where !== path) throw error
      broken.push(`${video} (${messageOf(error).replaceAll(/\s+/g, " ")})`)
    }
  }
  const notes: string[] = []
  if (missing.length > 0)
    notes.push(`${plural(missing.length, "video")} of the annotations not there: ${examples(missing)}`)
  if (broken.length > 0) notes.push(`${plural(broken.length, "video")} cannot be used: ${examples(broken)}`)
  if (drawn > 0) {
    notes.push(
      `${plural(drawn, "video")} without a part: one of five, drawn by name, is held back as val; a column split says otherwise`,
    )
  }
  if (videos.size === 0) {
    throw new FourtierError({
      where: root,
      what: "none of the annotated videos is there",
      found: [...missing, ...broken].slice(0, 3).join(", "),
      fix: "name the videos relative to the folder of the annotations",
    })
  }
  const named = [...parts].sort(([a], [b]) => Number(b === "train") - Number(a === "train") || (a < b ? -1 : 1))
  return {
    classes,
    parts: named.map(([name, keyFrames]) => ({ name, keyFrames, excluded: new Set<string>() })),
    videos,
    tracks,
    notes,
  }
}

interface Picture {
  width: number
  height: number
  /** Seconds of a frame by its number; beyond the end for numbers that there are not. */
  secondsOf: (frame: number) => number
}

/** @param numbered whether boxes name frames by number: then the file is looked through */
function pictureOf(path: string, numbered: boolean): Picture {
  const clip = { path, start: null, end: null, frames: 0, fps: 0 }
  return withOpenFile(clip, false, (file) => {
    const { info, orientation } = file
    const [width, height] = swapsSides(orientation) ? [info.height, info.width] : [info.width, info.height]
    const { times, duration } = numbered ? buildFrameTable(file, clip) : { times: [], duration: 0 }
    return { width, height, secondsOf: (frame) => times[frame] ?? duration + frame - times.length }
  })
}

function keyFramesOf(
  video: string,
  rows: readonly BoxRow[],
  { width, height, secondsOf }: Picture,
  every: number,
  idOf: ReadonlyMap<string, number>,
): { frames: KeyFrame[]; tracks: Map<string, TrackBox[]> } {
  const inPixels = rows.some(({ box }) => box.some((side) => Math.abs(side) > LARGEST_SHARE))
  const scale = inPixels ? [width, height, width, height] : [1, 1, 1, 1]
  const byTime = groupBy(rows, ({ at }) => ("seconds" in at ? at.seconds : secondsOf(at.frame)))
  const frames: KeyFrame[] = []
  let next = Number.NEGATIVE_INFINITY
  const inOrder = [...byTime].sort(([a], [b]) => a - b)
  const tracks = new Map<string, TrackBox[]>()
  for (const [timestamp, own] of inOrder) {
    for (const { track, box } of own) {
      const before = track === null ? [] : (tracks.get(track) ?? [])
      if (track === null || before.at(-1)?.timestamp === timestamp) continue
      before.push({ timestamp, box: sharesOf(box, scale) })
      tracks.set(track, before)
    }
  }
  for (const [timestamp, own] of inOrder) {
    // a frame's time may fall short of the next whole second by rounding
    if (timestamp < next - 1e-3) continue
    next = timestamp + every
    const people = [...groupBy(own, ({ box, track }) => track ?? box.join()).values()].map((same): AnnotatedPerson => {
      const [{ where, box, track }] = same
      const [x1, y1, x2, y2] = sharesOf(box, scale)
      if (!(x1 < x2 && y1 < y2 && x2 > 0 && y2 > 0 && x1 < 1 && y1 < 1)) {
        throw new FourtierError({
          where,
          what: "a box that holds nothing of the picture",
          expected: `x1 < x2 and y1 < y2, part of it within ${inPixels ? `${width}×${height} pixels` : "0 to 1"}`,
          found: box.join(", "),
          fix: "remove the row, or swap its corners",
        })
      }
      const classIds = [...new Set(same.flatMap(({ labels }) => labels))].flatMap((label) => idOf.get(label) ?? [])
      return { box: [x1, y1, x2, y2], classIds, track }
    })
    frames.push({ videoId: video, timestamp, people })
  }
  return { frames, tracks }
}

const sharesOf = ([x1, y1, x2, y2]: Box, [width, height]: readonly number[]): Box => [
  x1 / width,
  y1 / height,
  x2 / width,
  y2 / height,
]
