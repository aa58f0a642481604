/** Worker thread: renders and encodes videos with several figures, and says where each is in every frame. */

import { serveJobs } from "@fourtier/core/node"
import { z } from "zod"
import { actionNames } from "./acts.ts"
import { toYuv } from "./camera.ts"
import { Arena } from "./clip.ts"
import { CompanyRenderer } from "./company.ts"
import { encodeVideo } from "./encode.ts"
import { sceneNames } from "./scenes.ts"

const memberSchema = z.object({
  id: z.int().positive(),
  action: z.enum(actionNames),
  person: z.string(),
  style: z.string(),
  place: z.tuple([z.number(), z.number()]),
})

const videoSchema = z.object({
  seed: z.string(),
  camera: z.string(),
  scene: z.enum(sceneNames),
  frames: z.int().positive(),
  fps: z.int().positive(),
  width: z.int().positive(),
  height: z.int().positive(),
  members: z.array(memberSchema),
  codec: z.literal("h264"),
  crf: z.number(),
})

const arena = new Arena()

/** `out`: null where the video is there already, and only its boxes are asked for. */
serveJobs(z.object({ video: videoSchema, out: z.string().nullable() }), async ({ video, out }) => {
  const renderer = new CompanyRenderer(video, arena)
  if (out !== null) await encodeVideo(out, yuvFrames(renderer), video)
  return { value: Array.from({ length: video.frames }, (_, i) => renderer.boxes(i)) }
})

function* yuvFrames(renderer: CompanyRenderer): Generator<Uint8Array> {
  const { width, height, frames } = renderer.spec
  const picture = new Uint8Array(width * height * 3)
  const planes = new Uint8Array((width * height * 3) / 2)
  for (let i = 0; i < frames; i++) {
    renderer.frame(i, picture)
    toYuv(picture, width, height, planes)
    yield planes
  }
}
