/** What a user names as the source of live frames, and how FFmpeg opens it. */

import { existsSync, statSync } from "node:fs"
import { FourtierError } from "@fourtier/tensor"
import { z } from "zod"
import { CONTAINERS } from "../../video/containers.ts"

/** A source of frames. */
export interface LiveSource {
  kind: "camera" | "network" | "file" | "pipe"
  /** FFmpeg's address. */
  url: string
  /** FFmpeg's format, where it must not be guessed: a device. */
  format: string | null
  /** Options of the opening. */
  options: Record<string, string>
  /** For people: without passwords. */
  name: string
}

export const liveSourceSchema = z.object({
  kind: z.enum(["camera", "network", "file", "pipe"]),
  url: z.string(),
  format: z.string().nullable(),
  options: z.record(z.string(), z.string()),
  name: z.string(),
}) satisfies z.ZodType<LiveSource>

/** A camera as `listCameras` finds it. */
export interface Camera {
  /** What to give as the source. */
  address: string
  /** As the system calls it. */
  description: string
}

/** Seconds without a sign of life after which a network connection counts as lost. */
export const PATIENCE = 10

const microseconds = (seconds: number) => String(Math.round(seconds * 1e6))

/** Formats that may come over a network; those of files, and what is made for streams. */
const STREAMED = `${CONTAINERS},hls,mpjpeg,rtsp,sdp,rtp,image2pipe,jpeg_pipe`

const NETWORK: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "rtsp:": { rtsp_flags: "prefer_tcp", timeout: microseconds(PATIENCE), protocol_whitelist: "rtsp,rtp,udp,tcp" },
  "rtsps:": { timeout: microseconds(PATIENCE), protocol_whitelist: "rtsps,rtsp,rtp,srtp,udp,tcp,tls" },
  "http:": { rw_timeout: microseconds(PATIENCE), protocol_whitelist: "http,https,tcp,tls,crypto,httpproxy" },
  "https:": { rw_timeout: microseconds(PATIENCE), protocol_whitelist: "http,https,tcp,tls,crypto,httpproxy" },
}

/** Seconds of a stream that are looked at before its frames are told: enough for its format, short enough to be live. */
const LOOK = 1

/**
 * What a source's name stands for: `camera`, `camera:1`, `camera:<part of its name>`, `/dev/video0`, an address that begins with
 * rtsp://, rtsps://, http:// or https://, a video file, or `-` for standard input.
 * @throws FourtierError for an address of another kind, a camera that is not there, and a file that is missing
 *
 * @example
 * ```ts
 * import { liveSource } from "fourtier/deploy"
 *
 * const { name } = await liveSource("rtsp://user:secret@10.0.0.7/main") // "rtsp://user:***@10.0.0.7/main"
 * ```
 */
export async function liveSource(text: string): Promise<LiveSource> {
  if (text === "-") {
    const options = { protocol_whitelist: "pipe", format_whitelist: STREAMED, analyzeduration: microseconds(LOOK) }
    return { kind: "pipe", url: "pipe:0", format: null, options, name: "standard input" }
  }
  const camera = /^camera(?::(.*))?$/is.exec(text)
  if (camera) return cameraSource(camera[1]?.trim() || "0")
  if (/^\/dev\/video\d+$/.test(text)) return deviceSource("v4l2", text, text)
  const scheme = /^([a-z][a-z0-9+.-]+:)\/\//i.exec(text)?.[1].toLowerCase()
  if (scheme === undefined) return fileSource(text)
  const known = NETWORK[scheme]
  if (!known || !URL.canParse(text)) {
    throw new FourtierError({
      where: withoutPassword(text),
      what: known ? "this address cannot be read" : `no source of video is opened by ${scheme}//`,
      expected: `${Object.keys(NETWORK).join("//…, ")}//…, camera, a file, or - for standard input`,
      ...(known ? { fix: "write characters of a password that are none of an address as %40 and the like" } : {}),
    })
  }
  const options = { ...known, format_whitelist: STREAMED, fflags: "nobuffer", analyzeduration: microseconds(LOOK) }
  return { kind: "network", url: text, format: null, options, name: withoutPassword(text) }
}

function fileSource(path: string): LiveSource {
  if (!existsSync(path) || statSync(path).isDirectory()) {
    throw new FourtierError({
      where: path,
      what: existsSync(path) ? "is a folder" : "no such file",
      expected: "a video file, rtsp://…, http://…, camera, or - for standard input",
      fix: "correct the path; `fourtier watch --list` shows the cameras",
    })
  }
  const options = { protocol_whitelist: "file", format_whitelist: CONTAINERS }
  return { kind: "file", url: path, format: null, options, name: path }
}

/** The user's name may be told, the password may not; nor what stands in a query, which is where keys are given. */
function withoutPassword(url: string): string {
  return url.replace(/(\/\/[^/?#:@]*):[^/?#]*@/, "$1:***@").replace(/\?.*$/s, "?…")
}

/**
 * The cameras of this machine, the default one first: by v4l2, AVFoundation or DirectShow.
 *
 * @example
 * ```ts
 * import { listCameras } from "fourtier/deploy"
 *
 * for (const { address, description } of await listCameras()) console.log(address, description)
 * ```
 */
export async function listCameras(): Promise<Camera[]> {
  const { found } = await cameras()
  return found.map(({ description }, i) => ({ address: `camera:${i}`, description }))
}

async function cameras() {
  const { Device } = await import("node-av")
  const found = (await Device.list()).filter(({ type }) => type === "video")
  return { format: Device.getVideoFormat(), found: found.sort((a, b) => Number(b.isDefault) - Number(a.isDefault)) }
}

async function cameraSource(wanted: string): Promise<LiveSource> {
  const { format, found } = await cameras()
  const named = (text: string) => text.toLowerCase().includes(wanted.toLowerCase())
  const chosen = /^\d+$/.test(wanted)
    ? found[Number(wanted)]
    : found.find(({ name, description }) => named(description) || named(name))
  if (chosen) {
    // AVFoundation and DirectShow open a camera by the name that people see
    const people = chosen.description || chosen.name
    return deviceSource(format, format === "v4l2" ? chosen.name : people, `camera ${people}`)
  }
  throw new FourtierError({
    where: `camera:${wanted}`,
    what: "there is no such camera",
    expected:
      found.map(({ description }, i) => `camera:${i} (${description})`).join(", ") || "a camera at this machine",
    found: found.length === 0 ? "none" : `${found.length}`,
    fix:
      process.platform === "linux"
        ? "plug one in; it must be seen as /dev/video0 or so, and be allowed to be read (group video)"
        : "plug one in, and allow this terminal to use it",
  })
}

function deviceSource(format: string, device: string, name: string): LiveSource {
  const options: Record<string, string> = format === "avfoundation" ? { pixel_format: "nv12", framerate: "30" } : {}
  return { kind: "camera", url: format === "dshow" ? `video=${device}` : device, format, options, name }
}
