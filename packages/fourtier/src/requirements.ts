/** What a configuration needs and decides, told from the settings alone: before anything is measured or computed. */

import { type Method, methodNamed, titleOf } from "@fourtier/core/model"
import { FourtierError } from "@fourtier/tensor"
import { hashJson } from "@fourtier/tensor/node"
import type { Config } from "./config.ts"
import { providerBeside } from "./describe/beside.ts"
import { type PromptSet, resolvePrompts } from "./describe/prompts.ts"
import { countLabelled } from "./experiment/examples.ts"
import { ZERO_SHOT } from "./text/settings.ts"
import type { Split } from "./video/splits.ts"

/** Names all settings that decide the results: where the cache is does not. */
export function hashOf(config: Config): string {
  return hashJson({ ...config, cache: undefined })
}

/** Prompt ids and texts of the config. */
export function promptsOf({ prompts }: Config): PromptSet {
  return resolvePrompts(prompts)
}

/**
 * The methods that train a network. An alignment from elsewhere that is not refined has learned from its own answers: there are
 * none to shuffle.
 */
export function trainedMethods({
  methods,
  alignment,
  align,
}: Pick<Config, "methods" | "alignment" | "align">): Method[] {
  const trained = methods.filter((name) => name !== ZERO_SHOT)
  return alignment && !align.refine ? trained.filter((name) => !methodNamed(name).shuffled) : trained
}

/** Whether any method here learns from answers, or from what stage 1 has learned from answers elsewhere. */
export function learnsFromWords(config: Config): boolean {
  return trainedMethods(config).some((name) => methodNamed(name).aligned) && promptsOf(config).prompts.length > 0
}

/**
 * That an alignment which is named can be used.
 * @throws FourtierError where nothing that is trained here would learn from it
 */
export function checkAlignmentUsed(config: Config): void {
  if (!config.alignment || learnsFromWords(config)) return
  const none = promptsOf(config).prompts.length === 0
  throw new FourtierError({
    where: none ? "prompts" : "methods",
    what: `nothing would be learned from the alignment ${config.alignment}`,
    expected: none ? "the prompts that it was made with, or some of them" : "full, the method that learns from it",
    found: none ? "none" : config.methods.join(", "),
    fix: `${none ? "set prompts=paper" : "add full to methods"}, or leave the alignment out`,
  })
}

/** Whether answers about these clips are wanted: with an alignment from elsewhere, only where there is a source of them. */
export function needsAnswers(config: Config, data: string): boolean {
  return learnsFromWords(config) && (!config.alignment || (config.describe ?? providerBeside(data)) !== null)
}

/**
 * That the model to ship can learn something.
 * @throws FourtierError where it learns from labels alone and no label may be used
 */
export function checkLabels(
  splits: readonly Split[],
  methods: readonly Method[],
  { labelsPerClass }: Pick<Config, "labelsPerClass">,
): void {
  const shipped = methods.includes("full") ? "full" : methods[0]
  if (shipped === undefined || methodNamed(shipped).aligned) return
  const bare = splits.find(({ train }) => countLabelled(train, labelsPerClass) === 0)
  if (!bare) return
  throw new FourtierError({
    where: "methods",
    what: `${titleOf(shipped)} learns from labels alone, and there are none that may be used`,
    expected: "labelled training clips, or the method full, which learns from words",
    found: `no label in ${bare.name}`,
    fix: "add full to methods, label clips, or raise labelsPerClass",
  })
}

/** Who answers the prompts. @throws FourtierError where nobody does */
export function sourceOfAnswers(data: string, { describe }: Config): NonNullable<Config["describe"]> {
  const provider = describe ?? providerBeside(data)
  if (provider) return provider
  throw new FourtierError({
    where: "describe",
    what: "no source of answers to the prompts",
    expected: "a provider in the configuration, or recorded answers in descriptions.jsonl beside the data",
    fix: "name a provider, or put answers there: `fourtier describe import` (docs/describe.md); or train without prompts: --set 'prompts=[]' 'methods=[baseline]'",
  })
}
