/** The page of what was found in long videos. */

import { version } from "../util/version.ts"
import { htmlOf } from "./html.ts"
import type { TimelineData } from "./timeline-data.ts"

/**
 * The timeline of what was found in videos as a page that plays them from where they lie.
 *
 * @example
 * ```ts
 * import { timelineOf } from "fourtier/report"
 *
 * const spans = [{ label: "jump", start: 2, end: 4, score: 0.9 }]
 * const html = await timelineOf([{ name: "a.mp4", src: "../videos/a.mp4", duration: 60, spans }])
 * ```
 */
export async function timelineOf(videos: TimelineData["videos"]): Promise<string> {
  const data: TimelineData = { format: 1, fourtier: version, videos }
  return htmlOf({
    title: videos.length === 1 ? videos[0].name : `${videos.length} videos`,
    program: "timeline-page",
    data,
    allowed: "img-src data:; media-src 'self' file: blob:",
    without: "This page needs JavaScript; its spans are in segments.csv beside it.",
  })
}
