/**
 * `fourtier/detection`: who does what, where (paper Sec. 4.2).
 *
 * 1. `ava.ts`           annotations as AVA distributes them → key frames with people (`data.ts`)
 * 2. `person-boxes.ts`  boxes of a person detector
 * 3. `clips.ts`         the clip around each key frame
 * 4. `compare.ts`       methods side by side, with true and with detected boxes
 *
 * @module
 */

export * from "./ava.ts"
export * from "./clips.ts"
export * from "./compare.ts"
export * from "./data.ts"
export * from "./person-boxes.ts"
