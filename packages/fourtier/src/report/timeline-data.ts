/** What the page of `fourtier segment` holds as data. */

export interface TimelineData {
  format: 1
  fourtier: string
  videos: TimelineVideo[]
}

export interface TimelineVideo {
  name: string
  /** Address of the file, relative to the page. */
  src: string
  /** Seconds. */
  duration: number
  spans: TimelineSpan[]
}

export interface TimelineSpan {
  label: string
  /** Seconds. */
  start: number
  end: number
  score: number
}
