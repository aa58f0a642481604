/** The names of a split's parts, and their synonyms. */

const SPLIT_NAMES: Readonly<Record<string, string>> = {
  train: "train",
  training: "train",
  val: "val",
  valid: "val",
  validation: "val",
  dev: "val",
  test: "test",
  testing: "test",
}

/** Whether this is train, val, test or a synonym of one. */
export function isSplitName(value: string): boolean {
  return Object.hasOwn(SPLIT_NAMES, value.trim().toLowerCase())
}

/**
 * "training" becomes "train", "validation" "val", and so on; other values stay.
 *
 * @example
 * ```ts
 * import { normaliseSplit } from "fourtier/video"
 *
 * normaliseSplit("Validation") // "val"
 * ```
 */
export function normaliseSplit(value: string): string {
  const name = value.trim().toLowerCase()
  return Object.hasOwn(SPLIT_NAMES, name) ? SPLIT_NAMES[name] : value.trim()
}
