/** Clips around key frames, or the people in them, as what `fourtier describe` is about. */

import type { Reporter } from "@fourtier/core"
import type { Corners } from "@fourtier/core/frames"
import { frameKey } from "@fourtier/core/metrics"
import { clipKeyFrames } from "../../detection/clips.ts"
import { peopleClips } from "../../detection/people.ts"
import { readAnnotations } from "../../detection/read.ts"
import { SUBJECTS } from "../../detection/words.ts"
import type { Clip } from "../../video/manifest.ts"
import type { DataOptions } from "../describe-options.ts"
import { oneOf } from "./one-of.ts"

/** What is described of annotated people. */
export interface DescribedPeople {
  clips: Clip[]
  /** The part of each, by its id; key frames that do not count are in none. */
  parts: Map<string, string>
  /** What strips show of each, by its id; null: the whole picture. */
  regions: ReadonlyMap<string, Corners> | null
}

/**
 * As `fourtier detection` describes them.
 * @param subject `clip` or `person`
 */
export async function loadPeople(
  data: string,
  subject: string,
  { window = 2, every = 1, frameRate }: DataOptions,
  reporter: Reporter,
): Promise<DescribedPeople> {
  const whom = oneOf("--subject", subject, SUBJECTS)
  const annotations = await readAnnotations(data, { every, frameRate })
  for (const note of annotations.notes) reporter.warn(note)
  const clips: Clip[] = []
  const parts = new Map<string, string>()
  const regions = new Map<string, Corners>()
  for (const part of await clipKeyFrames(annotations, window, reporter)) {
    const counted = part.clips.filter(({ keyFrame }) => !part.excluded.has(frameKey(keyFrame)))
    const people = whom === "person" ? peopleClips(counted, annotations, window) : []
    for (const { clip, region } of people) regions.set(clip.id, region)
    const own = whom === "person" ? people.map(({ clip }) => clip) : counted.map(({ clip }) => clip)
    for (const clip of own) parts.set(clip.id, part.name)
    clips.push(...own)
  }
  return { clips, parts, regions: whom === "person" ? regions : null }
}
