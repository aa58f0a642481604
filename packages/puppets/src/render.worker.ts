/** Worker thread: renders and encodes clips. */

import { serveJobs } from "@fourtier/core/node"
import { z } from "zod"
import { actionNames } from "./acts.ts"
import { toYuv } from "./camera.ts"
import { Arena, ClipRenderer, type ClipSpec } from "./clip.ts"
import { encodeVideo } from "./encode.ts"
import { sceneNames } from "./scenes.ts"

const clipSchema = z.object({
  seed: z.string(),
  action: z.enum(actionNames),
  person: z.string(),
  style: z.string(),
  camera: z.string(),
  scene: z.enum(sceneNames),
  frames: z.int().positive(),
  fps: z.int().positive(),
  width: z.int().positive(),
  height: z.int().positive(),
  codec: z.enum(["h264", "vp9"]),
  crf: z.number(),
})

const arena = new Arena()

serveJobs(z.object({ clip: clipSchema, out: z.string() }), async ({ clip, out }) => {
  await encodeVideo(out, yuvFrames(clip), clip)
  return { value: null }
})

function* yuvFrames(spec: ClipSpec): Generator<Uint8Array> {
  const { width, height, frames } = spec
  const renderer = new ClipRenderer(spec, arena)
  const picture = new Uint8Array(width * height * 3)
  const planes = new Uint8Array((width * height * 3) / 2)
  for (let i = 0; i < frames; i++) {
    renderer.frame(i, picture)
    toYuv(picture, width, height, planes)
    yield planes
  }
}
