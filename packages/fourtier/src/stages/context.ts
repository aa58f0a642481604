/** What every stage is given. */

import type { Reporter } from "@fourtier/core"
import type { Config } from "../config.ts"
import type { StageClock } from "../util/stage-clock.ts"

export interface StageContext {
  config: Config
  reporter: Reporter
  signal?: AbortSignal
  /** Told what is asked for and paid. */
  clock?: StageClock
}
