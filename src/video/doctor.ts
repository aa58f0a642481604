/**
 * From a source to a manifest: every file measured once, in workers, and what is wrong with the data.
 *
 * ```
 * scanSource ── files unchanged since the last manifest? ── probe in workers ── manifest + quarantine ── duplicates, leaks
 * ```
 */

import { createHash } from "node:crypto"
import { stat } from "node:fs/promises"
import { extname } from "node:path"
import { messageOf } from "../util/errors.ts"
import { groupBy } from "../util/group.ts"
import type { Reporter } from "../util/progress.ts"
import { workerUrl } from "../util/worker.ts"
import {
  type Clip,
  classesOf,
  type Manifest,
  type Quarantined,
  readManifest,
  type Stamp,
  type StampedManifest,
  writeManifest,
} from "./manifest.ts"
import { clipHash, type Measure, probeSchema } from "./probe.ts"
import { normaliseSplit, type SourceClip, scanSource } from "./source.ts"
import { runJobs, type WorkerOptions } from "./workers.ts"

/** Clips of one group, or with the same content, on more than one side of a split. */
export interface Leak {
  /** Column of the split. */
  column: string
  kind: "group" | "duplicate"
  /** The group's name, or the ids of the equal clips. */
  name: string
  /** For example ["test", "train"]. */
  sides: string[]
}

export interface DoctorReport {
  manifest: Manifest
  /** Sets of clips with the same content. */
  duplicates: Clip[][]
  leaks: Leak[]
  notes: string[]
  /** Files measured now, and files taken from the last manifest unchanged. */
  measured: number
  reused: number
}

export type DoctorOptions = Pick<WorkerOptions, "workers" | "timeout">

/**
 * Measures every file of a source and writes the manifest file `out`, whole or not at all. Files whose size and time are
 * those of the manifest already at `out` are not opened again.
 */
export async function doctor(
  source: string,
  out: string,
  reporter: Reporter,
  options: DoctorOptions = {},
): Promise<DoctorReport> {
  const { root, clips, notes } = await scanSource(source)
  const known = await readKnown(out, reporter)
  const knownMeasures = indexKnown(known)
  const byPath = groupBy(clips, ({ path }) => path)
  const found = new Map<string, { stamp: Stamp | null; measures: Measure[] }>()
  for (const [path, own] of byPath) {
    const stamp = await stampIfUnchanged(path, known)
    const measures = own.flatMap((clip) => knownMeasures.get(windowKey(clip)) ?? [])
    if (stamp !== null && measures.length === own.length) found.set(path, { stamp, measures })
  }
  const reused = found.size
  const jobs = [...byPath]
    .filter(([path]) => !found.has(path))
    .map(([path, own]) => ({
      path,
      windows: own.map(({ start, end }) => ({ start, end })),
    }))
  if (jobs.length > 0) {
    const task = reporter.task("Measuring videos", jobs.length, "files")
    const entry = workerUrl(import.meta.url, "./probe.worker.ts")
    for await (const outcome of runJobs(entry, jobs, probeSchema, { ...options, ordered: false })) {
      const { path, windows } = outcome.job
      if ("error" in outcome) {
        const reason = messageOf(outcome.error)
        found.set(path, { stamp: null, measures: windows.map(() => ({ reason })) })
      } else {
        const { size, mtime, fileHash, measures } = outcome.result
        found.set(path, { stamp: fileHash === "" ? null : { size, mtime, fileHash }, measures })
      }
      task.tick()
    }
    task.done(`${jobs.length} files measured`)
  }
  const manifest = assemble(root, byPath, found)
  const stamps = new Map([...found].flatMap(([path, { stamp }]) => (stamp === null ? [] : [[path, stamp]])))
  await writeManifest(out, { manifest, stamps })
  const duplicates = [...groupBy(manifest.clips, ({ hash }) => hash).values()].filter((same) => same.length > 1)
  return { manifest, duplicates, leaks: findLeaks(manifest, duplicates), notes, measured: jobs.length, reused }
}

function assemble(
  root: string,
  byPath: ReadonlyMap<string, SourceClip[]>,
  found: ReadonlyMap<string, { stamp: Stamp | null; measures: Measure[] }>,
): Manifest {
  const clips: Clip[] = []
  const quarantine: Quarantined[] = []
  const ids = uniqueIds([...byPath.values()].flat())
  for (const [path, own] of byPath) {
    const { stamp, measures } = found.get(path) ?? { stamp: null, measures: [] }
    for (const [i, source] of own.entries()) {
      const measure = measures[i] ?? { reason: "not measured" }
      const label = source.labels.length === 1 ? source.labels[0] : null
      if ("reason" in measure) {
        const { relative, split, fold, start, end, columns } = source
        quarantine.push({ path, relative, reason: measure.reason, label, split, fold, start, end, columns })
      } else {
        const hash = clipHash(stamp?.fileHash ?? "", source)
        clips.push({ id: ids.get(source) ?? source.relative, ...source, label, hash, ...measure })
      }
    }
  }
  return { root, clips, classes: classesOf(clips), quarantine }
}

/** Ids without extension and unsafe characters. Where two would be equal, both get a hash of their path at the end. */
function uniqueIds(clips: readonly SourceClip[]): Map<SourceClip, string> {
  const plain = clips.map((clip) => {
    const stem = clip.relative.slice(0, clip.relative.length - extname(clip.relative).length)
    const safe = stem
      .normalize("NFC")
      .replace(/^(\.{0,2}\/)+/, "")
      .replace(/[^\p{L}\p{N}\p{M}/._+-]+/gu, "_")
    return clip.start === null && clip.end === null ? safe : `${safe}@${clip.start ?? 0}-${clip.end ?? "end"}`
  })
  const times = new Map<string, number>()
  for (const id of plain) times.set(id, (times.get(id) ?? 0) + 1)
  return new Map(
    clips.map((clip, i) => {
      const digest = createHash("sha256").update(`${clip.relative}@${clip.start}-${clip.end}`).digest("hex").slice(0, 8)
      return [clip, times.get(plain[i]) === 1 ? plain[i] : `${plain[i]}~${digest}`]
    }),
  )
}

async function readKnown(out: string, reporter: Reporter): Promise<StampedManifest | null> {
  const there = await stat(out).catch(() => null)
  if (there === null) return null
  try {
    return await readManifest(out)
  } catch (error) {
    reporter.warn(`the manifest is measured afresh. ${messageOf(error)}`)
    return null
  }
}

async function stampIfUnchanged(path: string, known: StampedManifest | null): Promise<Stamp | null> {
  const stamp = known?.stamps.get(path)
  if (stamp === undefined) return null
  const now = await stat(path).catch(() => null)
  return now !== null && now.size === stamp.size && now.mtimeMs === stamp.mtime ? stamp : null
}

/** What the last manifest says of each window of each file. */
function indexKnown(known: StampedManifest | null): Map<string, Measure> {
  const measures = new Map<string, Measure>()
  for (const clip of known?.manifest.clips ?? []) {
    const { duration, frames, fps, width, height, codec, rotation } = clip
    measures.set(windowKey(clip), { duration, frames, fps, width, height, codec, rotation })
  }
  for (const bad of known?.manifest.quarantine ?? []) measures.set(windowKey(bad), { reason: bad.reason })
  return measures
}

function windowKey({ path, start, end }: { path: string; start: number | null; end: number | null }): string {
  return JSON.stringify([path, start, end])
}

/** Looks at every column whose values are all names of splits. */
function findLeaks(manifest: Manifest, duplicates: readonly Clip[][]): Leak[] {
  const { clips } = manifest
  const names = new Set(clips.flatMap(({ columns }) => Object.keys(columns)))
  const sides = new Map<string, (clip: Clip) => string | null>()
  for (const column of names) {
    const values = new Set(clips.map(({ columns }) => normaliseSplit(columns[column] ?? "")))
    values.delete("")
    if (values.size > 1 && [...values].every((value) => ["train", "val", "test"].includes(value))) {
      sides.set(column, ({ columns }) => normaliseSplit(columns[column] ?? "") || null)
    }
  }
  if (!sides.has("split") && clips.some(({ split }) => split !== null)) sides.set("split", ({ split }) => split)
  const leaks: Leak[] = []
  for (const [column, sideOf] of sides) {
    const add = (kind: Leak["kind"], name: string, members: readonly Clip[]) => {
      const found = [...new Set(members.map(sideOf).filter((side) => side !== null))].sort()
      if (found.length > 1) leaks.push({ column, kind, name, sides: found })
    }
    for (const [group, members] of groupBy(clips, ({ group }) => group)) {
      if (group !== null) add("group", group, members)
    }
    for (const same of duplicates) add("duplicate", same.map(({ id }) => id).join(" = "), same)
  }
  return leaks
}
