/** What finds people in a picture, however it does it. */

import type { Picture } from "../video/draw.ts"
import type { PersonBox } from "./boxes.ts"

export interface PersonDetector {
  /** As the user names it. */
  readonly name: string
  /** Of weights and settings: equal ids find equal boxes. */
  readonly id: string
  /** Scores from which a box counts as sure: begins a track, or stands alone. */
  readonly sure: number
  /** The size to which pictures of this size may be scaled while they are decoded. */
  sizeOf(picture: { width: number; height: number }): { width: number; height: number }
  /** The people of a picture, best first, down to the score `LEAST_SCORE`. */
  find(picture: Picture): Promise<PersonBox[]>
  release(): Promise<void>
}

/** Scores below this are not even looked at by tracks. */
export const LEAST_SCORE = 0.1
