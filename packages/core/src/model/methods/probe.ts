/** Probes: one reading of the standardised map, nothing frozen. */

import type { Tensor } from "@fourtier/tensor"
import { Scope } from "@fourtier/tensor/nn"
import type { BuildNetwork } from "../network.ts"

/** The network of a probe. `read`: m [B,T,N,D] -> logits [B,C] */
export function probeNetwork(read: (scope: Scope, m: Tensor, classes: number) => Tensor): BuildNetwork {
  return ({ m }, _, classes) => {
    const scope = new Scope("probe")
    return { logits: read(scope, m, classes), trained: scope.params, frozen: [] }
  }
}
