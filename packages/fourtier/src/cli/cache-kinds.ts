/** What `fourtier cache` shows and removes. */

/** What is kept, as the verb names it. */
export const CACHE_KINDS = [
  "features",
  "strips",
  "texts",
  "alignments",
  "measurements",
  "people",
  "proofs",
  "answers",
  "tests",
  "objects",
  "work",
  "checkpoints",
  "other",
] as const

export type CacheKind = (typeof CACHE_KINDS)[number]
