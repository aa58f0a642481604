/**
 * `fourtier/tensor`: symbolic tensors on ONNX Runtime.
 *
 * 1. Build a graph from inputs and constants with the functions of `ops/functions.ts`.
 * 2. Differentiate it: `grad(loss, targets)` adds nodes to the same graph.
 * 3. Compile and run it: `Session.compile({ outputs })`, `session.run(feeds)`; or write it as ONNX.
 */

export * from "./dtype.ts"
export { grad } from "./grad.ts"
export { type GraphOptions, OPSET, toOnnx } from "./onnx/write.ts"
export * from "./ops/functions.ts"
export * from "./optim/index.ts"
export { availableProviders, PROVIDERS, type Provider, type ProviderChoice } from "./runtime/provider.ts"
export { evaluate, liveSessions, Session, type SessionOptions, type Values, writeOnnx } from "./runtime/session.ts"
export { type Shape, sizeOf } from "./shape.ts"
export { constant, fill, input, scalar, Tensor, type TensorType, topologicalOrder } from "./tensor.ts"
