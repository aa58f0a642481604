/** Which device ONNX Runtime computes on. */

import type { InferenceSession } from "onnxruntime-common"
import { bundledProviders } from "#engine"
import { FourtierError } from "../errors.ts"
import { PROVIDERS, type Provider } from "./engine.ts"

export { PROVIDERS, type Provider }
/** A provider by name, or the fastest that is there. */
export type ProviderChoice = Provider | "auto"

/** Fastest first. */
const PREFERENCE: readonly Provider[] = ["cuda", "coreml", "dml", "cpu"]

/**
 * The providers that this build of ONNX Runtime includes. Whether a device is present shows only when it is used.
 *
 * @example
 * ```ts
 * import { availableProviders } from "@fourtier/tensor"
 *
 * console.log(await availableProviders()) // ["cpu"] in a page without WebGPU
 * ```
 */
export async function availableProviders(): Promise<readonly Provider[]> {
  return bundledProviders()
}

/** The providers to try, in order. Throws when the one asked for by name is not in this build. */
export async function providersToTry(choice: ProviderChoice): Promise<readonly Provider[]> {
  if (choice === "cpu") return ["cpu"]
  const available = await availableProviders()
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

/** ONNX Runtime's list for `provider`: what it cannot run goes to the CPU. */
export function executionProviders(provider: Provider): InferenceSession.ExecutionProviderConfig[] {
  return provider === "cpu" ? ["cpu"] : [provider, "cpu"]
}
