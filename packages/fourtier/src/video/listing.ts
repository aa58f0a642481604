/** The files of a folder, at any depth, and what of it cannot be looked into. */

import type { Dirent } from "node:fs"
import { readdir, readlink, realpath, stat } from "node:fs/promises"
import { join } from "node:path"
import { plural } from "@fourtier/core"
import { FourtierError, messageOf } from "@fourtier/tensor"
import { isVideoName } from "./endings.ts"
import { examples } from "./findings.ts"
import { isNumbered, sequencePattern } from "./sequence.ts"

export interface Listing {
  /** Every file that is not hidden, relative, "/" between folders, sorted. */
  files: string[]
  /** Folders of the folder itself that are not hidden, sorted. */
  folders: string[]
  /** Folders of numbered pictures, with how these are named; their files are not among `files`. Only where asked for. */
  sequences: { folder: string; pattern: string }[]
  /** Links to folders that are not there, and folders that may not be read. */
  notes: string[]
}

/**
 * Lists a folder. Links that lead back to a folder above are left. A link named as a video whose target is missing is listed, so
 * that it is named with the other files that cannot be used.
 *
 * @param options `sequences`: folders that hold mostly numbered pictures are videos
 * @throws FourtierError where the folder itself cannot be read
 */
export async function listFiles(root: string, options: { sequences?: boolean } = {}): Promise<Listing> {
  const files: string[] = []
  const sequences: Listing["sequences"] = []
  const folders: string[] = []
  const links: string[] = []
  const closed: string[] = []
  const visit = async (folder: string, prefix: string, above: readonly string[]): Promise<void> => {
    const real = await realpath(folder)
    if (above.includes(real)) return
    const entries = await readdir(folder, { withFileTypes: true })
    const pictures = options.sequences === true ? entries.map(({ name }) => name).filter(isNumbered) : []
    const pattern = prefix !== "" && pictures.length > entries.length / 2 ? sequencePattern(pictures) : null
    if (pattern !== null) {
      sequences.push({ folder: prefix.slice(0, -1), pattern })
      return
    }
    for (const entry of entries) {
      if (entry.name.startsWith(".")) continue
      const name = `${prefix}${entry.name}`
      const kind = await kindOf(folder, entry)
      if (kind === "file" || (kind === "missing" && isVideoName(name))) files.push(name)
      else if (kind === "missing") links.push(`${name} -> ${await readlink(join(folder, entry.name)).catch(() => "?")}`)
      else if (kind === "folder") {
        if (prefix === "") folders.push(name)
        await visit(join(folder, entry.name), `${name}/`, [...above, real]).catch((error: unknown) => {
          closed.push(`${name} (${reasonOf(error)})`)
        })
      }
    }
  }
  try {
    await visit(root, "", [])
  } catch (error) {
    throw new FourtierError(
      {
        where: root,
        what: "the folder cannot be read",
        found: reasonOf(error),
        fix: "give yourself permission to read it",
      },
      { cause: error },
    )
  }
  const notes: string[] = []
  if (links.length > 0) {
    notes.push(
      `${plural(links.length, "link")} to folders that are not there, so their clips are missing: ${examples(links)}`,
    )
  }
  if (closed.length > 0) {
    notes.push(`${plural(closed.length, "folder")} cannot be read, so the clips in it are missing: ${examples(closed)}`)
  }
  return { files: files.sort(), folders: folders.sort(), sequences, notes }
}

async function kindOf(folder: string, entry: Dirent): Promise<"file" | "folder" | "missing" | "other"> {
  if (entry.isFile()) return "file"
  if (entry.isDirectory()) return "folder"
  if (!entry.isSymbolicLink()) return "other"
  const target = await stat(join(folder, entry.name)).catch(() => null)
  if (target === null) return "missing"
  return target.isFile() ? "file" : target.isDirectory() ? "folder" : "other"
}

/** In words, where the operating system gives a code. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error) || !("code" in error)) return messageOf(error)
  if (error.code === "EACCES" || error.code === "EPERM") return "no permission"
  return error.code === "ENAMETOOLONG" ? "its path is too long" : messageOf(error)
}
