/**
 * Files of this origin that nobody else sees (OPFS).
 *
 * ```
 * clips/ID         a clip's bytes, as they came
 * recording/ID     a recording that has not ended
 * features/E-ID    what encoder E makes of the clip ID
 * bundle/N/…       the recogniser
 * ```
 */

export type Folder = "clips" | "recording" | "features" | "bundle"

export async function folder(name: Folder, inside?: string): Promise<FileSystemDirectoryHandle> {
  const root = await navigator.storage.getDirectory()
  const studio = await root.getDirectoryHandle("studio", { create: true })
  const own = await studio.getDirectoryHandle(name, { create: true })
  return inside === undefined ? own : own.getDirectoryHandle(inside, { create: true })
}

/** Writes a file as a whole: until it is there, what was there before stays. */
export async function write(
  directory: FileSystemDirectoryHandle,
  name: string,
  data: Blob | BufferSource,
): Promise<void> {
  const handle = await directory.getFileHandle(name, { create: true })
  const stream = await handle.createWritable()
  try {
    if (data instanceof Blob) await data.stream().pipeTo(stream)
    else {
      await stream.write(data)
      await stream.close()
    }
  } catch (error) {
    await directory.removeEntry(name).catch(() => {})
    throw error
  }
}

/** An empty file is none: its writing was begun, and cut short with the page. */
export async function read(directory: FileSystemDirectoryHandle, name: string): Promise<File | null> {
  try {
    const file = await (await directory.getFileHandle(name)).getFile()
    return file.size > 0 ? file : null
  } catch (error) {
    if (error instanceof DOMException && error.name === "NotFoundError") return null
    throw error
  }
}

export async function erase(directory: FileSystemDirectoryHandle, name: string): Promise<void> {
  await directory.removeEntry(name, { recursive: true }).catch((error: unknown) => {
    if (!(error instanceof DOMException && error.name === "NotFoundError")) throw error
  })
}
