/** What a report says of its data, from the manifest alone. */

import { groupBy } from "@fourtier/core"
import { checkManifest } from "../video/checks.ts"
import type { Finding } from "../video/findings.ts"
import type { Clip, Manifest } from "../video/manifest.ts"

/** Entries of each list that are kept. */
const SHOWN = 100

export interface Health {
  clips: number
  labelled: number
  hours: number
  /** Clips of each class, the largest first. */
  classes: { name: string; clips: number; groups: number }[]
  groups: number
  quarantine: { path: string; reason: string }[]
  quarantined: number
  /** Clips with the same content. */
  duplicates: { path: string; label: string | null }[][]
  duplicated: number
  /** Clips with fewer frames than a training clip samples. */
  short: { path: string; frames: number; seconds: number }[]
  shorter: number
  findings: Finding[]
}

/**
 * @param frames that the encoder samples of a clip
 * @param findings what else was found, about the splits
 */
export function healthOf(manifest: Manifest, frames: number, findings: readonly Finding[]): Health {
  const { clips, quarantine } = manifest
  const same = [...groupBy(clips, ({ hash }) => hash).values()].filter((copies) => copies.length > 1)
  const short = clips.filter((clip) => clip.frames < frames).sort((a, b) => a.frames - b.frames)
  const byClass = groupBy(
    clips.flatMap((clip) => clip.labels.map((name) => ({ name, clip }))),
    ({ name }) => name,
  )
  const classes = [...byClass].map(([name, own]) => ({
    name,
    clips: own.length,
    groups: groupsOf(own.map(({ clip }) => clip)),
  }))
  return {
    clips: clips.length,
    labelled: clips.filter(({ labels }) => labels.length > 0).length,
    hours: clips.reduce((sum, { duration }) => sum + duration, 0) / 3600,
    classes: classes.sort((a, b) => b.clips - a.clips || (a.name < b.name ? -1 : 1)),
    groups: groupsOf(clips),
    quarantine: quarantine.slice(0, SHOWN).map(({ relative, reason }) => ({ path: relative, reason })),
    quarantined: quarantine.length,
    duplicates: same.slice(0, SHOWN).map((copies) => copies.map(({ relative, label }) => ({ path: relative, label }))),
    duplicated: same.length,
    short: short.slice(0, SHOWN).map((clip) => ({ path: clip.relative, frames: clip.frames, seconds: clip.duration })),
    shorter: short.length,
    findings: [...checkManifest(manifest, same), ...findings],
  }
}

const groupsOf = (clips: readonly Clip[]) => new Set(clips.flatMap(({ group }) => group ?? [])).size
