/** The clips as a folder that `fourtier run` takes: files under their classes, a table of all of them, and what is said of them. */

import { csvLine } from "@fourtier/core"
import type { api } from "../home.ts"
import { text } from "../strings.ts"
import type { Model } from "./model.ts"

/** Files of a folder, one after another: they are not in memory together. */
export type Files = AsyncIterable<{ name: string; blob: Blob }>

/** What a .zip can hold. */
const MOST = 2 ** 32 - 2 ** 20

/** Offers a file for download. */
export function offer(blob: Blob, name: string): void {
  const link = document.createElement("a")
  link.href = URL.createObjectURL(blob)
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000)
}

/** Packs files as they come. Videos and weights do not shrink, so nothing is compressed. @throws Error where they are too large */
export async function zipped(files: Files): Promise<Blob> {
  const { Zip, ZipPassThrough } = await import("fflate")
  const parts: Blob[] = []
  let bytes = 0
  let failure: Error | null = null
  const zip = new Zip((error, chunk) => {
    failure ??= error
    if (error) return
    bytes += chunk.length
    parts.push(new Blob([Uint8Array.from(chunk)]))
  })
  for await (const { name, blob } of files) {
    if (bytes + blob.size > MOST) throw new Error(text.tooLargeZip)
    const entry = new ZipPassThrough(name)
    zip.add(entry)
    const reader = blob.stream().getReader()
    for (let part = await reader.read(); !part.done; part = await reader.read()) entry.push(part.value)
    entry.push(new Uint8Array(), true)
  }
  zip.end()
  if (failure) throw failure
  return new Blob(parts, { type: "application/zip" })
}

type PickFolder = (options: { mode: "readwrite" }) => Promise<FileSystemDirectoryHandle>

/** Asks for a folder to write to; null where the browser cannot. */
const pickFolder: PickFolder | null =
  "showDirectoryPicker" in window ? (window.showDirectoryPicker as PickFolder).bind(window) : null

/** Writes files, "folder/name" each, into a folder that a person chooses; null where the browser cannot. @returns whether one was chosen */
export const saveFolder: ((files: Files) => Promise<boolean>) | null =
  pickFolder &&
  (async (files) => {
    const chosen = await pickFolder({ mode: "readwrite" }).catch((error: unknown) => {
      if (error instanceof DOMException && error.name === "AbortError") return null
      throw error
    })
    if (!chosen) return false
    for await (const { name, blob } of files) {
      const folders = name.split("/")
      const file = folders.pop() ?? name
      let directory = chosen
      for (const folder of folders) directory = await directory.getDirectoryHandle(folder, { create: true })
      await blob.stream().pipeTo(await (await directory.getFileHandle(file, { create: true })).createWritable())
    }
    return true
  })

/** Every clip that can be used. @throws Error where there is none */
export function clipsOf(model: Model): Files {
  const clips = model.present.filter(({ problem }) => problem === null)
  if (clips.length === 0) throw new Error(text.nothingHere)
  return filesOf(model, clips)
}

async function* filesOf({ home }: Model, clips: readonly api.Clip[]) {
  const taken = new Set<string>()
  const paths = new Map<string, string>()
  const [rows, lines]: [string[], string[]] = [[], []]
  for (const clip of clips) {
    const file = home.fileOf(clip.id)
    const shared = clips.filter(({ id }) => home.fileOf(id) === file).length > 1
    const known = paths.get(file)
    const path = known ?? freePath(`${shared ? "videos" : safe(clip.label ?? "unlabelled")}/${safe(clip.name)}`, taken)
    paths.set(file, path)
    rows.push(csvLine([path, clip.label ?? "", clip.start, clip.end]))
    for (const { prompt, text: answer, model = "" } of (await home.describe?.answers(clip.id)) ?? []) {
      const { start, end } = clip
      const window = start === null && end === null ? {} : { start, end }
      lines.push(`${JSON.stringify({ path, ...window, prompt, answer, model })}\n`)
    }
    if (known === undefined) yield { name: `clips/${path}`, blob: await home.file(clip.id) }
  }
  yield { name: "clips/labels.csv", blob: new Blob([csvLine(["path", "label", "start", "end"]) + rows.join("")]) }
  if (lines.length > 0) yield { name: "clips/descriptions.jsonl", blob: new Blob(lines) }
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
