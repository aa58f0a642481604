/** Gathers a data set's clips: each once, found or missing, usable or not, counted by part and class. */

import { closeSync, openSync } from "node:fs"
import { plural, type Reporter } from "@fourtier/core"
import { FourtierError, messageOf } from "@fourtier/tensor"
import { missingBytesOf } from "../video/container.ts"
import { examples } from "../video/findings.ts"
import { notVideo } from "../video/not-data.ts"
import { placeOf } from "../video/place.ts"
import { readRange } from "../video/tar.ts"
import type { AnnotatedClip } from "./dataset.ts"

/** What has become of an annotated clip. */
export type Fate = "found" | "missing" | "unusable" | "unlabelled" | "contradictory"

export type Counts = Record<Fate, number>

export interface Kept {
  clip: AnnotatedClip
  fate: Fate
}

export interface Collection {
  /** Every annotated clip, each once. */
  clips: Kept[]
  /** Rows that repeat an earlier one. */
  repeated: number
  notes: string[]
  /** Why the first of the unusable files are. */
  reasons: string[]
}

/** Unusable files of which the reason is told. */
const TOLD = 20

/** Held-out parts before training, where a clip is in both. */
const RANK: Readonly<Record<string, number>> = { test: 3, val: 2, train: 1 }

/**
 * Goes through the clips once. A clip that is listed in two parts stays in the held-out one alone; one with two labels is left out.
 *
 * @param pathOf the absolute path of a clip's file
 */
export async function collectClips(
  clips: AsyncIterable<AnnotatedClip> | Iterable<AnnotatedClip>,
  pathOf: (file: string) => string,
  reporter: Reporter,
): Promise<Collection> {
  const byFile = new Map<string, Kept>()
  const byName = new Map<string, Kept>()
  const [moved, contrary]: string[][] = [[], []]
  let repeated = 0
  for await (const clip of clips) {
    const known = clip.file === null ? byName : byFile
    const key = keyOf(clip)
    const before = known.get(key)
    if (before === undefined) {
      known.set(key, { clip, fate: fateOf(clip) })
      continue
    }
    repeated++
    const at = `${clip.name} (${before.clip.where} and ${clip.where})`
    if (before.clip.label !== clip.label) {
      before.fate = "contradictory"
      contrary.push(`${at}: ${before.clip.label || "no label"} and ${clip.label || "no label"}`)
    } else if (before.clip.split !== clip.split) {
      moved.push(`${at}: ${before.clip.split || "none"} and ${clip.split || "none"}`)
      if ((RANK[clip.split] ?? 0) > (RANK[before.clip.split] ?? 0)) before.clip = clip
    }
  }
  const kept = [...byFile.values(), ...byName.values()]
  const reasons = lookAt(
    kept.filter(({ fate }) => fate === "found"),
    pathOf,
    reporter,
  )
  return { clips: kept, repeated, notes: notesOn(moved, contrary), reasons }
}

/** Marks the clips whose files cannot be used. @returns the first reasons */
function lookAt(found: readonly Kept[], pathOf: (file: string) => string, reporter: Reporter): string[] {
  const known = new Map<string, string | null>()
  const reasons: string[] = []
  const task = reporter.task("look at files", found.length, "clips")
  for (const entry of found) {
    const file = entry.clip.file ?? ""
    let reason = known.get(file)
    if (reason === undefined) {
      reason = unusable(pathOf(file))
      known.set(file, reason)
      if (reason !== null && reasons.length < TOLD) reasons.push(`${file}: ${reason}`)
    }
    if (reason !== null) entry.fate = "unusable"
    task.tick()
  }
  task.done(`${plural(known.size, "file")} looked at`)
  return reasons
}

/** A clip's file, or its name where it is not there, with its window. */
function keyOf({ file, name, start, end }: AnnotatedClip): string {
  const key = file ?? name
  return start === undefined && end === undefined ? key : `${key} ${start ?? 0} ${end ?? ""}`
}

/** Held-out clips without a label would end a run, and are no training clips either. */
function fateOf({ file, label, split }: AnnotatedClip): Fate {
  if (label === "" && split !== "train" && split !== "") return "unlabelled"
  return file === null ? "missing" : "found"
}

function notesOn(moved: readonly string[], contrary: readonly string[]): string[] {
  const notes: string[] = []
  if (moved.length > 0) {
    notes.push(
      `${plural(moved.length, "clip")} in two parts of the split, kept in the held-out one alone: ${examples(moved)}`,
    )
  }
  if (contrary.length > 0) {
    notes.push(`${plural(contrary.length, "clip")} with two labels, left out: ${examples(contrary)}`)
  }
  return notes
}

/** Why a file cannot be used, as far as its length and first bytes tell; null where nothing speaks against it. */
export function unusable(path: string): string | null {
  try {
    const place = placeOf(path)
    if (place.size === 0) return "the file is empty"
    const handle = openSync(place.file, "r")
    try {
      const other = notVideo(readRange(handle, place.start, Math.min(place.size, 200)))
      if (other !== null) return other
      const missing = missingBytesOf(handle, place)
      return missing > 0 ? `truncated: ${plural(missing, "byte")} missing at its end` : null
    } finally {
      closeSync(handle)
    }
  } catch (error) {
    return error instanceof FourtierError ? error.complaint.what : messageOf(error)
  }
}

/** Clips by fate, for every part of the split and every class. */
export function countClips(clips: readonly Kept[]): { parts: Map<string, Counts>; classes: Map<string, Counts> } {
  const parts = new Map<string, Counts>()
  const classes = new Map<string, Counts>()
  const add = (counts: Map<string, Counts>, key: string, fate: Fate) => {
    const own = counts.get(key) ?? { found: 0, missing: 0, unusable: 0, unlabelled: 0, contradictory: 0 }
    own[fate]++
    counts.set(key, own)
  }
  for (const { clip, fate } of clips) {
    add(parts, clip.split, fate)
    add(classes, clip.label, fate)
  }
  return { parts, classes }
}
