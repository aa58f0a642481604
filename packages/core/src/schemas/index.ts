/**
 * `@fourtier/core/schemas`: every setting of network, stages and views, with its default. Loads nothing but zod.
 *
 * @module
 */

export * from "./bundle.ts"
export * from "./classification.ts"
export * from "./contrastive.ts"
export * from "./detection.ts"
export * from "./detection-bundle.ts"
export * from "./model.ts"
export * from "./pseudo-labels.ts"
export * from "./sampling.ts"
export * from "./schedule.ts"
export * from "./transform.ts"
