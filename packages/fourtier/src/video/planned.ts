/** The splits of a data set as every verb sees them: from the data's columns, else with the test part that is kept beside it. */

import type { Reporter } from "@fourtier/core"
import type { Manifest } from "./manifest.ts"
import type { SplitOptions } from "./split-settings.ts"
import { drawsTest, resolveSplits, type Split } from "./splits.ts"
import { keepTestPart, tellTestPart } from "./test-part-file.ts"
import { noteTested } from "./tested.ts"

export interface PlanOptions {
  /** `tests` of the cache. */
  folder: string
  /** False leaves all files as they are: to say what a run would do. */
  write: boolean
  reporter: Reporter
}

/**
 * As `resolveSplits`; where a test part is drawn, it is the one drawn before, with new clips added, and it is kept. What there is to
 * say of it is said. Which clips are test clips is noted for good.
 * @param data the folder or table that the manifest is of
 *
 * @example
 * ```ts
 * import { silent } from "@fourtier/core"
 * import { planSplits, readManifest, splitSchema } from "fourtier/video"
 *
 * const { manifest } = await readManifest("runs/mine/manifest.jsonl")
 * const options = { folder: "cache/tests", write: true, reporter: silent }
 * const [{ train, val, test }] = await planSplits("clips", manifest, splitSchema.parse({}), options)
 * ```
 */
export async function planSplits(
  data: string,
  manifest: Manifest,
  split: SplitOptions,
  { folder, write, reporter }: PlanOptions,
): Promise<Split[]> {
  const { clips } = manifest
  if (!drawsTest(clips, split)) {
    const splits = resolveSplits(manifest, split)
    if (write) await noteTested(folder, data, splits)
    return splits
  }
  const kept = await keepTestPart(data, clips, { ...split, folder, write })
  for (const note of tellTestPart(kept, clips.length, split, write)) reporter.say(note)
  const splits = resolveSplits(manifest, split, kept.test)
  if (write) await noteTested(folder, data, splits)
  return splits
}
