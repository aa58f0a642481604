/** Worker thread: renders and encodes long takes. */

import { serveJobs } from "@fourtier/core/node"
import { z } from "zod"
import { actionNames } from "./acts.ts"
import { toYuv } from "./camera.ts"
import { Arena } from "./clip.ts"
import { encodeVideo } from "./encode.ts"
import { sceneNames } from "./scenes.ts"
import { TakeRenderer } from "./take.ts"

const itemSchema = z.object({
  act: z.union([z.enum(actionNames), z.enum(["stand", "gesture"])]),
  seconds: z.number().positive(),
  place: z.tuple([z.number(), z.number()]).nullable(),
})

const takeSchema = z.object({
  seed: z.string(),
  path: z.string(),
  person: z.string(),
  style: z.string(),
  camera: z.string(),
  scene: z.enum(sceneNames),
  frames: z.int().positive(),
  fps: z.int().positive(),
  width: z.int().positive(),
  height: z.int().positive(),
  items: z.array(itemSchema),
  codec: z.literal("h264"),
  crf: z.number(),
})

const arena = new Arena()

serveJobs(z.object({ take: takeSchema, out: z.string() }), async ({ take, out }) => {
  await encodeVideo(out, yuvFrames(new TakeRenderer(take, arena)), take)
  return { value: null }
})

function* yuvFrames(renderer: TakeRenderer): Generator<Uint8Array> {
  const { width, height } = renderer.spec
  const picture = new Uint8Array(width * height * 3)
  const planes = new Uint8Array((width * height * 3) / 2)
  for (let i = 0; i < renderer.frames; i++) {
    renderer.frame(i, picture)
    toYuv(picture, width, height, planes)
    yield planes
  }
}
