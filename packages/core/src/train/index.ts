/**
 * `@fourtier/core/train`: the loop, both stages as its tasks, and what they learn from. Read `loop.ts` first.
 *
 * @module
 */

export * from "./align.ts"
export * from "./align-graphs.ts"
export * from "./checkpoint.ts"
export * from "./clip-rows.ts"
export * from "./clip-texts.ts"
export { alone, type Collective, fromFirst } from "./collective.ts"
export * from "./detect.ts"
export * from "./evidence.ts"
export * from "./features.ts"
export * from "./finetune.ts"
export * from "./journal.ts"
export * from "./language.ts"
export * from "./language-evidence.ts"
export * from "./loop.ts"
export * from "./network-reader.ts"
export * from "./prototypes.ts"
export { type PseudoLabels, type PseudoLabelsInput, pseudoLabel } from "./pseudo-labels.ts"
export * from "./region-rows.ts"
export * from "./retrieval.ts"
export * from "./ridge.ts"
export * from "./ridge-classifier.ts"
export * from "./standardize.ts"
export * from "./task.ts"
export * from "./vectors.ts"
