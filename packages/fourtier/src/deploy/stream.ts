/** Loads a bundle for streams, from its folder. */

import { type Bundle, FrameRecognizer } from "@fourtier/core/bundle"
import { leadingSize, type PictureSize, transformOf } from "@fourtier/core/frames"
import type { SessionOptions } from "@fourtier/tensor"
import { modelPath, partPaths, readBundle } from "./folder.ts"

/**
 * A bundle for frames that keep coming: in its two parts where it has them, so that each frame is computed once. It runs in the
 * thread that asks.
 *
 * @example
 * ```ts
 * import type { TimedFrame } from "@fourtier/core/bundle"
 * import { loadForStream } from "fourtier/deploy"
 *
 * async function show(camera: AsyncIterable<TimedFrame>) {
 *   const recognizer = await loadForStream("runs/mine/bundle")
 *   for await (const { time, top, unknown } of recognizer.stream(camera, { live: true })) {
 *     console.log(time.toFixed(1), unknown ? "unknown" : top[0].label)
 *   }
 *   await recognizer.release()
 * }
 * ```
 */
export async function loadForStream(folder: string, options: SessionOptions = {}): Promise<FrameRecognizer> {
  const bundle = await readBundle(folder)
  if (bundle.stream === null) return FrameRecognizer.load(modelPath(folder), bundle, options)
  const { frame, head } = partPaths(folder)
  return FrameRecognizer.loadParts(frame, head, bundle, options)
}

/**
 * The size in which a bundle wants pictures from whoever decodes them: its preprocessing begins by scaling to it. Undefined: as they
 * are.
 *
 * @example
 * ```ts
 * import { readBundle, streamPictureSize } from "fourtier/deploy"
 *
 * streamPictureSize(await readBundle("runs/mine/bundle")) // { shortSide: 224 }
 * ```
 */
export function streamPictureSize({ steps }: Pick<Bundle, "steps">): PictureSize | undefined {
  return leadingSize(transformOf(steps))
}
