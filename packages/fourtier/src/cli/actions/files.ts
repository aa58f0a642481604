/** Videos that a command line names. */

import { stat } from "node:fs/promises"
import { dirname, isAbsolute, relative, resolve } from "node:path"
import { FourtierError } from "@fourtier/tensor"
import { clipsOfFiles } from "../../video/firstlook.ts"
import type { Clip } from "../../video/manifest.ts"
import { isThere } from "../../video/place.ts"
import { scanSource } from "../../video/source.ts"

/** The files that are named, and those of the folders that are, each once. */
export async function filesAt(paths: readonly string[]): Promise<string[]> {
  const files = new Set<string>()
  for (const path of paths) {
    const found = await stat(path).catch(() => null)
    if (!found && !isThere(path)) {
      throw new FourtierError({ where: path, what: "no such file or folder", fix: "correct the path" })
    }
    if (found?.isDirectory()) for (const clip of (await scanSource(path)).clips) files.add(clip.path)
    else files.add(path)
  }
  return [...files]
}

/** The clips of the files, and why others cannot be used: looked into in child processes, since a decoder may crash. */
export async function lookThrough(
  files: readonly string[],
  workers?: number,
): Promise<{ clips: Clip[]; unusable: string[] }> {
  const clips: Clip[] = []
  const unusable: string[] = []
  for await (const found of clipsOfFiles(files, { workers })) {
    if ("clip" in found) clips.push(found.clip)
    else unusable.push(found.error.message)
  }
  return { clips, unusable }
}

/** Relative to the working directory, where the file is in it. */
export function shown(path: string): string {
  const near = relative(process.cwd(), path)
  return near.startsWith("..") || isAbsolute(near) ? path : near
}

/** The folder that holds all of these. */
export function commonFolder(folders: readonly string[]): string {
  let common = resolve(folders[0] ?? "")
  for (const folder of folders) {
    while (relative(common, resolve(folder)).startsWith("..")) common = dirname(common)
  }
  return common
}
