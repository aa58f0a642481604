/**
 * `@fourtier/tensor`: symbolic tensors on ONNX Runtime, in Node and in the browser.
 *
 * 1. Build a graph from inputs and constants with the functions of `ops/functions.ts`.
 * 2. Differentiate it: `grad(loss, targets)` adds nodes to the same graph.
 * 3. Compile and run it: `Session.compile({ outputs })`, `session.run(feeds)`; or write it as ONNX.
 *
 * `./nn` has layers, `./optim` AdamW, `./onnx` models as bytes, `./node` files.
 */

export * from "./dtype.ts"
export * from "./errors.ts"
export * from "./flops.ts"
export { grad } from "./grad.ts"
export * from "./half.ts"
export { type GraphOptions, OPSET, toOnnx } from "./onnx/write.ts"
export { interpolationMatrix } from "./ops/convolution.ts"
export * from "./ops/functions.ts"
export type { OpName } from "./ops/rule.ts"
export * from "./random.ts"
export {
  availableProviders,
  PROVIDERS,
  type Provider,
  type ProviderChoice,
} from "./runtime/provider.ts"
export { evaluate, liveSessions, Session, type SessionOptions, type Values } from "./runtime/session.ts"
export { type Shape, sameShape, showShape, sizeOf } from "./shape.ts"
export { constant, fill, input, isOp, scalar, Tensor, type TensorType, topologicalOrder } from "./tensor.ts"
