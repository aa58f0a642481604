/** What every stage is given. */

import type { Reporter } from "@fourtier/core"
import type { Config } from "../config.ts"
import type { Ranks } from "../mpi/index.ts"
import type { StageClock } from "../util/stage-clock.ts"

export interface StageContext {
  config: Config
  reporter: Reporter
  signal?: AbortSignal
  /** The processes that train together, where this is the first of several. */
  ranks?: Ranks
  /** Told what is asked for and paid. */
  clock?: StageClock
}
