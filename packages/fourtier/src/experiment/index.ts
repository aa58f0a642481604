/**
 * `fourtier/experiment`: both stages and their baselines, split by split and seed by seed.
 *
 * 1. `experiment.ts` what all splits and seeds share; `trial.ts` one of them
 * 2. `fit.ts`, `stage1.ts` processors meet text embeddings; `stage2.ts` the classifier meets labels
 * 3. `pseudo-labelled.ts` classes of clips without a label, from the answers about them
 * 4. `held-out.ts` what a method says of training clips that it was not trained on: to calibrate it with (`calibrate.ts`)
 * 5. `inspection.ts` what the trained method makes of single clips; `doubts.ts` whose label is doubtful
 * 6. `zero-shot.ts` clips and class texts in a space that they share
 *
 * @module
 */

export * from "./alignment.ts"
export * from "./background.ts"
export * from "./calibrate.ts"
export * from "./check.ts"
export * from "./doubts.ts"
export * from "./examples.ts"
export * from "./experiment.ts"
export * from "./fit.ts"
export * from "./flat-map.ts"
export * from "./held-out.ts"
export * from "./inspection.ts"
export * from "./language.ts"
export * from "./pseudo-label-figures.ts"
export * from "./pseudo-labelled.ts"
export * from "./stage1.ts"
export * from "./stage2.ts"
export * from "./suggest.ts"
export * from "./together.ts"
export * from "./trial.ts"
export * from "./zero-shot.ts"
