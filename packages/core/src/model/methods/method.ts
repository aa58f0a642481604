/** What a method of a comparison is: a network, the settings that train it, and whether stage 1 comes first. */

import type { ModelConfig } from "../../schemas/model.ts"
import type { BuildNetwork } from "../network.ts"
import type { AlignmentSpace } from "../space.ts"

/** Sections of the configuration that a method may be trained by. */
export type TrainingSection = "finetune" | "linearProbe" | "rowProbe" | "attentiveProbe" | "vjepaProbe"

/** What a network may depend on beyond its input. */
export interface MethodContext {
  /** Ids of the prompts, one processor each. */
  prompts: readonly string[]
  model: ModelConfig
  /** Where clips and texts meet; null without texts. */
  space: AlignmentSpace | null
}

export interface MethodDefinition<Name extends string = string> {
  readonly name: Name
  /** What its figures are reported as; default: the name. */
  readonly title?: string
  readonly trainedBy: TrainingSection
  /** Whether its network has the processors of stage 1. */
  readonly aligned: boolean
  /** A control: stage 1 learns from the answers about other clips. */
  readonly shuffled?: boolean
  build(context: MethodContext): BuildNetwork
}

/**
 * Keeps the literal type of the name.
 *
 * @example
 * ```ts
 * import { defineMethod, linearProbe } from "@fourtier/core/model"
 * import { Scope } from "@fourtier/tensor/nn"
 *
 * const method = defineMethod({
 *   name: "my probe",
 *   trainedBy: "linearProbe",
 *   aligned: false,
 *   build: () => (input, _size, classes) => {
 *     const scope = new Scope()
 *     return { logits: linearProbe(scope, input.m, classes), trained: scope.params, frozen: [] }
 *   },
 * })
 * ```
 */
export function defineMethod<const Name extends string>(method: MethodDefinition<Name>): MethodDefinition<Name> {
  return method
}
