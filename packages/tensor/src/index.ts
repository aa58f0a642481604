/**
 * `@fourtier/tensor`: symbolic tensors on ONNX Runtime, in Node and in the browser.
 *
 * 1. Build a graph from inputs and constants with the functions of `ops/functions.ts`.
 * 2. Differentiate it: `grad(loss, targets)` adds nodes to the same graph.
 * 3. Compile and run it: `Session.compile({ outputs })`, `session.run(feeds)`; or write it as ONNX with `toOnnx`.
 *
 * `./nn` has layers, `./optim` AdamW, `./onnx` models as bytes, `./node` files.
 *
 * @module
 */

export { type ArrayOf, type Data, type DType, holds } from "./dtype.ts"
export { assert, type Complaint, FourtierError, messageOf, nearest } from "./errors.ts"
export { nonFinite } from "./finite.ts"
export { countFlops, type Flops, multiplyAdds } from "./flops.ts"
export { grad } from "./grad.ts"
export { floatToHalf, halfToFloat } from "./half.ts"
export { type GraphOptions, toOnnx } from "./onnx/write.ts"
export type { ConvAttrs, OpAttrs, OpName, Pads, PoolAttrs, ResizeAttrs, RoiAttrs } from "./ops/attributes.ts"
export * from "./ops/functions.ts"
export { interpolationMatrix } from "./ops/interpolation.ts"
export { Rng, type RngState } from "./random.ts"
export { availableProviders, PROVIDERS, type Provider, type ProviderChoice } from "./runtime/provider.ts"
export { evaluate, liveSessions, Session, type SessionOptions, type Values } from "./runtime/session.ts"
export { type Shape, sameShape, showShape, sizeOf, type TensorType } from "./shape.ts"
export { constant, fill, input, isOp, scalar, Tensor, topologicalOrder } from "./tensor.ts"
