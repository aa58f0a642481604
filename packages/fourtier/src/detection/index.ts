/**
 * `fourtier/detection`: who does what, where (paper Sec. 4.2).
 *
 * 1. `read.ts`          annotations → key frames with people (`data.ts`): `ava.ts` as AVA distributes them, `cvat.ts` and `table.ts`
 *                       anyone's own, which `own.ts` puts together
 * 2. `person-boxes.ts`  boxes of a person detector, from a file; `detected.ts` from the detector itself
 * 3. `clips.ts`         the clip around each key frame; `people.ts` each person in it as a clip that can be described
 * 4. `words.ts`         stage 1 from answers about clips or people; `labelled.ts` whose classes are learned
 * 5. `compare.ts`       methods side by side, with true and with detected boxes; `tested.ts` their figures
 *
 * @module
 */

export * from "./ava.ts"
export { type ClippedPart, clipKeyFrames, type FramedClip } from "./clips.ts"
export {
  CLASS_SHARES,
  type Comparison,
  type ComparisonSettings,
  compareDetectors,
  DETECTORS,
  type Detector,
  type MethodDifference,
  type MethodScore,
  type TrainedDetector,
} from "./compare.ts"
export { readCvat } from "./cvat.ts"
export * from "./data.ts"
export * from "./detected.ts"
export * from "./labelled.ts"
export type { OwnOptions } from "./own.ts"
export { type PersonClip, peopleClips } from "./people.ts"
export * from "./person-boxes.ts"
export * from "./read.ts"
export * from "./table.ts"
export type { Figures } from "./tested.ts"
export {
  alignWords,
  type DetectionWords,
  type StageOne,
  type StageOneSettings,
  SUBJECTS,
  type Subject,
} from "./words.ts"
