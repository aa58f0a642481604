/** What is to be trained. */

import type { StoredClip } from "../store/database.ts"

export interface TrainingJob {
  /** Those with a class and without a problem. */
  clips: StoredClip[]
  /** Clips that show none of the classes: they say how sure nothing looks. */
  background: StoredClip[]
  /** Those that a person has not named yet. */
  unlabelled: StoredClip[]
  classes: string[]
  /** Passes of stage 2; null: as the preset says. */
  epochs: number | null
}

/** What clips of no class are called, as in the data of `fourtier`. */
export const BACKGROUND = "none"
