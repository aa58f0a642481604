/**
 * ONNX Runtime in a page: `#engine` where the `browser` condition holds. WebAssembly and WebGPU are separate builds, and only the
 * one that a session asks for is fetched. The page says where its `.wasm` files are:
 *
 * ```ts
 * import { env } from "onnxruntime-web/wasm"
 * env.wasm.wasmPaths = "/assets/"
 * ```
 */

import type { Engine, EngineModule, Provider } from "./engine.ts"

export const bundledProviders: EngineModule["bundledProviders"] = async (): Promise<readonly Provider[]> => {
  const navigator: unknown = Reflect.get(globalThis, "navigator")
  const gpu = typeof navigator === "object" && navigator !== null && "gpu" in navigator
  return gpu ? ["cpu", "webgpu"] : ["cpu"]
}

export const defaultThreads: EngineModule["defaultThreads"] = () => undefined

export const openEngine: EngineModule["openEngine"] = async (provider, threads): Promise<Engine> => {
  const { env, InferenceSession, Tensor } =
    provider === "webgpu" ? await import("onnxruntime-web/webgpu") : await import("onnxruntime-web/wasm")
  if (threads !== undefined) env.wasm.numThreads = threads
  return { InferenceSession, Tensor, writesGivenOutputs: false }
}
