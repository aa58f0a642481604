/**
 * `fourtier/people`: where people are in a picture, and who is who from one picture to the next.
 *
 * 1. `detector.ts`  what finds people: `embedded.ts` with an npm package, `onnx.ts` any ONNX file, by how its outputs are read
 *                   (`outputs.ts`, `fit.ts`, `boxes.ts`)
 * 2. `find.ts`      the people of a whole video, kept in the cache
 * 3. `track.ts`     boxes → tracks (`assign.ts`; `part.ts` and `look.ts` tell apart who stood close together)
 *
 * @module
 */

export * from "./assign.ts"
export * from "./boxes.ts"
export * from "./detector.ts"
export { EMBEDDED, type EmbeddedName, type EmbeddedOptions, openEmbeddedDetector } from "./embedded.ts"
export * from "./find.ts"
export * from "./fit.ts"
export { lookOf } from "./look.ts"
export * from "./onnx.ts"
export * from "./open.ts"
export {
  FORMAT_NAMES,
  FORMATS,
  type FormatName,
  type OutputArray,
  type OutputFormat,
  readOutputs,
  tellFormat,
} from "./outputs.ts"
export * from "./track.ts"
