/**
 * `fourtier/deploy`: trained models out in the world.
 *
 * 1. `bundle.ts` what a shipped model is: one graph from pixels to probabilities, and what there is to know about it.
 * 2. `export.ts` writes one and proves it against the trainer.
 * 3. `recognizer.ts` loads one and recognises.
 */

export { type Bundle, bundleSchema, readBundle } from "./bundle.ts"
export { type ExportOptions, exportBundle, TOLERANCE } from "./export.ts"
export { type Guess, type Recognition, type RecognizeOptions, Recognizer } from "./recognizer.ts"
