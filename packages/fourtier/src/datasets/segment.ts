/** A labelled stretch of a long video, as every tool's export is read. */

/** A labelled stretch, in seconds from the video's first frame; `end` null means to the video's end. */
export interface Segment {
  where: string
  label: string
  start: number
  end: number | null
  /** Its part, where that is not the video's. */
  split?: string
}

/** A video and its stretches. */
export interface SegmentedVideo {
  where: string
  /** As the annotation names it; its last part finds the file. */
  name: string
  /** train, val, test or "". */
  split: string
  /** Seconds, where the annotation says so. */
  duration: number | null
  segments: readonly Segment[]
}

/** Milliseconds are exact enough, and read well in a table. */
export const rounded = (seconds: number) => Math.round(seconds * 1000) / 1000
