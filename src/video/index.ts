/**
 * Video: from a folder of files to arrays of numbers. In the order of the data flow:
 *
 * 1. `source.ts`      what the user has: class folders or tables → clips named, not yet opened
 * 2. `probe.ts`       one file measured: frames, size, rate, content hash, or why it cannot be used
 * 3. `doctor.ts`      all files measured in workers → the manifest; duplicates and leaks between parts of a split
 * 4. `manifest.ts`    `Clip`, `Manifest`, and the file they are kept in
 * 5. `splits.ts`      train, val, test: from columns, folds, or drawn by group and class
 * 6. `sampling.ts`    which frames: TSN segments, dense strides, key frames
 * 7. `decode.ts`      those frames as RGB (`frametable.ts` numbers them, `backend.ts` talks to FFmpeg's libraries)
 * 8. `transform.ts`   resize, crop, flip, colours, normalise (`resize.ts`, `color.ts`) → network input
 * 9. `pool.ts`        6 to 8 for many clips over worker threads (`views.ts` does one clip, `workers.ts` runs threads)
 * 10. `keyframes.ts`  strips of key frames as JPEG; `strips.ts` writes those of many clips
 */

export * from "./decode.ts"
export * from "./doctor.ts"
export * from "./keyframes.ts"
export * from "./manifest.ts"
export * from "./pool.ts"
export { clipOfFile } from "./probe.ts"
export type { Area, Pictures } from "./resize.ts"
export { resize } from "./resize.ts"
export * from "./sampling.ts"
export { normaliseSplit, type Source, type SourceClip, scanSource, VIDEO_ENDINGS } from "./source.ts"
export * from "./splits.ts"
export * from "./strips.ts"
export * from "./transform.ts"
export { type ClipViews, loadViews, type ViewsJob } from "./views.ts"
export type { WorkerOptions } from "./workers.ts"
