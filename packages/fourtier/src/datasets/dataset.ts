/**
 * What a data set of others is to `fourtier data`: a name, the annotation files that it is distributed with, and how these and a
 * folder become clips. Each is one object in a file of this folder, listed in `list.ts`.
 */

import type { Files } from "./files.ts"

/** One clip as an annotation names it. */
export interface AnnotatedClip {
  /** File and line of the annotation, for errors. */
  where: string
  /** How the annotation names the clip; missing clips are listed by it. */
  name: string
  /** Its file, relative to the root, "/" between folders; null where it is not there. */
  file: string | null
  /** "" where the annotation gives none. */
  label: string
  /** train, val, test, or "" for none. */
  split: string
  /** Seconds, where the clip is part of its file. */
  start?: number
  end?: number
  /** Values of the data set's further columns. */
  columns?: Readonly<Record<string, string>>
}

/** What a user gives to read a data set. */
export interface DatasetRequest {
  /** The folder, or the one file, that holds the videos: absolute. */
  root: string
  /** Files and folders with annotations, absolute, or `train=<file>`; empty: they are looked for in the root. */
  annotations: readonly string[]
  /** File with the names of the classes, or null. */
  classes: string | null
  /** Where a file is named by its video alone: whether it is the whole video, of which the clip is a part. */
  wholeVideos: boolean
  /** Where segments of long videos are labelled: the label of the stretches between them, or null to leave these out. */
  background: string | null
  /**
   * Windows of one length in place of segments: its seconds (null: the median of the labels'), and from one to the next (null: half of
   * that); null: segments as they are.
   */
  windows: { length: number | null; stride: number | null } | null
  /** Frames per second with which annotations in frames count, or null for each video's own. */
  frameRate: number | null
  /** Of annotations in several tiers the one to take; null where there is only one. */
  tier: string | null
}

/** What a data set is said to hold where it is published. */
export interface Published {
  classes: number
  /** Clips by part; what downloads hold is less where videos have gone. */
  parts: Readonly<Record<string, number>>
}

export interface Dataset {
  /** As `fourtier data <name>` takes it. */
  name: string
  title: string
  /** The annotation files that it reads, in a few words. */
  reads: string
  published?: Published
  /** The table's columns beside path, label, split, start and end; those without any value are left out. */
  columns: readonly string[]
  /** Whether classes tell left from right: clips are not mirrored then. */
  sides?: boolean
  /** The parts that papers report on where the test part's labels are not public: val. Adds the column `split_reported`. */
  reportsOnVal?: boolean
  /** Lists the clips. Notes are added to while the clips are gone through. */
  read(request: DatasetRequest, files: Files, notes: string[]): AsyncIterable<AnnotatedClip> | Iterable<AnnotatedClip>
}
