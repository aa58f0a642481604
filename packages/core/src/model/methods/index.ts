/** Every method that a comparison may hold. A new one is a file beside these and a line here. */

import { attentiveProbeMethod } from "./attentive-probe.ts"
import { baselineMethod } from "./baseline.ts"
import { fullMethod } from "./full.ts"
import { fullShuffledMethod } from "./full-shuffled.ts"
import { linearProbeMethod } from "./linear-probe.ts"
import type { MethodDefinition } from "./method.ts"
import { rowProbeMethod } from "./row-probe.ts"
import { vjepaProbeMethod } from "./vjepa-probe.ts"

export const METHODS = [
  linearProbeMethod,
  rowProbeMethod,
  attentiveProbeMethod,
  vjepaProbeMethod,
  baselineMethod,
  fullMethod,
  fullShuffledMethod,
] as const

export type Method = (typeof METHODS)[number]["name"]

export const METHOD_NAMES: readonly Method[] = METHODS.map(({ name }) => name)

/** Those that a comparison holds where nobody names others. */
export const DEFAULT_METHODS: readonly Method[] = METHOD_NAMES.filter((name) => name !== "vjepa-probe")

/**
 * The method of that name.
 *
 * @example
 * ```ts
 * import { methodNamed } from "@fourtier/core/model"
 *
 * methodNamed("full").aligned // true
 * ```
 */
export function methodNamed(name: Method): MethodDefinition<Method> {
  const found = METHODS.find((method) => method.name === name)
  if (!found) throw new Error(`internal error: no method ${name}`)
  return found
}

/**
 * What a method's figures are reported as.
 *
 * @example
 * ```ts
 * import { titleOf } from "@fourtier/core/model"
 *
 * titleOf("full-shuffled") // "full, shuffled answers"
 * ```
 */
export function titleOf(name: Method): string {
  return methodNamed(name).title ?? name
}
