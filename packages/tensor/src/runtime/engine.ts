/**
 * What the tensor layer needs of ONNX Runtime. `#engine` names the module that has it on this platform: `engine.node.ts` on the
 * native build, `engine.web.ts` on the page's WebAssembly or WebGPU. Nothing is loaded before the first session.
 */

import type { InferenceSessionFactory, TensorConstructor } from "onnxruntime-common"

/** Devices that a session may run on, by ONNX Runtime's names. In a page, `cpu` is WebAssembly. */
export const PROVIDERS = ["cpu", "cuda", "webgpu", "coreml", "dml"] as const
export type Provider = (typeof PROVIDERS)[number]

/** ONNX Runtime's own interface, the same on every platform. */
export interface Engine {
  readonly InferenceSession: InferenceSessionFactory
  readonly Tensor: TensorConstructor
  /** Whether a run writes into the arrays of outputs that it is given, as the native build does; WebAssembly has memory of its own. */
  readonly writesGivenOutputs: boolean
}

/** The exports of `#engine`. */
export interface EngineModule {
  /** The providers that this build includes. Whether a device is present shows only when it is used. */
  bundledProviders(): Promise<readonly Provider[]>
  /** Threads of an op where none are asked for: the same on every run of a machine. Undefined: ONNX Runtime's choice. */
  defaultThreads(): number | undefined
  openEngine(provider: Provider, threads: number | undefined): Promise<Engine>
}
