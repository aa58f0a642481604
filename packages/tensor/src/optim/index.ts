/** Optimisation: AdamW on one flat buffer, learning rate schedule. */

export { AdamW, type AdamWOptions, type AdamWState, adamwUpdate, type StepOptions } from "./adamw.ts"
export { type FlatLayout, layout, type Parameter } from "./layout.ts"
export { type CosineSchedule, cosineWithWarmup } from "./schedule.ts"
