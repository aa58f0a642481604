/** The networks that are compared: they see the same standardised map and differ in what reads it. */

import type { ModelConfig } from "../model/config.ts"
import { attentiveProbe, linearProbe } from "../model/probes.ts"
import { buildHead } from "../model/recognizer.ts"
import { Scope } from "../tensor/nn/params.ts"
import type { BuildNetwork } from "./finetune.ts"

export const METHODS = ["linear-probe", "attentive-probe", "baseline", "full"] as const
export type Method = (typeof METHODS)[number]

/** `baseline` is the full network without processors (Table 7, group 1). */
export function networkOf(method: Method, prompts: readonly string[], config: ModelConfig): BuildNetwork {
  switch (method) {
    case "linear-probe":
      return probe((scope, m, classes) => linearProbe(scope, m, classes))
    case "attentive-probe":
      return probe((scope, m, classes) => attentiveProbe(scope, m, classes, config.headWidth))
    case "baseline":
      return head([], config)
    case "full":
      return head(prompts, config)
  }
}

function probe(
  logits: (scope: Scope, m: Parameters<BuildNetwork>[0], classes: number) => ReturnType<typeof linearProbe>,
) {
  const build: BuildNetwork = (m, _, classes) => {
    const scope = new Scope("probe")
    return { logits: logits(scope, m, classes), trained: scope.params, frozen: [] }
  }
  return build
}

function head(prompts: readonly string[], config: ModelConfig): BuildNetwork {
  return (m, size, classes, dropout) => {
    const { logits, trained, processors } = buildHead(m, size, classes, prompts, config, dropout)
    return { logits, trained, frozen: processors }
  }
}
