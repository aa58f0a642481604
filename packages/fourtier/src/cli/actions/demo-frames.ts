/** Video frames in a terminal: two pixels a character, as coloured half blocks. */

import { keyFrameIndices } from "@fourtier/core/frames"
import { decodeFrames } from "../../video/decode.ts"
import type { Clip } from "../../video/manifest.ts"

/** Key frames side by side, `rows` lines of text high. Needs a terminal with 24-bit colours. */
export function framesAsText(clip: Clip, { frames = 4, rows = 9 }: { frames?: number; rows?: number } = {}): string {
  const height = 2 * rows
  const width = Math.round((clip.width / clip.height) * height)
  const { data } = decodeFrames(clip, (times) => keyFrameIndices(times, frames), { size: { width, height } })
  const pixel = (frame: number, y: number, x: number) => {
    const at = ((frame * height + y) * width + x) * 3
    return `${data[at]};${data[at + 1]};${data[at + 2]}`
  }
  const lines: string[] = []
  for (let y = 0; y < height; y += 2) {
    let line = ""
    for (let frame = 0; frame < frames; frame++) {
      for (let x = 0; x < width; x++) line += `\u001b[38;2;${pixel(frame, y, x)};48;2;${pixel(frame, y + 1, x)}m▀`
      line += "\u001b[0m "
    }
    lines.push(line)
  }
  return lines.join("\n")
}

/** Whether a stream shows 24-bit colours. */
export function showsColours(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY === true && stream.getColorDepth() >= 24
}
