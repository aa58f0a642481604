/**
 * `@fourtier/core/objective`: the losses of both stages, and mixup.
 *
 * @module
 */

export * from "./binary.ts"
export * from "./classification.ts"
export * from "./contrastive.ts"
export * from "./mixup.ts"
