/**
 * What was measured before: the manifest of the last run, and the journal that an interrupted run left beside it. Files
 * whose size and time are unchanged are not opened again.
 */

import { type FileHandle, mkdir, open, readFile, rm, stat } from "node:fs/promises"
import { dirname } from "node:path"
import type { Reporter } from "@fourtier/core"
import { messageOf } from "@fourtier/tensor"
import { notWritten } from "@fourtier/tensor/node"
import { z } from "zod"
import { readManifest, type Stamp } from "./manifest.ts"
import { placeOf } from "./place.ts"
import { type FileProbe, type Measure, probeSchema, type Window, windowSchema } from "./probe.ts"

/** A file's stamp and its measures, one a window. */
export interface Remembered {
  stamp: Stamp
  measures: Measure[]
}

const lineSchema = z.object({ path: z.string(), windows: z.array(windowSchema), probe: probeSchema })

export class ProbeMemory {
  readonly #path: string
  readonly #stamps = new Map<string, Stamp>()
  readonly #measures = new Map<string, Measure>()
  #journal: FileHandle | null = null

  private constructor(path: string) {
    this.#path = path
  }

  /** Reads the manifest at `out` and the journal beside it. What cannot be read is measured afresh, with a warning. */
  static async load(out: string, reporter: Reporter): Promise<ProbeMemory> {
    const memory = new ProbeMemory(`${out}.journal`)
    if ((await stat(out).catch(() => null)) !== null) {
      try {
        memory.#addManifest(await readManifest(out))
      } catch (error) {
        reporter.warn(`all files are measured again: ${messageOf(error)}`)
      }
    }
    const journal = await readFile(memory.#path, "utf8").catch(() => "")
    for (const line of journal.split("\n")) memory.#addLine(line)
    return memory
  }

  /** The measures of a file's windows, or null where one is not known or the file has changed. */
  async recall(path: string, windows: readonly Window[]): Promise<Remembered | null> {
    const stamp = this.#stamps.get(path)
    if (stamp === undefined) return null
    const now = stampNow(path)
    if (now === null || now.size !== stamp.size || now.mtime !== stamp.mtime) return null
    const measures = windows.flatMap((window) => this.#measures.get(keyOf(path, window)) ?? [])
    return measures.length === windows.length ? { stamp, measures } : null
  }

  /** Adds a line to the journal. */
  async remember(path: string, windows: readonly Window[], probe: FileProbe): Promise<void> {
    try {
      if (this.#journal === null) {
        await mkdir(dirname(this.#path), { recursive: true })
        this.#journal = await open(this.#path, "a")
      }
      await this.#journal.appendFile(`${JSON.stringify({ path, windows, probe })}\n`)
    } catch (error) {
      throw notWritten(this.#path, error, "measures of the videos")
    }
  }

  async close(): Promise<void> {
    await this.#journal?.close()
    this.#journal = null
  }

  /** Removes the journal once the manifest holds everything. */
  async discardJournal(): Promise<void> {
    await this.close()
    await rm(this.#path, { force: true })
  }

  #addManifest({ manifest, stamps }: Awaited<ReturnType<typeof readManifest>>): void {
    for (const [path, stamp] of stamps) this.#stamps.set(path, stamp)
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
      this.#measures.set(keyOf(clip.path, clip), measure)
    }
    for (const bad of manifest.quarantine) this.#measures.set(keyOf(bad.path, bad), { reason: bad.reason })
  }

  /** A line cut short by the interruption is passed over. */
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
    this.#stamps.set(path, { size, mtime, fileHash })
    for (const [i, window] of windows.entries()) {
      if (measures[i] !== undefined) this.#measures.set(keyOf(path, window), measures[i])
    }
  }
}

function stampNow(path: string): { size: number; mtime: number } | null {
  try {
    return placeOf(path)
  } catch {
    return null
  }
}

function keyOf(path: string, { start, end }: Window): string {
  return JSON.stringify([path, start, end])
}
