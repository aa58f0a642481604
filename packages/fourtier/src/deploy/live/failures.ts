/** Why a live source cannot be opened or goes on no further, in words that say what to do. */

import type { Complaint } from "@fourtier/tensor"
import {
  AVERROR_DECODER_NOT_FOUND,
  AVERROR_EACCES,
  AVERROR_EBUSY,
  AVERROR_EIO,
  AVERROR_ENODEV,
  AVERROR_ENOENT,
  AVERROR_EPERM,
  AVERROR_HTTP_FORBIDDEN,
  AVERROR_HTTP_NOT_FOUND,
  AVERROR_HTTP_UNAUTHORIZED,
  AVERROR_INVALIDDATA,
  AVERROR_PROTOCOL_NOT_FOUND,
} from "node-av"
import { codeText } from "../../video/rgb.ts"
import type { LiveSource } from "./address.ts"

export interface Failure {
  failed: Pick<Complaint, "what" | "found" | "fix">
  /** Whether another attempt may do better. */
  passing: boolean
}

/** @param code FFmpeg's */
export function failureOf(code: number, { kind, url }: Pick<LiveSource, "kind" | "url">): Failure {
  const found = codeText(code)
  const say = (what: string, fix: string, passing = false): Failure => ({ failed: { what, found, fix }, passing })
  if (code === AVERROR_HTTP_UNAUTHORIZED || code === AVERROR_HTTP_FORBIDDEN) {
    return say(
      "the server asks for a user name and a password",
      "put them into the address: rtsp://user:password@host/…",
    )
  }
  if (code === AVERROR_HTTP_NOT_FOUND) {
    return say("the server has no such stream", "check the path after the host; the device's manual has it", true)
  }
  if (code === AVERROR_PROTOCOL_NOT_FOUND || code === AVERROR_DECODER_NOT_FOUND) {
    return say("this kind of stream cannot be read here", "let the source send H.264, HEVC or MJPEG")
  }
  if (kind === "camera") return cameraFailure(code, say)
  if (kind === "file") return say("cannot be read as video", "run `fourtier doctor` on it")
  if (code === AVERROR_INVALIDDATA) {
    const fix =
      kind === "pipe"
        ? "write MPEG-TS, Matroska or MP4 with its index first (ffmpeg -movflags +faststart); an index at the end cannot be read from a pipe"
        : "open the address in a player: it has to be a stream or a file of video, not a page"
    return say("what comes from there is no video", fix, kind === "network")
  }
  if (kind === "pipe") return say("the pipe cannot be read", "check the program that writes it")
  if (code === AVERROR_EIO && /^[a-z]+:\/\/(?:[^/@]*@)?[^/:\d[]/i.test(url)) {
    return say(
      "the host cannot be found, or has cut the connection",
      "check the name of the host and the network",
      true,
    )
  }
  if (/refused/i.test(found)) return say("nobody listens there", "start the server, or correct host and port", true)
  if (/timed out/i.test(found)) {
    return say("the host does not answer", "check the address, the network and its firewall", true)
  }
  return say("the connection failed", "check the address and the network", true)
}

function cameraFailure(code: number, say: (what: string, fix: string, passing?: boolean) => Failure): Failure {
  if (code === AVERROR_EACCES || code === AVERROR_EPERM) {
    return say(
      "the camera may not be used",
      "allow it: on Linux by the group video, elsewhere in the system's settings",
    )
  }
  if (code === AVERROR_EBUSY) return say("another program uses the camera", "close that program", true)
  if (code === AVERROR_ENOENT || code === AVERROR_ENODEV) {
    return say("the camera is not there", "plug it in; `fourtier watch --list` shows the cameras", true)
  }
  return say("the camera cannot be read", "unplug it and plug it in again", true)
}
