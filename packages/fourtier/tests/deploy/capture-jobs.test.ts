/** Protects what the capturing process is told: it understands every size that a bundle's first step asks for. */

import { leadingSize, transformOf } from "@fourtier/core/frames"
import type { Step } from "@fourtier/core/schemas"
import { expect, it } from "vitest"
import { captureOrderSchema } from "../../src/deploy/live/capture-jobs.ts"

it.each<Step>([
  { step: "shortSide", size: 256 },
  { step: "letterbox", size: 192, fill: [0, 0, 0] },
  { step: "letterbox", size: 256, height: 192, fill: [0, 0, 0] },
  { step: "stretch", width: 224, height: 224 },
])("arrives as $step has it, case %#", (step) => {
  const size = leadingSize(transformOf([step]))
  const source = { kind: "file", name: "a.mp4", url: "a.mp4", format: null, options: {} }
  const order = captureOrderSchema.parse({ job: { source, size, pace: null, live: false } })
  expect("job" in order && order.job.size).toEqual(size)
})
