/** `@fourtier/tensor/onnx`: ONNX models as bytes: read, written, joined, upgraded, stored in fewer bits. */

export * from "./float16.ts"
export * from "./int8.ts"
export * from "./merge.ts"
export * from "./proto.ts"
export * from "./upgrade.ts"
export * from "./write.ts"
