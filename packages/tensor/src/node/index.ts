/** `@fourtier/tensor/node`: files: whole or absent, `.npy` and safetensors read in ranges, ONNX with its data beside it. */

export * from "./files.ts"
export * from "./npy.ts"
export * from "./onnx-file.ts"
export * from "./safetensors.ts"
export * from "./stored.ts"
