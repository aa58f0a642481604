/**
 * `@fourtier/tensor/optim`: AdamW on one flat buffer, and learning-rate schedules.
 *
 * @module
 */

export { AdamW, type AdamWOptions, type AdamWState, type StepOptions } from "./adamw.ts"
export type { Parameter } from "./layout.ts"
export { type CosineSchedule, cosineWithWarmup } from "./schedule.ts"
