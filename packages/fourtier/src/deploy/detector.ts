/** Loads a bundle of action detection from its folder, and asks it about files. */

import { FrameDetector, framesAround } from "@fourtier/core/bundle"
import { type Corners, leadingSize, transformOf } from "@fourtier/core/frames"
import type { SessionOptions } from "@fourtier/tensor"
import { decodeFrames, frameTimesOf } from "../video/decode.ts"
import { modelPath, partPaths, readDetectionBundle } from "./folder.ts"

/**
 * A bundle that tells who does what, where: in its two parts where it has them, so that each frame is computed once. It runs in the
 * thread that asks.
 * @throws FourtierError that says what the folder is, where it is no such bundle
 *
 * @example
 * ```ts
 * import { detectAt, loadDetector } from "fourtier/deploy"
 *
 * const detector = await loadDetector("runs/company/detection/bundle")
 * const [left, right] = await detectAt(detector, "yard.mp4", 3, [[0.1, 0.3, 0.3, 0.9], [0.6, 0.3, 0.8, 0.9]])
 * console.log(detector.labels, left, right)
 * await detector.release()
 * ```
 */
export async function loadDetector(folder: string, options: SessionOptions = {}): Promise<FrameDetector> {
  const bundle = await readDetectionBundle(folder)
  if (bundle.stream === null) return FrameDetector.load(modelPath(folder), bundle, options)
  const { frame, head } = partPaths(folder)
  return FrameDetector.loadParts(frame, head, bundle, options)
}

/**
 * What people of a file do at one moment. It decodes the window around it each time: for many moments of a long video decode ahead,
 * and use `FrameDetector.keep` and `judge`.
 * @param seconds of the file
 * @param boxes of people at that moment, as shares of the picture
 * @returns for each box its probabilities [C]
 * @throws FourtierError for a file that does not decode, a time beyond its end, and a box that holds nothing of the picture
 *
 * @example
 * ```ts
 * import type { FrameDetector } from "@fourtier/core/bundle"
 * import { detectAt } from "fourtier/deploy"
 *
 * const first = (detector: FrameDetector) => detectAt(detector, "yard.mp4", 1, [[0.1, 0.3, 0.3, 0.9]])
 * ```
 */
export async function detectAt(
  detector: FrameDetector,
  file: string,
  seconds: number,
  boxes: readonly Corners[],
): Promise<Float32Array[]> {
  const { sampling, steps } = detector.bundle
  const { times, duration } = frameTimesOf(file)
  const { indices } = framesAround(detector.bundle, times, duration, seconds)
  const clip = { path: file, start: null, end: null, frames: 0, fps: 0 }
  const options = { size: leadingSize(transformOf(steps)), deinterlace: sampling.deinterlace }
  const { data, width, height } = decodeFrames(clip, { indices }, options)
  return detector.answer({ data, count: indices.length, width, height }, boxes)
}
