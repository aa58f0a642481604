/**
 * `fourtier/video`: from a folder of files to arrays of numbers. In the order of the data flow:
 *
 * 1. `source.ts`      what the user has: class folders or tables → clips named, not yet opened (`listing.ts` folders,
 *                     `tables.ts` and `rows.ts` tables, `not-data.ts` what is no data)
 * 2. `probe.ts`       one file measured: frames, size, rate, content hash, or why it cannot be used
 * 3. `doctor.ts`      all files measured in child processes → the manifest; duplicates and leaks between parts of a split;
 *                     `checks.ts` what else is doubtful
 * 4. `manifest.ts`    `Clip`, `Manifest`, and the file they are kept in
 * 5. `splits.ts`      train, val, test: from columns, folds, or drawn by group and class (`stratify.ts`); `planned.ts` with the
 *                     test part that was drawn before (`test-part.ts`)
 * 6. `decode.ts`      chosen frames as RGB (`frametable.ts` numbers them, `fill.ts` decodes, `backend.ts` talks to FFmpeg)
 * 7. `views.ts`       one clip's views: which frames and what is done to them is `@fourtier/core/frames`
 * 8. `pool.ts`        many clips' views over worker threads
 * 9. `keyframes.ts`   strips of key frames as JPEG; `strips.ts` writes those of many clips
 * 10. `reader.ts`     chosen frames of a long video; `annotate.ts` a copy of it with boxes, labels and captions drawn on it (`draw.ts`,
 *                     `lettering.ts`, `marks.ts`, `encode.ts`)
 *
 * @module
 */

export * from "./annotate.ts"
export * from "./decode.ts"
export * from "./doctor.ts"
export * from "./draw.ts"
export * from "./encode.ts"
export { VIDEO_ENDINGS } from "./endings.ts"
export type { Finding } from "./findings.ts"
export * from "./firstlook.ts"
export * from "./keyframes.ts"
export * from "./lettering.ts"
export * from "./manifest.ts"
export * from "./planned.ts"
export * from "./pool.ts"
export { clipOfFile } from "./probe.ts"
export * from "./reader.ts"
export type { SourceClip } from "./rows.ts"
export * from "./small-strips.ts"
export { type Source, scanSource } from "./source.ts"
export { normaliseSplit } from "./split-names.ts"
export * from "./split-settings.ts"
export * from "./splits.ts"
export { hasStrip, stripDoneSchema, stripPath, type WrittenStrip, writeStrips } from "./strips.ts"
export * from "./test-part.ts"
export * from "./test-part-file.ts"
export * from "./tested.ts"
export { type ClipViews, loadViews, type ViewsJob } from "./views.ts"
