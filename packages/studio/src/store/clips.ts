/** Clips of this browser: taken in, recorded, changed, cut. */

import { all, get, type OpenRecording, put, remove, type StoredClip } from "./database.ts"
import { erase, folder, read, write } from "./files.ts"

/** A new name that stands in file names: time first, so that names are in the order of their making. */
export function newId(): string {
  const random = crypto.getRandomValues(new Uint32Array(2))
  return `${Date.now().toString(36)}-${[...random].map((value) => value.toString(36)).join("")}`
}

export async function storedClips(): Promise<StoredClip[]> {
  return byAge(await all("clips"))
}

/** The oldest first: an order that is the same in every window. */
export function byAge(clips: Iterable<StoredClip>): StoredClip[] {
  return [...clips].sort((a, b) => a.added - b.added || (a.id < b.id ? -1 : 1))
}

export async function keep(clips: readonly StoredClip[]): Promise<void> {
  await put(
    "clips",
    clips.map((clip) => [clip.id, clip] as const),
  )
}

/** Takes a file in: first its bytes, then its entry, so that no entry is without bytes. */
export async function takeIn(name: string, label: string | null, file: Blob): Promise<StoredClip> {
  const id = newId()
  await write(await folder("clips"), id, file)
  const clip = freshClip(id, name, label, file.size)
  await keep([clip])
  return clip
}

function freshClip(id: string, name: string, label: string | null, bytes: number): StoredClip {
  return {
    id,
    file: id,
    name,
    label,
    seconds: null,
    start: null,
    end: null,
    width: null,
    height: null,
    bytes,
    problem: null,
    added: Date.now(),
    removed: false,
  }
}

/** Stretches of a clip's file as clips. */
export async function cutOut(
  id: string,
  cuts: readonly { start: number; end: number; label: string | null }[],
): Promise<StoredClip[]> {
  const source = await get("clips", id)
  if (!source) throw new Error("there is no such clip any more")
  const base = source.start ?? 0
  const clips = cuts.map(({ start, end, label }): StoredClip => {
    const [, stem, ending] = /^(.*?)(\.[a-z0-9]{2,4})?$/i.exec(source.name) ?? []
    const name = `${stem} ${(base + start).toFixed(1)}–${(base + end).toFixed(1)} s${ending ?? ""}`
    return {
      ...freshClip(newId(), name, label, 0),
      ...sizeOf(source),
      file: source.file,
      seconds: end - start,
      start: base + start,
      end: base + end,
    }
  })
  await keep(clips)
  return clips
}

const sizeOf = ({ width, height }: StoredClip) => ({ width, height })

/** Notes that a recording begins. */
export async function beginRecording(recording: OpenRecording): Promise<void> {
  await put("recordings", [[recording.id, recording]])
}

/** A recording that has ended becomes a clip; one without bytes is forgotten. */
export async function endRecording(open: OpenRecording): Promise<StoredClip | null> {
  const { id, name, label, type } = open
  const directory = await folder("recording")
  const file = await read(directory, id)
  let clip: StoredClip | null = null
  if (file && file.size > 0) {
    await write(await folder("clips"), id, new Blob([file], { type }))
    clip = freshClip(id, name, label, file.size)
    await keep([clip])
  }
  await dropRecording(open)
  return clip
}

/** Throws a recording away. */
export async function dropRecording({ id }: OpenRecording): Promise<void> {
  await remove("recordings", [id])
  await erase(await folder("recording"), id)
}

/** Recordings that a page has left behind become clips. */
export async function recoverRecordings(): Promise<StoredClip[]> {
  const found: StoredClip[] = []
  for (const open of await all("recordings")) {
    const clip = await endRecording(open).catch(() => null)
    if (clip) found.push(clip)
  }
  return found
}

/** Deletes clips, their features, and files that no other clip is a stretch of. */
export async function eraseClips(ids: readonly string[]): Promise<void> {
  const gone = (await all("clips")).filter(({ id }) => ids.includes(id))
  await remove("clips", ids)
  const needed = new Set((await all("clips")).map(({ file }) => file))
  const [clips, features] = [await folder("clips"), await folder("features")]
  for (const { file } of gone) if (!needed.has(file)) await erase(clips, file)
  const names: string[] = []
  for await (const name of features.keys()) if (ids.some((id) => name.endsWith(`-${id}`))) names.push(name)
  for (const name of names) await erase(features, name)
}
