/** Which device ONNX Runtime computes on. */

import type { InferenceSession } from "onnxruntime-node"
import { listSupportedBackends } from "onnxruntime-node"
import { FourtierError } from "../../util/errors.ts"

export const PROVIDERS = ["cpu", "cuda", "webgpu", "coreml", "dml"] as const
export type Provider = (typeof PROVIDERS)[number]
export type ProviderChoice = Provider | "auto"

/** Fastest first. */
const PREFERENCE: readonly Provider[] = ["cuda", "coreml", "dml", "cpu"]

/** The providers that this build of ONNX Runtime brings along. That a device is present shows only when it is used. */
export function availableProviders(): Provider[] {
  const bundled = new Set(listSupportedBackends().flatMap((b) => (b.bundled ? [b.name] : [])))
  return PROVIDERS.filter((name) => bundled.has(name))
}

/** The providers to try, in order. Throws when the one asked for by name is not in this build. */
export function providersToTry(choice: ProviderChoice): Provider[] {
  const available = availableProviders()
  if (choice === "auto") return PREFERENCE.filter((name) => available.includes(name))
  if (available.includes(choice)) return [choice]
  throw new FourtierError({
    where: "provider",
    what: `ONNX Runtime here has no ${choice} provider`,
    expected: `one of ${["auto", ...available].join(", ")}`,
    found: choice,
    fix:
      choice === "cuda" ? "see docs/dependencies.md for how to install the CUDA libraries" : "choose another provider",
  })
}

export function executionProviders(provider: Provider): InferenceSession.ExecutionProviderConfig[] {
  return provider === "cpu" ? ["cpu"] : [provider, "cpu"]
}
