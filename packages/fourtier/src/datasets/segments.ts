/**
 * Long videos with labelled stretches: what all tools' exports have in common. A stretch becomes a clip with start and end, its
 * group is the video, and the stretches between them can be clips of their own.
 */

import { plural } from "@fourtier/core"
import { FourtierError } from "@fourtier/tensor"
import { VideoFile } from "../video/backend.ts"
import { examples } from "../video/findings.ts"
import type { AnnotatedClip, DatasetRequest } from "./dataset.ts"
import type { Files } from "./files.ts"
import { rounded, type Segment, type SegmentedVideo } from "./segment.ts"
import { windowsOf } from "./windows.ts"

/** Stretches between labels that are shorter are no clips, seconds. */
const SHORTEST = 0.5

/** A video's length and rate by its header. */
interface Header {
  seconds: number
  rate: number
}

/** The names by which a video of an annotation may be found: uploads get eight hexadecimal digits before theirs. */
function fileOf(files: Files, name: string): string | null {
  const plain = decodeURI(name.replace(/^file:\/+/i, "/").replace(/^.*[?&]d=/, "")).replaceAll("\\", "/")
  const last = plain.slice(plain.lastIndexOf("/") + 1)
  const bare = last.replace(/^[0-9a-f]{8}-/i, "")
  const stem = (path: string) => path.replace(/\.\w{2,5}$/, "")
  return (
    files.at(plain) ??
    files.looseVideo(stem(last)) ??
    files.looseVideo(stem(bare)) ??
    files.looseVideo(`v_${last}`) ??
    null
  )
}

/** @throws FourtierError where the header cannot be read */
export function headerOf(path: string): Header {
  const file = VideoFile.open(path)
  try {
    return { seconds: file.info.declaredSeconds, rate: file.info.rate }
  } finally {
    file.close()
  }
}

/** Times in frames become seconds by the rate that the user gives, or the file's own. */
export class Clock {
  readonly #files: Files
  readonly #given: number | null
  readonly #rates = new Map<string, number>()

  constructor(files: Files, { frameRate }: Pick<DatasetRequest, "frameRate">) {
    this.#files = files
    this.#given = frameRate
  }

  /** The time of a frame of a video, by the name that an annotation has for it; 0 where the video is not there. */
  seconds(name: string, frame: number): number {
    const rate = this.#rate(name)
    return rate > 0 ? rounded(frame / rate) : 0
  }

  #rate(name: string): number {
    if (this.#given !== null) return this.#given
    const known = this.#rates.get(name)
    if (known !== undefined) return known
    const file = fileOf(this.#files, name)
    const rate = file === null ? 0 : headerOf(this.#files.absolute(file)).rate
    this.#rates.set(name, rate)
    return rate
  }
}

/**
 * The clips of labelled stretches, and of those between them where a background is asked for; or windows all along the videos, see
 * `windowsOf`.
 */
export function* clipsOfSegments(
  videos: readonly SegmentedVideo[],
  { background, windows }: DatasetRequest,
  files: Files,
  notes: string[],
): Generator<AnnotatedClip> {
  const piece = median(
    videos.flatMap(({ segments }) => segments.flatMap(({ start, end }) => (end === null ? [] : end - start))),
  )
  const missing = new Set<string>()
  let without = 0
  for (const video of videos) {
    const file = fileOf(files, video.name)
    if (file === null) missing.add(video.name)
    const common = { name: video.name, file, split: video.split, columns: { group: file ?? video.name } }
    for (const { where, label, start, end, split = video.split } of video.segments) {
      if (file === null) {
        yield { ...common, where, label, split, name: `${video.name} (${where})` }
        continue
      }
      checkTimes(where, start, end)
      if (windows === null) yield { ...common, where, label, split, start, ...(end === null ? {} : { end }) }
    }
    if (file === null || (windows === null && background === null)) continue
    const seconds = video.duration ?? headerOf(files.absolute(file)).seconds
    if (!(seconds > 0)) without++
    if (windows !== null) {
      const length = windows.length ?? rounded(piece)
      const own = windowsOf(video, seconds, { length, stride: windows.stride ?? rounded(length / 2), background })
      for (const window of own) yield { ...common, ...window }
      continue
    }
    if (background === null) continue
    for (const [start, end] of gapsOf(video.segments, seconds, piece)) {
      yield { ...common, where: video.where, label: background, start, end }
    }
  }
  if (missing.size > 0) notes.push(`${plural(missing.size, "video")} not there: ${examples([...missing])}`)
  const lost = windows === null ? "no background after the last label" : "no windows"
  if (without > 0) notes.push(`${plural(without, "video")} of unknown length: ${lost}`)
}

/** @throws FourtierError for times that are none, or no stretch */
function checkTimes(where: string, start: number, end: number | null): void {
  if (start >= 0 && (end === null || end > start)) return
  const found = `${start} to ${end} s`
  throw new FourtierError({
    where,
    what: "a label without a length",
    expected: "an end after its start, in seconds from the video's first frame",
    found,
    fix: "correct the label; times in frames need the rate that the tool counted with: --frame-rate <fps>",
  })
}

/** The stretches without a label, cut into pieces as long as the labels are. */
function gapsOf(segments: readonly Segment[], seconds: number, piece: number): [number, number][] {
  const gaps: [number, number][] = []
  let at = 0
  const sorted = [...segments].sort((a, b) => a.start - b.start)
  for (const { start, end } of [...sorted, { start: seconds, end: seconds }]) {
    for (let from = at; start - from >= Math.max(SHORTEST, piece / 2); from += piece) {
      gaps.push([rounded(from), rounded(Math.min(start, from + piece))])
    }
    at = Math.max(at, end ?? seconds)
  }
  return gaps
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return Math.max(1, sorted[Math.floor(sorted.length / 2)] ?? 1)
}
