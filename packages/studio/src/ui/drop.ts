/** Files and folders as they are dropped or chosen. */

export interface Found {
  file: File
  /** Folders and name, as far as known: "clips/jump/a.mp4". */
  path: string
}

const ENDINGS = /\.(mp4|m4v|mov|webm|mkv|avi|mpg|mpeg|ts|ogv|3gp)$/i

/** Videos with the class that their folder names, and the other files. The topmost folder names no class. */
export function videosOf(found: readonly Found[]): { videos: (Found & { label: string | null })[]; others: Found[] } {
  const visible = found.filter(({ path }) => !path.split("/").some((part) => part.startsWith(".")))
  const isVideo = ({ file }: Found) => file.type.startsWith("video/") || ENDINGS.test(file.name)
  const videos = visible.filter(isVideo).map(({ file, path }) => {
    const folders = path.split("/").slice(0, -1)
    return { file, path, label: folders.length >= 2 ? folders[folders.length - 1] : null }
  })
  return { videos, others: visible.filter((one) => !isVideo(one)) }
}

/** Everything that was dropped, folders walked through. */
export async function filesOf(transfer: DataTransfer): Promise<Found[]> {
  const entries = [...transfer.items].flatMap((item) => item.webkitGetAsEntry() ?? [])
  const found: Found[] = []
  // a folder that is dropped alone holds folders of classes; several dropped folders are classes themselves
  const several = entries.filter(({ isDirectory }) => isDirectory).length > 1
  for (const entry of entries) await walk(entry, several ? "dropped/" : "", found)
  return found
}

async function walk(entry: FileSystemEntry, above: string, found: Found[]): Promise<void> {
  const path = `${above}${entry.name}`
  if (isFile(entry)) {
    const file = await new Promise<File>((resolve, reject) => entry.file(resolve, reject))
    found.push({ file, path })
  } else if (isFolder(entry)) {
    const reader = entry.createReader()
    while (true) {
      const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject))
      if (some.length === 0) return
      for (const one of some) await walk(one, `${path}/`, found)
    }
  }
}

const isFile = (entry: FileSystemEntry): entry is FileSystemFileEntry => entry.isFile
const isFolder = (entry: FileSystemEntry): entry is FileSystemDirectoryEntry => entry.isDirectory
