/**
 * `@fourtier/core/bundle`: a shipped model, and recognising with it, in Node and in the browser.
 *
 * @module
 */

export * from "../schemas/bundle.ts"
export * from "../schemas/detection-bundle.ts"
export * from "./answer.ts"
export * from "./detector.ts"
export * from "./events.ts"
export * from "./parse.ts"
export * from "./recognizer.ts"
export * from "./spans.ts"
export * from "./stream.ts"
