/** A linear layer on the T+N pooled rows, which keeps frame and place. */

import { rowProbe } from "../probes.ts"
import { defineMethod } from "./method.ts"
import { probeNetwork } from "./probe.ts"

export const rowProbeMethod = defineMethod({
  name: "row-probe",
  trainedBy: "rowProbe",
  aligned: false,
  build: () => probeNetwork(rowProbe),
})
