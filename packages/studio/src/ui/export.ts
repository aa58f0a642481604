/** The clips as a folder that `fourtier run` takes: files under their classes, and a table of all of them. */

import { csvLine } from "@fourtier/core"
import type { api } from "../home.ts"
import { text } from "../strings.ts"
import type { Model } from "./model.ts"

/** Offers a file for download. */
export function offer(blob: Blob, name: string): void {
  const link = document.createElement("a")
  link.href = URL.createObjectURL(blob)
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000)
}

/** Packs files as they come: they are not in memory together. Videos and weights do not shrink, so nothing is compressed. */
export async function zipped(files: AsyncIterable<{ name: string; blob: Blob }>): Promise<Blob> {
  const { Zip, ZipPassThrough } = await import("fflate")
  const parts: Blob[] = []
  let failure: Error | null = null
  const zip = new Zip((error, chunk) => {
    failure ??= error
    if (!error) parts.push(new Blob([Uint8Array.from(chunk)]))
  })
  for await (const { name, blob } of files) {
    const entry = new ZipPassThrough(name)
    zip.add(entry)
    entry.push(new Uint8Array(await blob.arrayBuffer()), true)
  }
  zip.end()
  if (failure) throw failure
  return new Blob(parts, { type: "application/zip" })
}

export async function exportClips(model: Model): Promise<void> {
  const clips = model.present.filter(({ problem }) => problem === null)
  if (clips.length === 0) throw new Error(text.nothingHere)
  offer(await zipped(filesOf(model, clips)), "clips.zip")
}

async function* filesOf(model: Model, clips: readonly api.Clip[]) {
  const taken = new Set<string>()
  const rows: string[] = []
  for (const clip of clips) {
    const path = freePath(`${safe(clip.label ?? text.noClass)}/${safe(clip.name)}`, taken)
    rows.push(csvLine([path, clip.label ?? "", clip.start, clip.end]))
    yield { name: `clips/${path}`, blob: await model.home.file(clip.id) }
  }
  const table = csvLine(["path", "label", "start", "end"]) + rows.join("")
  yield { name: "clips/labels.csv", blob: new Blob([table]) }
}

/** A name that every file system takes. */
function safe(name: string): string {
  return name
    .replaceAll(/[\\/:*?"<>|\p{Cc}]/gu, "_")
    .replace(/^\.+/, "_")
    .slice(0, 120)
}

function freePath(path: string, taken: Set<string>): string {
  const [, stem, ending] = /^(.*?)(\.[a-z0-9]{2,4})?$/i.exec(path) ?? [path, path, ""]
  for (let n = 1; ; n++) {
    const free = n === 1 ? path : `${stem} ${n}${ending ?? ""}`
    if (taken.has(free)) continue
    taken.add(free)
    return free
  }
}
