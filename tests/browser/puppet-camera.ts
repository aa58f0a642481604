/** A camera that films puppets: what `--use-file-for-fake-video-capture` plays over and over. */

import { writeFile } from "node:fs/promises"
import type { ActionName } from "../../packages/puppets/src/acts.ts"
import { toYuv } from "../../packages/puppets/src/camera.ts"
import { ClipRenderer } from "../../packages/puppets/src/clip.ts"

export const [WIDTH, HEIGHT, FPS] = [320, 240, 12]

/**
 * Frames of one take, RGB.
 * @param take its number: each has its own way of moving
 */
export function* puppetFrames(action: ActionName, take: number, frames: number): Generator<Uint8Array> {
  const renderer = new ClipRenderer({
    seed: `${action}/${take}`,
    action,
    person: "somebody",
    style: `style ${take}`,
    camera: "tripod",
    scene: "gym",
    frames,
    fps: FPS,
    width: WIDTH,
    height: HEIGHT,
  })
  for (let i = 0; i < frames; i++) {
    const picture = new Uint8Array(WIDTH * HEIGHT * 3)
    renderer.frame(i, picture)
    yield picture
  }
}

/**
 * Takes of an action, one after another, as YUV4MPEG2.
 * @param seconds of a take
 */
export async function filmPuppets(path: string, action: ActionName, takes: readonly number[], seconds: number) {
  const parts: Uint8Array[] = [bytes(`YUV4MPEG2 W${WIDTH} H${HEIGHT} F${FPS}:1 Ip A1:1 C420jpeg\n`)]
  for (const take of takes) {
    for (const picture of puppetFrames(action, take, Math.round(seconds * FPS))) {
      const planes = new Uint8Array((WIDTH * HEIGHT * 3) / 2)
      toYuv(picture, WIDTH, HEIGHT, planes)
      parts.push(bytes("FRAME\n"), planes)
    }
  }
  await writeFile(path, Buffer.concat(parts))
}

const bytes = (text: string) => new TextEncoder().encode(text)
