/**
 * Nearest-neighbour score of an encoder on labelled clips: what its features know of the classes before anything is trained.
 *
 * ```
 * clips with a label, none of a test part ─ frozen encoder ─ m, mean over views, frames, places [D] ─ nearest other clip
 * ```
 */

import { plural, type Reporter } from "@fourtier/core"
import { type NeighbourScore, nearestNeighbours } from "@fourtier/core/metrics"
import { halfToFloat } from "@fourtier/tensor"
import { type ExtractOptions, extractFeatures } from "../../features/extract.ts"
import { clipsOfFiles } from "../../video/firstlook.ts"
import type { Clip } from "../../video/manifest.ts"
import type { SourceClip } from "../../video/rows.ts"
import { normaliseSplit } from "../../video/split-names.ts"
import { isTestPart } from "../../video/splits.ts"
import { meanRow } from "./feature-similarity.ts"

/** A clip that counts, with what the table says of it. */
export interface LabelledClip {
  clip: Clip
  label: string
  group: string | null
}

export interface NeighbourResult {
  classes: number
  /** Groups that the table names; 0 where it names none. */
  groups: number
  /** Any other clip may be the nearest. */
  anyOther: NeighbourScore
  /** Only clips of other groups may; null where there are no groups, or no class is in two of them. */
  otherGroups: NeighbourScore | null
}

export interface LabelledOptions {
  /** At most so many, evenly spread over the data. */
  count: number
  /** The split column, `split` by default. */
  column?: string
  reporter: Reporter
}

/**
 * Clips to score an encoder on: with one label, and in no test part of the split column, so that an encoder may be chosen by
 * the score. Those that cannot be read are left out with a warning.
 */
export async function labelledClips(
  clips: readonly SourceClip[],
  { count, column, reporter }: LabelledOptions,
): Promise<LabelledClip[]> {
  const sideOf = ({ split, columns }: SourceClip) => normaliseSplit((column ? columns[column] : split) ?? "")
  const labelled = clips.filter((clip) => clip.labels.length === 1 && !isTestPart(sideOf(clip)))
  const step = Math.max(1, labelled.length / count)
  const chosen = Array.from({ length: Math.min(count, labelled.length) }, (_, i) => labelled[Math.floor(i * step)])
  const usable: LabelledClip[] = []
  let at = 0
  for await (const found of clipsOfFiles(chosen)) {
    const { relative, labels, group } = chosen[at++]
    if ("clip" in found) usable.push({ clip: found.clip, label: labels[0], group })
    else reporter.warn(`${relative} left out: ${found.error.message}`)
  }
  return usable
}

/**
 * Scores an encoder. Features come from the store, or are computed into it.
 *
 * @returns null where no class has two clips
 */
export async function neighbourScore(
  given: readonly LabelledClip[],
  options: ExtractOptions,
): Promise<NeighbourResult | null> {
  const { store, views, failed } = await extractFeatures(
    given.map(({ clip }) => clip),
    options,
  )
  try {
    for (const { clip, error } of failed) options.reporter.warn(`${clip.relative} left out: ${error.message}`)
    const lost = new Set(failed.map(({ clip }) => clip.hash))
    const clips = given.filter(({ clip }) => !lost.has(clip.hash))
    const features: Float32Array[] = []
    for (const { clip } of clips) {
      const maps: Float32Array[] = []
      for (let view = 0; view < views; view++) maps.push(halfToFloat(await store.read({ clip: clip.hash, view }, "m")))
      features.push(Float32Array.from(meanRow(maps, store.size.D)))
    }
    const observations = clips.map(({ clip, label, group }) => ({
      clipId: clip.hash,
      label,
      ...(group === null ? {} : { group }),
    }))
    const anyOther = nearestNeighbours(features, observations)
    if (anyOther === null) return null
    const groups = new Set(clips.flatMap(({ group }) => (group === null ? [] : [group]))).size
    const otherGroups = groups > 1 ? nearestNeighbours(features, observations, { otherGroups: true }) : null
    return { classes: new Set(clips.map(({ label }) => label)).size, groups, anyOther, otherGroups }
  } finally {
    await store.close()
  }
}

/**
 * The score in words.
 *
 * @example
 * describeNeighbours(result)
 * // nearest neighbour has the label: 71.7 % of 120 clips of 6 classes (95 % interval 63.3 to 79.2, chance 16.0)
 */
export function describeNeighbours({ classes, groups, anyOther, otherGroups }: NeighbourResult): string {
  const percent = (share: number) => (100 * share).toFixed(1)
  const figures = ({ share, chance }: NeighbourScore) =>
    `(95 % interval ${percent(share.low)} to ${percent(share.high)}, chance ${percent(chance)})`
  const first =
    `nearest neighbour has the label: ${percent(anyOther.share.value)} % of ${plural(anyOther.clips, "clip")} of ` +
    `${plural(classes, "class", "classes")} ${figures(anyOther)}`
  if (groups < 2) return first
  if (otherGroups === null) return `${first}\nin other groups: no class is in two groups`
  const second = `nearest of ${plural(groups - 1, "other group")} has it: ${percent(otherGroups.share.value)} % of ${plural(otherGroups.clips, "clip")}`
  return `${first}\n${second} ${figures(otherGroups)}`
}
