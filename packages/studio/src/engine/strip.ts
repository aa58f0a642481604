/** The key frames of a clip side by side, as a model is shown them. */

import { keyFrameIndices, type Pictures } from "@fourtier/core/frames"
import type { StoredClip } from "../store/database.ts"
import { folder, read } from "../store/files.ts"
import type { Description } from "./description.ts"
import { openVideo } from "./frames.ts"

/** Pixels of a strip whose height is left open, at most. */
const TALLEST = 384
const QUALITY = 0.9

export interface Strip {
  jpeg: Blob
  width: number
  height: number
}

/** @throws UnreadableVideo */
export async function stripOf(clip: StoredClip, { count, height }: Description["keyFrames"]): Promise<Strip> {
  const file = await read(await folder("clips"), clip.file)
  if (!file) throw new Error(`${clip.name}: its file is gone`)
  const video = await openVideo(file)
  try {
    const tall = height === null ? video.height : height === "auto" ? Math.min(TALLEST, video.height) : height
    const size = { height: tall, width: Math.max(1, Math.round((video.width * tall) / video.height)) }
    const source = video.clip(clip.start, clip.end, size)
    return await joined(await source.read(keyFrameIndices(source, count)))
  } finally {
    video.close()
  }
}

async function joined({ data, count, width, height }: Pictures): Promise<Strip> {
  const canvas = new OffscreenCanvas(width * count, height)
  const context = canvas.getContext("2d")
  if (!context) throw new Error("this browser draws no pictures in a worker")
  const area = width * height
  for (let k = 0; k < count; k++) {
    const image = new ImageData(width, height)
    for (let from = k * area * 3, to = 0; to < area * 4; from += 3, to += 4) {
      image.data[to] = data[from]
      image.data[to + 1] = data[from + 1]
      image.data[to + 2] = data[from + 2]
      image.data[to + 3] = 255
    }
    context.putImageData(image, k * width, 0)
  }
  const jpeg = await canvas.convertToBlob({ type: "image/jpeg", quality: QUALITY })
  return { jpeg, width: canvas.width, height }
}
