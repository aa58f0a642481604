/** The attentive probe of V-JEPA 2's evaluations: three blocks of self-attention, and one of a learned query. */

import { FourtierError, reshape } from "@fourtier/tensor"
import { attentiveClassifier } from "../attentive-classifier.ts"
import { headsFor } from "../heads.ts"
import { defineMethod } from "./method.ts"
import { probeNetwork } from "./probe.ts"

export const vjepaProbeMethod = defineMethod({
  name: "vjepa-probe",
  trainedBy: "vjepaProbe",
  aligned: false,
  build: ({ model }) =>
    probeNetwork((scope, m, classes) => {
      const [B, T, N, D] = m.shape
      const heads = headsOf(D, model.probeHeads, model.headWidth)
      return attentiveClassifier(scope, reshape(m, [B, T * N, D]), classes, { heads }).logits
    }),
})

function headsOf(width: number, set: number | null, headWidth: number): number {
  if (set === null) return headsFor(width, headWidth)
  if (width % set === 0) return set
  throw new FourtierError({
    where: "model.probeHeads",
    what: "the heads of vjepa-probe do not divide the map's channels",
    expected: `a divisor of ${width}, or null`,
    found: String(set),
  })
}
