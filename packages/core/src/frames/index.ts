/**
 * `@fourtier/core/frames`: from a clip's frames to a network's input: which frames, and what is done to their pixels.
 *
 * @module
 */

export * from "./boxes.ts"
export * from "./color.ts"
export * from "./grid.ts"
export * from "./resize.ts"
export * from "./sampling.ts"
export * from "./source.ts"
export * from "./times.ts"
export * from "./transform.ts"
export * from "./views.ts"
