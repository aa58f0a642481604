/** A camera that films puppets: what `--use-file-for-fake-video-capture` plays over and over. */

import { writeFile } from "node:fs/promises"
import type { ActionName } from "../../packages/puppets/src/acts.ts"
import { toYuv } from "../../packages/puppets/src/camera.ts"
import { ClipRenderer } from "../../packages/puppets/src/clip.ts"

const [WIDTH, HEIGHT, FPS] = [320, 240, 12]

/**
 * Takes of an action, one after another, as YUV4MPEG2.
 * @param takes numbers of the takes: each has its own way of moving
 * @param seconds of a take
 */
export async function filmPuppets(path: string, action: ActionName, takes: readonly number[], seconds: number) {
  const frames = Math.round(seconds * FPS)
  const picture = new Uint8Array(WIDTH * HEIGHT * 3)
  const parts: Uint8Array[] = [bytes(`YUV4MPEG2 W${WIDTH} H${HEIGHT} F${FPS}:1 Ip A1:1 C420jpeg\n`)]
  for (const take of takes) {
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
      renderer.frame(i, picture)
      const planes = new Uint8Array((WIDTH * HEIGHT * 3) / 2)
      toYuv(picture, WIDTH, HEIGHT, planes)
      parts.push(bytes("FRAME\n"), planes)
    }
  }
  await writeFile(path, Buffer.concat(parts))
}

const bytes = (text: string) => new TextEncoder().encode(text)
