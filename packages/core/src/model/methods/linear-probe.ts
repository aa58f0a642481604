/** A linear layer on the mean over all tokens. */

import { linearProbe } from "../probes.ts"
import { defineMethod } from "./method.ts"
import { probeNetwork } from "./probe.ts"

export const linearProbeMethod = defineMethod({
  name: "linear-probe",
  trainedBy: "linearProbe",
  aligned: false,
  build: () => probeNetwork(linearProbe),
})
