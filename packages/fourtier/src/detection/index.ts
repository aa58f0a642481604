/**
 * `fourtier/detection`: who does what, where (paper Sec. 4.2).
 *
 * 1. `read.ts`          annotations → key frames with people (`data.ts`): `ava.ts` as AVA distributes them, `cvat.ts` and `table.ts`
 *                       anyone's own, which `own.ts` puts together
 * 2. `person-boxes.ts`  boxes of a person detector
 * 3. `clips.ts`         the clip around each key frame
 * 4. `compare.ts`       methods side by side, with true and with detected boxes
 *
 * @module
 */

export * from "./ava.ts"
export * from "./clips.ts"
export * from "./compare.ts"
export { readCvat } from "./cvat.ts"
export * from "./data.ts"
export type { OwnOptions } from "./own.ts"
export * from "./person-boxes.ts"
export * from "./read.ts"
export * from "./table.ts"
