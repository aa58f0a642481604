/** Files beside the clips that look like tables of them and are not read: each is named, so that nobody wonders where the labels are. */

import { open } from "node:fs/promises"
import { basename, extname, join } from "node:path"

const SHEETS: readonly string[] = [".xlsx", ".xls", ".ods", ".numbers", ".parquet", ".feather"]
const TEXTS: readonly string[] = [".txt", ".lst", ".json", ".jsonl", ".ndjson", ".xml", ".yaml", ".yml"]

/** Bytes of a text in which names of videos are looked for. */
const LOOKED_AT = 65_536

/**
 * Notes about sheets of other programs, and about texts that name one of the videos.
 * @param files all files below the folder, relative; those of the folder itself are looked at
 * @param read tables that were read
 */
export async function notesOfUnread(
  root: string,
  files: readonly string[],
  videos: readonly string[],
  read: ReadonlySet<string>,
): Promise<string[]> {
  const notes: string[] = []
  const names = new Set(videos.map((file) => basename(file)))
  for (const file of files.filter((name) => !name.includes("/") && !read.has(name))) {
    const ending = extname(file).toLowerCase()
    if (SHEETS.includes(ending)) notes.push(`${file} is not used: save it as CSV (UTF-8), with a column path`)
    else if (TEXTS.includes(ending) && (await namesOne(join(root, file), names))) {
      const objects = [".json", ".jsonl", ".ndjson"].includes(ending)
      const instead = objects
        ? "give its path instead of the folder's, if it has an object with path and label for each clip"
        : "make a table of it, with columns path and label (`fourtier data` reads lists of other tools)"
      notes.push(`${file} is not used, although it names videos: ${instead}`)
    }
  }
  return notes
}

async function namesOne(path: string, names: ReadonlySet<string>): Promise<boolean> {
  const file = await open(path).catch(() => null)
  if (file === null) return false
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(LOOKED_AT), 0, LOOKED_AT, 0)
    const words = buffer.toString("utf8", 0, bytesRead).split(/[\s"',;|<>/\\]+/)
    return words.some((word) => names.has(word))
  } catch {
    return false
  } finally {
    await file.close()
  }
}
