/**
 * The manifest: what every clip is, measured once. Other stages read clips from here and nowhere else.
 *
 * The file is JSON lines: a header with the schema's version, then one line a clip or quarantined file.
 */

import { open } from "node:fs/promises"
import { dirname, resolve } from "node:path"
import { FourtierError } from "@fourtier/tensor"
import { readText, writeAtomically } from "@fourtier/tensor/node"
import { z } from "zod"
import { linesFrom } from "../util/lines.ts"

/** One labelled stretch of video: a whole file, or the time window `[start, end)` of one. */
export interface Clip {
  /** Stable and unique: the relative path without extension, made safe ("/" stays), plus "@start-end" for a window. */
  id: string
  /** Absolute path of the file. */
  path: string
  /** Path relative to the manifest's root with "/" between folders, as tables and recorded answers name it. */
  relative: string
  /** The class, or null for an unlabelled clip and for one with several labels. */
  label: string | null
  labels: string[]
  /** "train", "val" or "test" (synonyms are brought to these), or whatever else the split column holds. */
  split: string | null
  fold: number | null
  /** Clips of one group (a person, a scene, a source video) must not be on both sides of a split. */
  group: string | null
  /** Window in seconds from the file's first frame; null means from the start, up to the end. */
  start: number | null
  end: number | null
  /** SHA-256 of the file's bytes; of that and the window where there is one. */
  hash: string
  /** Seconds shown, the last frame's own duration included. */
  duration: number
  /** Frames that really are in the clip: packets counted, or frames decoded where packets do not tell. */
  frames: number
  /** Mean rate, frames per second. */
  fps: number
  /** Pixels, after rotation. */
  width: number
  height: number
  codec: string
  /** Degrees clockwise by which decoded frames are turned: 0, 90, 180 or 270. */
  rotation: number
  /** What is to be known of the file although it can be used, for example frames that do not decode. */
  notes?: string[]
  /** Every column of the tables, by name. */
  columns: Record<string, string>
}

/** A file or window that cannot be used, and why. */
export interface Quarantined {
  /** Absolute path. */
  path: string
  relative: string
  reason: string
  label: string | null
  split: string | null
  fold: number | null
  start: number | null
  end: number | null
  columns: Record<string, string>
}

export interface Manifest {
  /** Folder to which `Clip.relative` refers. */
  root: string
  clips: Clip[]
  /** Every label, sorted by code unit: a class's number is its place here. */
  classes: string[]
  quarantine: Quarantined[]
}

/** Version of the manifest file's schema: a file of another version is measured afresh. */
export const MANIFEST_VERSION = 2

const headerSchema = z.object({ schema: z.literal("fourtier/manifest"), version: z.number(), root: z.string() })

const columnsSchema = z.record(z.string(), z.string())

const stampSchema = z.object({ size: z.number(), mtime: z.number(), fileHash: z.string() })

const clipSchema = z.object({
  id: z.string(),
  path: z.string(),
  relative: z.string(),
  label: z.string().nullable(),
  labels: z.array(z.string()),
  split: z.string().nullable(),
  fold: z.number().nullable(),
  group: z.string().nullable(),
  start: z.number().nullable(),
  end: z.number().nullable(),
  hash: z.string(),
  duration: z.number(),
  frames: z.number(),
  fps: z.number(),
  width: z.number(),
  height: z.number(),
  codec: z.string(),
  rotation: z.number(),
  notes: z.array(z.string()).optional(),
  columns: columnsSchema,
}) satisfies z.ZodType<Clip>

const quarantinedSchema = z.object({
  path: z.string(),
  relative: z.string(),
  reason: z.string(),
  label: z.string().nullable(),
  split: z.string().nullable(),
  fold: z.number().nullable(),
  start: z.number().nullable(),
  end: z.number().nullable(),
  columns: columnsSchema,
}) satisfies z.ZodType<Quarantined>

/** Size and time of a file when it was measured: where both still hold, the measurement is used again. */
export type Stamp = z.infer<typeof stampSchema>

const lineSchema = z.union([
  z.object({ clip: clipSchema, stamp: stampSchema }),
  z.object({ quarantined: quarantinedSchema, stamp: stampSchema.nullable() }),
])

/** A manifest together with the stamp of every file (by absolute path). */
export interface StampedManifest {
  manifest: Manifest
  stamps: Map<string, Stamp>
}

/** Labels, and names of class folders, of clips that show none of the actions. */
const BACKGROUND: ReadonlySet<string> = new Set(["_background", "none"])

/**
 * Whether clips of this label show none of the actions: no class is learned from them.
 *
 * @example
 * ```ts
 * import { isBackground } from "fourtier/video"
 *
 * isBackground("_background") // true
 * ```
 */
export function isBackground(label: string | null): boolean {
  return label !== null && BACKGROUND.has(label.toLowerCase())
}

/**
 * The sorted set of all labels, without that of background clips.
 *
 * @example
 * ```ts
 * import { classesOf } from "fourtier/video"
 *
 * classesOf([{ labels: ["wave"] }, { labels: [] }, { labels: ["jump"] }]) // ["jump", "wave"]
 * ```
 */
export function classesOf(clips: readonly { labels: readonly string[] }[]): string[] {
  return [...new Set(clips.flatMap((clip) => clip.labels))].filter((label) => !isBackground(label)).sort()
}

/**
 * The same manifest without some classes: clips that have no other label go too.
 *
 * @example
 * ```ts
 * import { readManifest, withoutClasses } from "fourtier/video"
 *
 * const { manifest } = await readManifest("runs/mine/manifest.jsonl")
 * withoutClasses(manifest, ["point"]).classes.includes("point") // false
 * ```
 */
export function withoutClasses(manifest: Manifest, classes: readonly string[]): Manifest {
  const unknown = classes.find((name) => !manifest.classes.includes(name))
  if (unknown !== undefined) {
    throw new FourtierError({ what: `no class "${unknown}"`, expected: `one of ${manifest.classes.join(", ")}` })
  }
  const clips = manifest.clips.flatMap((clip) => {
    if (!clip.labels.some((label) => classes.includes(label))) return [clip]
    const labels = clip.labels.filter((label) => !classes.includes(label))
    return labels.length === 0 ? [] : [{ ...clip, labels, label: labels.length === 1 ? labels[0] : null }]
  })
  const quarantine = manifest.quarantine.filter(({ label }) => label === null || !classes.includes(label))
  return { ...manifest, clips, quarantine, classes: classesOf(clips) }
}

/**
 * Writes the manifest file, whole or not at all.
 *
 * @example
 * ```ts
 * import { readManifest, withoutClasses, writeManifest } from "fourtier/video"
 *
 * const { manifest, stamps } = await readManifest("runs/mine/manifest.jsonl")
 * await writeManifest("runs/mine/fewer.jsonl", { manifest: withoutClasses(manifest, ["point"]), stamps })
 * ```
 */
export async function writeManifest(path: string, { manifest, stamps }: StampedManifest): Promise<void> {
  await writeAtomically(path, async (file) => {
    let held: string[] = []
    // of a large data set, the whole text is longer than a string may be
    for (const line of linesOf(manifest, stamps)) {
      held.push(line, "\n")
      if (held.length < 10_000) continue
      await file.appendFile(held.join(""))
      held = []
    }
    await file.appendFile(held.join(""))
  })
}

function* linesOf({ root, clips, quarantine }: Manifest, stamps: ReadonlyMap<string, Stamp>): Generator<string> {
  yield JSON.stringify({ schema: "fourtier/manifest", version: MANIFEST_VERSION, root })
  for (const clip of clips) yield JSON.stringify({ clip, stamp: stamps.get(clip.path) })
  for (const bad of quarantine) yield JSON.stringify({ quarantined: bad, stamp: stamps.get(bad.path) ?? null })
}

/**
 * Whether a text file's first line is a manifest's header.
 *
 * @example
 * ```ts
 * import { isManifest } from "fourtier/video"
 *
 * isManifest("path,label\njump/a.mp4,jump\n") // false
 * ```
 */
export function isManifest(text: string): boolean {
  return headerSchema.safeParse(parseLine(text.slice(0, text.indexOf("\n") + 1 || undefined))).success
}

/**
 * Reads a manifest file. Throws a `FourtierError` that names the line where it does not hold what it should.
 *
 * @example
 * ```ts
 * import { readManifest } from "fourtier/video"
 *
 * const { manifest } = await readManifest("runs/mine/manifest.jsonl")
 * console.log(manifest.clips.length, manifest.classes)
 * ```
 */
export async function readManifest(path: string): Promise<StampedManifest> {
  const manifest: Manifest = { root: "", clips: [], classes: [], quarantine: [] }
  const stamps = new Map<string, Stamp>()
  let number = 0
  for await (const { line } of manifestLines(path)) {
    number++
    if (line === "") continue
    if (manifest.root === "") {
      manifest.root = resolve(dirname(path), rootIn(line, path))
      continue
    }
    const parsed = lineSchema.safeParse(parseLine(line))
    if (!parsed.success) {
      throw new FourtierError({
        where: `${path}:${number}`,
        what: "not a valid line of a manifest",
        found: z.prettifyError(parsed.error),
        fix: "delete the file and run `fourtier doctor` again",
      })
    }
    if ("clip" in parsed.data) {
      manifest.clips.push(parsed.data.clip)
      stamps.set(parsed.data.clip.path, parsed.data.stamp)
    } else {
      manifest.quarantine.push(parsed.data.quarantined)
      if (parsed.data.stamp !== null) stamps.set(parsed.data.quarantined.path, parsed.data.stamp)
    }
  }
  if (manifest.root === "") rootIn("", path)
  manifest.classes = classesOf(manifest.clips)
  return { manifest, stamps }
}

/** @throws FourtierError as `readText` does where the file cannot be read */
async function* manifestLines(path: string): AsyncGenerator<{ line: string }> {
  const file = await open(path, "r").catch(() => null)
  if (file === null) {
    yield { line: await readText(path) }
    return
  }
  await file.close()
  yield* linesFrom(path, 0, true)
}

/** The folder that a manifest's first line names. */
function rootIn(line: string, path: string): string {
  const header = headerSchema.safeParse(parseLine(line))
  if (header.success && header.data.version === MANIFEST_VERSION) return header.data.root
  throw new FourtierError({
    where: path,
    what: "not a manifest of this version",
    expected: `a first line {"schema":"fourtier/manifest","version":${MANIFEST_VERSION},...}`,
    found: (line || "an empty file").slice(0, 100),
    fix: "run `fourtier doctor` on the data again",
  })
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
