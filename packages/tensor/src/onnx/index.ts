/**
 * `@fourtier/tensor/onnx`: ONNX models as bytes: written, read, joined, upgraded, stored in fewer bits.
 *
 * @module
 */

export { decodeModel } from "./decode.ts"
export { encodeModel, encodeModelPieces } from "./encode.ts"
export { storeAsFloat16 } from "./float16.ts"
export { quantise } from "./int8.ts"
export { mergeModels } from "./merge.ts"
export {
  type AttributeProto,
  DataType,
  type ExternalData,
  type FunctionProto,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type OperatorSet,
  type TensorProto,
  type ValueInfo,
} from "./proto.ts"
export { placesInFile, type StoredBytes, shareWeights } from "./share.ts"
export { opsetOf, upgradeOpset } from "./upgrade.ts"
export { type GraphOptions, OPSET, toOnnx } from "./write.ts"
