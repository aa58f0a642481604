/** Every method that a comparison may hold. A new one is a file beside these and a line here. */

import { attentiveProbeMethod } from "./attentive-probe.ts"
import { baselineMethod } from "./baseline.ts"
import { fullMethod } from "./full.ts"
import { linearProbeMethod } from "./linear-probe.ts"
import type { MethodDefinition } from "./method.ts"
import { rowProbeMethod } from "./row-probe.ts"

export const METHODS = [linearProbeMethod, rowProbeMethod, attentiveProbeMethod, baselineMethod, fullMethod] as const

export type Method = (typeof METHODS)[number]["name"]

export const METHOD_NAMES: readonly Method[] = METHODS.map(({ name }) => name)

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
