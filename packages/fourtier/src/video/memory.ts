/**
 * What has been measured before, whichever run or folder asked for it: no file is looked through twice.
 *
 * ```
 * path, size, time of change ──► hash of the content ─┐
 *                                                     ├──► measures
 * a file that was moved or copied ──► its hash ───────┘
 * ```
 * They are kept in one file of the cache, a line a file, to which several processes of one machine may append at once. Workers on
 * several machines write files of their own, `v2.jsonl.parts/<name>.jsonl`, which are read together with it. Those of the manifest that
 * is written anew are known too.
 */

import { randomBytes } from "node:crypto"
import { type FileHandle, mkdir, open, readdir, rm, stat } from "node:fs/promises"
import { hostname } from "node:os"
import { dirname, extname, join } from "node:path"
import type { Reporter } from "@fourtier/core"
import { messageOf } from "@fourtier/tensor"
import { notWritten, writeAtomically, writeExactly } from "@fourtier/tensor/node"
import { z } from "zod"
import { markUsed } from "../util/cache-folders.ts"
import { linesFrom } from "../util/lines.ts"
import { MANIFEST_VERSION, readManifest, type Stamp } from "./manifest.ts"
import { type Place, placeOf } from "./place.ts"
import { type FileProbe, hashPlace, type Measure, probeSchema, type Window, windowSchema } from "./probe.ts"

/** A file's stamp and its measures, one a window. */
export interface Remembered {
  stamp: Stamp
  measures: Measure[]
}

const lineSchema = z.object({
  path: z.string(),
  windows: z.array(windowSchema),
  probe: probeSchema,
  /** ISO 8601, UTC. */
  time: z.string().optional(),
})

const partsOf = (path: string) => `${path}.parts`

/** The file of measurements in a folder: one for each way of measuring. */
export const measurementsFile = (folder: string) => join(folder, `v${MANIFEST_VERSION}.jsonl`)

export class ProbeMemory {
  readonly #path: string
  /** Where measures are kept: the file, or a part of it. */
  readonly #target: string
  readonly #stamps = new Map<string, Stamp>()
  readonly #measures = new Map<string, Measure>()
  /** Sizes of files that were measured: a file of another size is unknown without being read. */
  readonly #sizes = new Set<number>()
  #log: FileHandle | null = null

  private constructor(path: string, isPart: boolean) {
    this.#path = path
    const part = `${hostname()}-${process.pid}-${randomBytes(4).toString("hex")}.jsonl`
    this.#target = isPart ? join(partsOf(path), part) : path
  }

  /**
   * Reads the measurements in `folder`, and the manifest at `out`. What cannot be read is measured afresh; of a manifest that is
   * said.
   * @param isPart whether what is measured goes to a file of its own: where workers on other machines measure as well
   */
  static async load(out: string, folder: string, reporter: Reporter, isPart = false): Promise<ProbeMemory> {
    const memory = new ProbeMemory(measurementsFile(folder), isPart)
    if ((await stat(out).catch(() => null)) !== null) {
      try {
        memory.#addManifest(await readManifest(out))
      } catch (error) {
        reporter.warn(`the manifest of before is written anew: ${messageOf(error)}`)
      }
    }
    await memory.refresh()
    return memory
  }

  /** Takes in what is in the files now. */
  async refresh(): Promise<void> {
    const parts = await readdir(partsOf(this.#path)).catch(() => [])
    for (const path of [this.#path, ...parts.map((name) => join(partsOf(this.#path), name))]) {
      if ((await stat(path).catch(() => null)) === null) continue
      for await (const { line } of linesFrom(path, 0, true)) this.#addLine(line)
      await markUsed(path)
    }
  }

  /** The measures of a file's windows, or null where one is not known or the file has changed. */
  async recall(path: string, windows: readonly Window[]): Promise<Remembered | null> {
    const now = placeNow(path)
    if (now === null) return null
    const stamp = this.#stamps.get(path)
    if (stamp !== undefined && now.size === stamp.size && now.mtime === stamp.mtime) {
      return this.#recallContent(path, windows, stamp)
    }
    if (!this.#sizes.has(now.size)) return null
    const found = this.#recallContent(path, windows, { size: now.size, mtime: now.mtime, fileHash: hashPlace(now) })
    if (found !== null) await this.remember(path, windows, { ...found.stamp, measures: found.measures })
    return found
  }

  #recallContent(path: string, windows: readonly Window[], stamp: Stamp): Remembered | null {
    const measures = windows.flatMap((window) => this.#measures.get(keyOf(path, stamp.fileHash, window)) ?? [])
    return measures.length === windows.length ? { stamp, measures } : null
  }

  /** Keeps what a file holds. */
  async remember(path: string, windows: readonly Window[], probe: FileProbe): Promise<void> {
    try {
      if (this.#log === null) {
        await mkdir(dirname(this.#target), { recursive: true })
        this.#log = await open(this.#target, "a")
        // a line that a killed process left unfinished ends here
        await this.#log.appendFile("\n")
      }
      await this.#log.appendFile(`${JSON.stringify({ path, windows, probe, time: new Date().toISOString() })}\n`)
    } catch (error) {
      throw notWritten(this.#target, error, "measures of the videos")
    }
  }

  async close(): Promise<void> {
    await this.#log?.close()
    this.#log = null
  }

  #add(path: string, stamp: Stamp): void {
    this.#stamps.set(path, stamp)
    this.#sizes.add(stamp.size)
  }

  #addManifest({ manifest, stamps }: Awaited<ReturnType<typeof readManifest>>): void {
    for (const [path, stamp] of stamps) this.#add(path, stamp)
    const hashOf = (path: string) => stamps.get(path)?.fileHash ?? ""
    for (const clip of manifest.clips) {
      const { duration, frames, fps, width, height, codec, rotation, notes } = clip
      const measure = {
        duration,
        frames,
        fps,
        width,
        height,
        codec,
        rotation,
        ...(notes === undefined ? {} : { notes }),
      }
      this.#measures.set(keyOf(clip.path, hashOf(clip.path), clip), measure)
    }
    for (const bad of manifest.quarantine) {
      this.#measures.set(keyOf(bad.path, hashOf(bad.path), bad), { reason: bad.reason })
    }
  }

  /** A line that is damaged is passed over. */
  #addLine(line: string): void {
    let value: unknown
    try {
      value = JSON.parse(line)
    } catch {
      return
    }
    const parsed = lineSchema.safeParse(value)
    if (!parsed.success) return
    const { path, windows, probe } = parsed.data
    const { size, mtime, fileHash, measures } = probe
    this.#add(path, { size, mtime, fileHash })
    for (const [i, window] of windows.entries()) {
      if (measures[i] !== undefined) this.#measures.set(keyOf(path, fileHash, window), measures[i])
    }
  }
}

/**
 * Takes the measurements of many workers into the one file of a folder. Nobody may measure meanwhile.
 * @returns how many files were taken in
 */
export async function mergeMeasurements(folder: string): Promise<number> {
  const path = measurementsFile(folder)
  const names = await readdir(partsOf(path)).catch(() => [])
  const parts = names.filter((name) => name.endsWith(".jsonl")).map((name) => join(partsOf(path), name))
  if (parts.length === 0) return 0
  await writeAtomically(path, async (file) => {
    let at = 0
    for (const from of [path, ...parts]) {
      if ((await stat(from).catch(() => null)) === null) continue
      for await (const { line } of linesFrom(from, 0, true)) {
        const bytes = Buffer.from(line === "" ? "" : `${line}\n`)
        await writeExactly(file, bytes, at)
        at += bytes.length
      }
    }
  })
  for (const part of parts) await rm(part, { force: true })
  return parts.length
}

function placeNow(path: string): Place | null {
  try {
    return placeOf(path)
  } catch {
    return null
  }
}

/** The content and the window; the ending too, as decoders may go by it. */
function keyOf(path: string, fileHash: string, { start, end }: Window): string {
  return JSON.stringify([fileHash, extname(path).toLowerCase(), start, end])
}
