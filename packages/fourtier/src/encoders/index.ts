/**
 * `fourtier/encoders`: frozen visual encoders. `catalog.ts` has every kind, `encoder.ts` what they all offer, `checkpoint/` reads
 * files of weights.
 *
 * @module
 */

export { type EncoderConfig, encoderSchema, openVisualEncoder } from "./catalog.ts"
export {
  type Checkpoint,
  type CheckpointOptions,
  type CheckpointPart,
  openCheckpoint,
} from "./checkpoint/checkpoint.ts"
export type { TorchFormat } from "./checkpoint/torch.ts"
export { costOfView, type HeadCost, headCost } from "./cost.ts"
export { encoderShapes, type FrameWise, type JointSpace, MAP, openEncoder, type VisualEncoder } from "./encoder.ts"
export type { JointTower } from "./joint.ts"
export type { Precision } from "./precision.ts"
