/** The networks that are compared: they see the same standardised map and differ in what reads it. */

import type { ModelConfig } from "../model/config.ts"
import { attentiveProbe, linearProbe, rowProbe } from "../model/probes.ts"
import { buildHead } from "../model/recognizer.ts"
import type { AlignmentSpace } from "../model/space.ts"
import { alignmentVote } from "../model/vote.ts"
import { Scope } from "../tensor/nn/params.ts"
import { mul } from "../tensor/ops/functions.ts"
import type { BuildNetwork } from "./finetune.ts"

export const METHODS = ["linear-probe", "row-probe", "attentive-probe", "baseline", "full"] as const
export type Method = (typeof METHODS)[number]

/** `baseline` is the full network without processors (Table 7, group 1). */
export function networkOf(
  method: Method,
  prompts: readonly string[],
  config: ModelConfig,
  space: AlignmentSpace | null,
): BuildNetwork {
  switch (method) {
    case "linear-probe":
      return probe((scope, m, classes) => linearProbe(scope, m, classes))
    case "row-probe":
      return probe((scope, m, classes) => rowProbe(scope, m, classes))
    case "attentive-probe":
      return probe((scope, m, classes) => attentiveProbe(scope, m, classes, config.headWidth))
    case "baseline":
      return head([], config, null)
    case "full":
      return head(prompts, config, space)
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

function head(prompts: readonly string[], config: ModelConfig, space: AlignmentSpace | null): BuildNetwork {
  return (m, size, classes, dropout) => {
    const { logits, values, trained, processors } = buildHead(m, size, classes, prompts, config, dropout)
    const own = { logits, trained, frozen: processors }
    if (!space || values.size === 0 || config.vote === 0) return own
    const { logProbabilities, frozen } = alignmentVote(values, classes, space)
    return { ...own, vote: { scores: mul(logProbabilities, config.vote), frozen } }
  }
}
