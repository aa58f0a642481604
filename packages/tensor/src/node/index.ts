/**
 * `@fourtier/tensor/node`: files: whole or absent, `.npy` and safetensors read in ranges, ONNX with its data beside it.
 *
 * @module
 */

export { arithmeticThreads, usableCores } from "../runtime/cores.node.ts"
export {
  canonicalJson,
  hashFile,
  hashJson,
  notWritten,
  readJson,
  readText,
  requireFile,
  sweepTemporaries,
  temporaryName,
  writeAtomically,
  writeFileAtomic,
  writeJson,
} from "./files.ts"
export { NpyReader, NpyWriter, readNpy, writeNpy } from "./npy.ts"
export type { NpyType } from "./npy-header.ts"
export { externalFiles, readOnnx, writeOnnx, writeOnnxSharing } from "./onnx-file.ts"
export { Safetensors, type TensorEntry, type TensorSource, writeSafetensors } from "./safetensors.ts"
export {
  allocateStored,
  bytesOf,
  countOf,
  openFile,
  type ReadableFile,
  readExactly,
  type StoredArrays,
  type StoredData,
  type StoredTensor,
  type StoredType,
  storedBytes,
  toFloat32,
  writeExactly,
} from "./stored.ts"
