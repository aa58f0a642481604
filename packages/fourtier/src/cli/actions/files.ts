/** Videos that a command line names. */

import { stat } from "node:fs/promises"
import { dirname, isAbsolute, relative, resolve } from "node:path"
import { FourtierError } from "@fourtier/tensor"
import { isVideoName, VIDEO_ENDINGS } from "../../video/endings.ts"
import { clipsOfFiles } from "../../video/firstlook.ts"
import { listFiles } from "../../video/listing.ts"
import type { Clip } from "../../video/manifest.ts"
import { isThere } from "../../video/place.ts"

/**
 * The files that are named, and the videos of the folders that are, at any depth, each once. Tables in the folders are no matter.
 * @param out a folder that the command writes to: what it has left there, in a folder that is named, is not looked at again
 */
export async function filesAt(paths: readonly string[], out?: string): Promise<string[]> {
  const files = new Set<string>()
  const written = out === undefined ? null : resolve(out)
  for (const path of paths) {
    const found = await stat(path).catch(() => null)
    if (!found && !isThere(path)) {
      throw new FourtierError({ where: path, what: "no such file or folder", fix: "correct the path" })
    }
    if (!found?.isDirectory()) {
      files.add(path)
      continue
    }
    const videos = (await videosIn(path)).filter((video) => written === null || !isInside(video, written))
    if (videos.length === 0) throw noVideo(path)
    for (const video of videos) files.add(video)
  }
  return [...files]
}

async function videosIn(folder: string): Promise<string[]> {
  const { files, notes } = await listFiles(folder)
  for (const note of notes) process.stderr.write(`${folder}: ${note}\n`)
  return files.filter(isVideoName).map((name) => resolve(folder, name))
}

const isInside = (path: string, folder: string) => !/^\.\.(?:[\\/]|$)/.test(relative(folder, path))

function noVideo(folder: string): FourtierError {
  return new FourtierError({
    where: folder,
    what: "no video found",
    expected: "video files in the folder, at any depth",
    fix: `known file extensions: ${[...VIDEO_ENDINGS].join(" ")}`,
  })
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
