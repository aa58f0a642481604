/** ONNX Runtime's native build: `#engine` in Node. */

import { arithmeticThreads } from "./cores.node.ts"
import type { Engine, EngineModule, Provider } from "./engine.ts"
import { PROVIDERS } from "./engine.ts"

async function load() {
  // the Linux and Windows builds report to their maker unless told not to, before the first session
  process.env.ORT_DISABLE_TELEMETRY ??= "1"
  return import("onnxruntime-node")
}

export const bundledProviders: EngineModule["bundledProviders"] = async (): Promise<readonly Provider[]> => {
  const { listSupportedBackends } = await load()
  const bundled = new Set<string>(listSupportedBackends().flatMap(({ bundled, name }) => (bundled ? [name] : [])))
  return PROVIDERS.filter((name) => bundled.has(name))
}

// left to itself, ONNX Runtime binds its threads to cores: those of two processes to the same ones; and it knows no quotas
export const defaultThreads: EngineModule["defaultThreads"] = () => arithmeticThreads() ?? undefined

export const openEngine: EngineModule["openEngine"] = async (): Promise<Engine> => {
  const { InferenceSession, Tensor } = await load()
  return { InferenceSession, Tensor, writesGivenOutputs: true }
}
