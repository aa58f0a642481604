/**
 * `@fourtier/core/model`: the network as graphs, and every method of a comparison. Read `head.ts` first.
 *
 * @module
 */

export * from "./attentive-classifier.ts"
export * from "./classifier.ts"
export * from "./flops.ts"
export * from "./head.ts"
export * from "./heads.ts"
export * from "./integration.ts"
export * from "./language.ts"
export * from "./map.ts"
export * from "./methods/index.ts"
export * from "./methods/method.ts"
export * from "./network.ts"
export * from "./pooling.ts"
export * from "./probes.ts"
export * from "./processor.ts"
export * from "./prototypes.ts"
export * from "./regions.ts"
export * from "./shipped.ts"
export * from "./space.ts"
export * from "./standardize.ts"
