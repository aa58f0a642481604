/**
 * `@fourtier/core`: the Four-Tiered Prompts method, in Node and in the browser.
 *
 *  1. `./schemas`    every setting with its default
 *  2. `./frames`     frames → sampled, transformed views
 *  3. `./model`      processors, integration, blocks and classifier as graphs; the methods of a comparison
 *  4. `./objective`  InfoNCE and soft cross-entropy
 *  5. `./train`      stage 1 and stage 2 as tasks, and the loop they share
 *  6. `./metrics`    metrics and intervals
 *  7. `./bundle`     a shipped model, and recognising with it
 *
 * `./node` adds files, terminal and threads. Here: progress, and a few small helpers.
 *
 * @module
 */

export * from "./util/breathe.ts"
export * from "./util/csv-line.ts"
export * from "./util/group.ts"
export * from "./util/plural.ts"
export * from "./util/progress.ts"
export * from "./util/temperature.ts"
