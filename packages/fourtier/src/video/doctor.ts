/**
 * From a source to a manifest: every file measured once, in child processes (a decoder that crashes costs that file alone), and what
 * is wrong with the data.
 *
 * ```
 * scanSource ── content measured before? ── probe in workers ── manifest + quarantine ── duplicates, leaks
 * ```
 * Workers on several machines can share the measuring: each measures the blocks of files that it is given.
 */

import { createHash } from "node:crypto"
import { extname } from "node:path"
import { groupBy, plural, type Reporter } from "@fourtier/core"
import { runJobs, type WorkerOptions, workerUrl } from "@fourtier/core/node"
import { messageOf } from "@fourtier/tensor"
import { cacheFolders, prepareCache } from "../util/cache-folders.ts"
import { isObject } from "../util/objects/address.ts"
import { statObjects } from "../util/objects/objects.ts"
import { checkManifest } from "./checks.ts"
import type { Finding } from "./findings.ts"
import { type Clip, classesOf, type Manifest, type Quarantined, type Stamp, writeManifest } from "./manifest.ts"
import { ProbeMemory } from "./memory.ts"
import { clipHash, type Measure, probeSchema, type Window } from "./probe.ts"
import type { SourceClip } from "./rows.ts"
import { type Source, scanSource } from "./source.ts"
import { normaliseSplit } from "./split-names.ts"

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
  /** What is wrong with the data, and what to do about it. */
  findings: Finding[]
  /** Files measured now, and files whose measures were known. */
  measured: number
  reused: number
}

/** Files to be measured together. */
export interface MeasureBlock {
  items: readonly number[]
  /** Counts a file; `why` where it cannot be looked through. */
  tick(item: number, why?: string): Promise<void>
  finish(): Promise<void>
}

/** How several workers share the measuring. */
export interface MeasureShare {
  /** The blocks of this worker, until all files are measured, by whomever; or, with a part of its own, until that is. */
  blocks(files: readonly MeasuredFile[]): AsyncIterable<MeasureBlock>
  /** Whether all files are measured when the blocks end. */
  whole: boolean
}

/** A file as all workers name it. */
export interface MeasuredFile {
  relative: string
  windows: readonly Window[]
  /** Whether it is measured already. */
  known: boolean
}

export interface DoctorOptions extends Pick<WorkerOptions, "workers" | "timeout"> {
  /** Ends the work after the file under way. */
  signal?: AbortSignal
  /** Folder of the measurements of all data; default: in the user's cache. */
  measurements?: string
  /** Where several workers share the measuring: what this one gets to do. */
  share?: MeasureShare
  /** Called with what there is, before anything is measured: what it throws ends the work. */
  check?: (source: Source) => void | Promise<void>
}

/**
 * Measures every file of a source and writes the manifest file `out`, whole or not at all. No content is measured twice, whichever
 * data set and manifest asked for it first; files whose size and time have not changed are not even opened. An interrupted run goes
 * on where it stopped.
 * @returns null for a worker that has measured a part of its own: no manifest is written then
 *
 * @example
 * ```ts
 * import { terminalReporter } from "@fourtier/core/node"
 * import { doctor } from "fourtier/video"
 *
 * const { manifest, leaks } = await doctor("clips", "runs/mine/manifest.jsonl", terminalReporter())
 * console.log(manifest.classes, manifest.quarantine, leaks)
 * ```
 */
export async function doctor(
  source: string,
  out: string,
  reporter: Reporter,
  options?: Omit<DoctorOptions, "share">,
): Promise<DoctorReport>
export async function doctor(
  source: string,
  out: string,
  reporter: Reporter,
  options: DoctorOptions,
): Promise<DoctorReport | null>
export async function doctor(
  source: string,
  out: string,
  reporter: Reporter,
  options: DoctorOptions = {},
): Promise<DoctorReport | null> {
  const { share } = options
  const scanned = await scanSource(source)
  const { root, clips, notes, findings } = scanned
  await options.check?.(scanned)
  const cache = cacheFolders()
  if (options.measurements === undefined) await prepareCache(cache)
  const folder = options.measurements ?? cache.measurements
  const memory = await ProbeMemory.load(out, folder, reporter, share !== undefined)
  const byPath = groupBy(clips, ({ path }) => path)
  await statObjects([...byPath.keys()].filter(isObject))
  const found = new Map<string, Found>()
  const jobs = [...byPath].map(([path, own]) => ({ path, windows: own.map(({ start, end }) => ({ start, end })) }))
  const recallAll = async () => {
    for (const { path, windows } of jobs) {
      const known = found.has(path) ? null : await memory.recall(path, windows)
      if (known !== null) found.set(path, known)
    }
    return jobs.filter(({ path }) => !found.has(path))
  }
  let missing = await recallAll()
  const reused = found.size
  const measuring = { found, memory, reporter, options }
  try {
    if (share) {
      await measureShare(share, jobs, byPath, measuring)
      if (!share.whole) return null
      await memory.refresh()
      missing = await recallAll()
    }
    await measureAll(missing, measuring)
  } finally {
    await memory.close()
  }
  const manifest = assemble(root, byPath, found)
  const stamps = new Map([...found].flatMap(([path, { stamp }]) => (stamp === null ? [] : [[path, stamp]])))
  await writeManifest(out, { manifest, stamps })
  const duplicates = [...groupBy(manifest.clips, ({ hash }) => hash).values()].filter((same) => same.length > 1)
  return {
    manifest,
    duplicates,
    leaks: findLeaks(manifest, duplicates),
    notes: [...notes, ...notesOn(manifest.clips)],
    findings: [...findings, ...checkManifest(manifest, duplicates)],
    measured: jobs.length - reused,
    reused,
  }
}

/** Files that one note each is written for. */
const NOTED = 20

/** What is to be known of files that can be used, one line a file and note. */
function notesOn(clips: readonly Clip[]): string[] {
  const lines = [
    ...new Set(clips.flatMap(({ relative, notes }) => (notes ?? []).map((note) => `${relative}: ${note}`))),
  ]
  const rest = lines.length - NOTED
  return rest > 0 ? [...lines.slice(0, NOTED), `${rest} more notes on files are in the manifest`] : lines
}

/** A file's measures, one a window; no stamp where the file could not be read to its end. */
interface Found {
  stamp: Stamp | null
  measures: Measure[]
}

interface FileJob {
  path: string
  windows: Window[]
}

/** Where measures go, and how they are made. */
interface Measuring {
  found: Map<string, Found>
  memory: ProbeMemory
  reporter: Reporter
  options: DoctorOptions
}

async function measureAll(jobs: readonly FileJob[], measuring: Measuring): Promise<void> {
  if (jobs.length === 0) return
  const task = measuring.reporter.task("measure videos", jobs.length, "files")
  await measureSome(jobs, measuring, async () => task.tick())
  task.done(`${plural(jobs.length, "file")} measured`)
}

/** Measures what this worker gets to do. */
async function measureShare(
  share: MeasureShare,
  jobs: readonly FileJob[],
  byPath: ReadonlyMap<string, SourceClip[]>,
  measuring: Measuring,
): Promise<void> {
  const { found, reporter } = measuring
  const files = jobs.map(({ path, windows }) => {
    const relative = byPath.get(path)?.[0]?.relative ?? path
    return { relative, windows, known: found.has(path) }
  })
  let count = 0
  for await (const block of share.blocks(files)) {
    const items = new Map(block.items.map((item) => [jobs[item], item] as const))
    const open = [...items.keys()].filter(({ path }) => !found.has(path))
    for (const [job, item] of items) if (!open.includes(job)) await block.tick(item)
    await measureSome(open, measuring, async (job, why) => {
      count++
      await block.tick(items.get(job) ?? 0, why)
    })
    await block.finish()
  }
  reporter.say(`  ${plural(count, "file")} measured here`)
}

/** @param done told of every file, and why it cannot be looked through */
async function measureSome(
  jobs: readonly FileJob[],
  { found, memory, options: { workers, timeout, signal } }: Measuring,
  done: (job: FileJob, why?: string) => Promise<void>,
): Promise<void> {
  if (jobs.length === 0) return
  const entry = workerUrl(import.meta.url, "./probe.worker.ts")
  const how = { workers, timeout, signal, ordered: false, processes: true }
  for await (const outcome of runJobs(entry, jobs, probeSchema, how)) {
    const { path, windows } = outcome.job
    if ("error" in outcome) {
      const reason = `it cannot be looked through: ${messageOf(outcome.error)}`
      found.set(path, { stamp: null, measures: windows.map(() => ({ reason })) })
      await done(outcome.job, reason)
    } else {
      const { size, mtime, fileHash, measures } = outcome.result
      if (fileHash !== "") await memory.remember(path, windows, outcome.result)
      found.set(path, { stamp: fileHash === "" ? null : { size, mtime, fileHash }, measures })
      await done(outcome.job)
    }
  }
}

function assemble(
  root: string,
  byPath: ReadonlyMap<string, SourceClip[]>,
  found: ReadonlyMap<string, Found>,
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
  const taken = new Set<string>()
  return new Map(
    clips.map((clip, i) => {
      const digest = createHash("sha256").update(`${clip.relative}@${clip.start}-${clip.end}`).digest("hex").slice(0, 8)
      const unique = times.get(plain[i]) === 1 ? plain[i] : `${plain[i]}~${digest}`
      let id = unique
      for (let n = 2; taken.has(id); n++) id = `${unique}-${n}`
      taken.add(id)
      return [clip, id]
    }),
  )
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
