/** Which files are taken for video, by their names. */

import { extname } from "node:path"

/** Endings of files taken for video. Others are passed over in folders; a table may name anything. */
export const VIDEO_ENDINGS: ReadonlySet<string> = new Set(
  "3g2 3gp asf avi divx dv f4v flv gif m2ts m2v m4v mjpeg mkv mov mp4 mpe mpeg mpg mts mxf nut ogm ogv rm rmvb ts vob webm wmv y4m".split(
    " ",
  ),
)

/** Whether a path ends as a video does. */
export function isVideoName(path: string): boolean {
  return VIDEO_ENDINGS.has(extname(path).slice(1).toLowerCase())
}
