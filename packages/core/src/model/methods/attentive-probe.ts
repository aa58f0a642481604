/** One learned query that attends over all tokens. */

import { attentiveProbe } from "../probes.ts"
import { defineMethod } from "./method.ts"
import { probeNetwork } from "./probe.ts"

export const attentiveProbeMethod = defineMethod({
  name: "attentive-probe",
  trainedBy: "attentiveProbe",
  aligned: false,
  build: ({ model }) => probeNetwork((scope, m, classes) => attentiveProbe(scope, m, classes, model.headWidth)),
})
