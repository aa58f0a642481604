/** The files below a data set's root, listed once: annotations by name, clips by the stem of their name. */

import { stat } from "node:fs/promises"
import { basename, dirname, extname, join, relative, resolve, sep } from "node:path"
import { FourtierError, messageOf } from "@fourtier/tensor"
import { isVideoName } from "../video/endings.ts"
import { examples } from "../video/findings.ts"
import { listFiles } from "../video/listing.ts"

/** A file's name without its folders and without the endings of video files: "a.mp4.webm" is "a". */
export function stemOf(path: string): string {
  let name = path.slice(path.lastIndexOf("/") + 1)
  while (isVideoName(name)) name = name.slice(0, -extname(name).length)
  return name
}

/** Folders and file of a relative path, in small letters. */
const wordsOf = (path: string) => path.toLowerCase().split("/")

export class Files {
  readonly root: string
  /** Every file that is not hidden, relative to the root, sorted. */
  readonly names: readonly string[]
  /** What of the folder cannot be looked into. */
  readonly notes: readonly string[]
  #byStem: Map<string, string | string[]> | null = null

  constructor(root: string, names: readonly string[], notes: readonly string[] = []) {
    this.root = root
    this.names = names
    this.notes = notes
  }

  /** Lists a folder, or stands for one file. @throws FourtierError where there is neither */
  static async list(root: string): Promise<Files> {
    const found = await stat(root).catch((error: unknown) => {
      const about = { what: "the data cannot be opened", found: messageOf(error), fix: "correct the path" }
      throw new FourtierError({ where: root, ...about }, { cause: error })
    })
    if (!found.isDirectory()) return new Files(dirname(root), [basename(root)])
    const { files, notes } = await listFiles(root)
    return new Files(root, files, notes)
  }

  get videos(): string[] {
    return this.names.filter(isVideoName)
  }

  /** The path of a listed file, absolute. */
  absolute(name: string): string {
    return join(this.root, name)
  }

  /**
   * The video whose name without ending is `stem`, capitals aside where none is spelled like it.
   * @param near words, such as a class and a part of the split: of several files the one with most of them in its folders is taken
   */
  video(stem: string, near: readonly string[] = []): string | null {
    const found = this.#stems().get(stem) ?? this.#stems().get(`?${stem.normalize("NFC").toLowerCase()}`)
    if (found === undefined || typeof found === "string") return found ?? null
    const wanted = near.map((word) => word.toLowerCase())
    const nearness = (path: string) => wordsOf(path).filter((word) => wanted.includes(word)).length
    return found.reduce((best, one) => (nearness(one) > nearness(best) ? one : best))
  }

  /** The listed file of this relative path, or null. */
  at(path: string): string | null {
    const clean = path.replaceAll("\\", "/").replace(/^(?:\.?\/)+/, "")
    const own = this.video(stemOf(clean), wordsOf(clean).slice(0, -1))
    if (own === null) return null
    const all = this.#stems().get(stemOf(clean)) ?? own
    const ends = (one: string) => one === clean || one.endsWith(`/${clean}`)
    return (typeof all === "string" ? [all] : all).find(ends) ?? null
  }

  #stems(): ReadonlyMap<string, string | string[]> {
    if (this.#byStem !== null) return this.#byStem
    const byStem = new Map<string, string | string[]>()
    const add = (key: string, name: string) => {
      const before = byStem.get(key)
      if (before === undefined) byStem.set(key, name)
      else if (typeof before === "string") byStem.set(key, [before, name])
      else before.push(name)
    }
    for (const name of this.videos) {
      const stem = stemOf(name)
      add(stem, name)
      const plain = stem.normalize("NFC").toLowerCase()
      if (plain !== stem) add(`?${plain}`, name)
    }
    this.#byStem = byStem
    return byStem
  }

  /** What the root holds, for errors. */
  summary(): string {
    if (this.names.length === 0) return "an empty folder"
    const others = this.names.filter((name) => !isVideoName(name))
    const videos = this.names.length - others.length
    const parts = [
      videos > 0 ? `${videos} video files such as ${this.videos[0]}` : "no video file",
      others.length > 0 ? `other files such as ${examples(others)}` : "",
    ]
    return parts.filter((part) => part !== "").join("; ")
  }
}

/** An annotation file: where it is, and the part of the split that the user named it for (`train=<file>`). */
export interface AnnotationFile {
  path: string
  part: string | null
}

/**
 * The files that may be annotations: those that the user gave and those in the folders given, or else those below the root.
 * @throws FourtierError for a path that is not there
 */
export async function annotationFiles(given: readonly string[], files: Files): Promise<AnnotationFile[]> {
  if (given.length === 0) {
    return files.names.filter((name) => !isVideoName(name)).map((name) => ({ path: files.absolute(name), part: null }))
  }
  const found: AnnotationFile[] = []
  for (const one of given) {
    const [, part = null, path] = /^(?:([\w-]+)=)?(.*)$/s.exec(one) ?? []
    const absolute = resolve(path ?? one)
    const kind = await stat(absolute).catch(() => null)
    if (kind === null) {
      throw new FourtierError({ where: absolute, what: "no such annotation file", fix: "correct --annotations" })
    }
    if (!kind.isDirectory()) found.push({ path: absolute, part })
    else for (const name of (await listFiles(absolute)).files) found.push({ path: join(absolute, name), part })
  }
  return found
}

/** A path relative to a folder, "/" between folders; absolute where it lies on another disk. */
export function relativePath(folder: string, path: string): string {
  return relative(folder, path).split(sep).join("/")
}
