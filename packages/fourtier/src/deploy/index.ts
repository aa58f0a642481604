/**
 * `fourtier/deploy`: trained models out in the world.
 *
 * 1. `build.ts` the graph that ships, from pixels to probabilities; `folder.ts` where it lies.
 * 2. `export.ts` writes one and proves it against the trainer.
 * 3. `recognizer.ts` loads one and recognises files; `stream.ts` one for frames that keep coming.
 * 4. `segment.ts` what happens from when to when in long video; `segment-drawn.ts` a copy with that written on it.
 * 5. `export-detector.ts`, `detector.ts` the same for who does what, where: frames and boxes of people to probabilities.
 * 6. `live/` frames of cameras, network streams and pipes: `address.ts` what can be named, `connections.ts` one connection after the
 *    other, `capture.ts` the process behind each.
 * 7. `detect.ts` who does what, where, in a video: people found, followed and judged; `detect-drawn.ts` a copy with that drawn on it.
 *
 * @module
 */

export {
  type Bundle,
  bundleSchema,
  type DetectionBundle,
  type FrameDetector,
  type Guess,
  type Recognition,
} from "@fourtier/core/bundle"
export {
  type ActingPerson,
  DEFAULT_RATE,
  DEFAULT_STEP,
  type DetectedMoment,
  type DetectOptions,
  detectActions,
  judgePeople,
  keyTimesOf,
  trackPeople,
} from "./detect.ts"
export { type DrawOptions, drawDetections, topLabels } from "./detect-drawn.ts"
export { detectAt, loadDetector } from "./detector.ts"
export { type ExportOptions, exportBundle, TOLERANCE } from "./export.ts"
export { type ExpectedPeople, type ExportDetectorOptions, exportDetector } from "./export-detector.ts"
export { readBundle, readDetectionBundle } from "./folder.ts"
export { type Camera, type LiveSource, listCameras, liveSource } from "./live/address.ts"
export type { OpenedSource } from "./live/capture-jobs.ts"
export { type LiveConnection, type LiveOptions, liveConnections } from "./live/connections.ts"
export { type RecognizeOptions, Recognizer, type RecognizerOptions } from "./recognizer.ts"
export {
  type JudgedWindows,
  judgeVideo,
  type SegmentedVideo,
  type SegmentOptions,
  segmentVideo,
  spansOfVideo,
} from "./segment.ts"
export { drawSpans } from "./segment-drawn.ts"
export { loadForStream, streamPictureSize } from "./stream.ts"
