/**
 * `fourtier/deploy`: trained models out in the world.
 *
 * 1. `build.ts` the graph that ships, from pixels to probabilities; `folder.ts` where it lies.
 * 2. `export.ts` writes one and proves it against the trainer.
 * 3. `recognizer.ts` loads one and recognises files; `stream.ts` one for frames that keep coming.
 * 4. `segment.ts` what happens from when to when in long video.
 *
 * @module
 */

export { type Bundle, bundleSchema, type Guess, type Recognition } from "@fourtier/core/bundle"
export { type ExportOptions, exportBundle, TOLERANCE } from "./export.ts"
export { readBundle } from "./folder.ts"
export { type RecognizeOptions, Recognizer, type RecognizerOptions } from "./recognizer.ts"
export { judgeVideo, type SegmentedVideo, type SegmentOptions, segmentVideo } from "./segment.ts"
export { loadForStream } from "./stream.ts"
