/**
 * `fourtier/features`: what the frozen encoder sees of each clip, computed once.
 *
 * 1. `extract.ts` clips → views → encoder → store
 * 2. `store.ts` maps and pooled rows on disk, read by offset
 *
 * @module
 */

export * from "./compact.ts"
export { checkFrames } from "./encode-stage.ts"
export * from "./extract.ts"
export * from "./store.ts"
