/** Asks a model about a data set's clips, or estimates what that would cost. */

import { terminalReporter } from "@fourtier/core/node"
import { describe, estimateDescriptions } from "../../describe/describe.ts"
import type { SharedRunOptions } from "../describe-options.ts"
import { interruptible } from "../interrupt.ts"
import { formatEstimate } from "./describe-print.ts"
import { openRun } from "./describe-setup.ts"

/** The exit status is 1 when a question has no answer. */
export async function runDescribe(data: string, options: SharedRunOptions): Promise<void> {
  const run = await openRun(data, options, terminalReporter())
  try {
    if (options.estimate === true) {
      process.stdout.write(formatEstimate(await estimateDescriptions(run), run.provider))
      return
    }
    const { failed } = await interruptible((signal) => describe({ ...run, signal }))
    if (failed.length > 0) process.exitCode = 1
  } finally {
    await run.provider.close?.()
  }
}
