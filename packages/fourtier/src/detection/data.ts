/** Annotated key frames of videos: who is where, and does what. */

import type { Box } from "@fourtier/core/metrics"

/** A class; the id is the one in AVA's files. */
export interface ActionClass {
  id: number
  name: string
}

export interface AnnotatedPerson {
  /** Shares of the frame's width and height. */
  box: Box
  /** Ids of all classes that hold. */
  classIds: readonly number[]
  /** Who it is, in all key frames of the video; null where nothing says. */
  track: string | null
}

/** A box of a track, at one moment. */
export interface TrackBox {
  /** Seconds, as annotated. */
  timestamp: number
  /** Shares of the frame's width and height. */
  box: Box
}

export interface KeyFrame {
  videoId: string
  /** Seconds, as annotated. */
  timestamp: number
  people: readonly AnnotatedPerson[]
}

/** A part of the data: `train`, `val`, or whatever else there is. */
export interface Part {
  name: string
  /** Key frames of videos that are there, in order of video and time. */
  keyFrames: readonly KeyFrame[]
  /** Frames that do not count, as `frameKey`. */
  excluded: ReadonlySet<string>
}

export interface DetectionData {
  classes: readonly ActionClass[]
  parts: readonly Part[]
  /** Path of every video that is there, by its id. */
  videos: ReadonlyMap<string, string>
  /** Where each track of a video goes, by video and track, in order of time: also between key frames where boxes are given there. */
  tracks: ReadonlyMap<string, ReadonlyMap<string, readonly TrackBox[]>>
  /** What the user should know: missing videos, classes that do not count. */
  notes: readonly string[]
}
