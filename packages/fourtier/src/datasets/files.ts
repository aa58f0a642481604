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

const plainStem = (stem: string) => stem.normalize("NFC").toLowerCase()

/** The files of a stem: one, or several. */
type Stems = ReadonlyMap<string, string | string[]>

function stemsOf(videos: readonly string[], keyOf: (name: string) => string): Stems {
  const byStem = new Map<string, string | string[]>()
  for (const name of videos) {
    const key = keyOf(name)
    const before = byStem.get(key)
    if (before === undefined) byStem.set(key, name)
    else if (typeof before === "string") byStem.set(key, [before, name])
    else before.push(name)
  }
  return byStem
}

/** Of several files the one with most of the words in its folders. */
function nearest(found: string | readonly string[] | undefined, near: () => readonly string[]): string | null {
  if (found === undefined || typeof found === "string") return found ?? null
  const wanted = near().map((word) => word.toLowerCase())
  const nearness = (path: string) =>
    path
      .toLowerCase()
      .split("/")
      .filter((word) => wanted.includes(word)).length
  return found.reduce((best, one) => (nearness(one) > nearness(best) ? one : best))
}

export class Files {
  readonly root: string
  /** Every file that is not hidden, relative to the root, sorted. */
  readonly names: readonly string[]
  /** What of the folder cannot be looked into. */
  readonly notes: readonly string[]
  #byStem: Stems | null = null
  #byPlainStem: Stems | null = null

  constructor(root: string, names: readonly string[], notes: readonly string[] = []) {
    this.root = root
    this.names = names
    this.notes = notes
  }

  /**
   * Lists a folder, or stands for one file.
   * @param except the absolute path of a file to pass over
   * @throws FourtierError where there is neither
   */
  static async list(root: string, except: string): Promise<Files> {
    const found = await stat(root).catch((error: unknown) => {
      const about = { what: "the data cannot be opened", found: messageOf(error), fix: "correct the path" }
      throw new FourtierError({ where: root, ...about }, { cause: error })
    })
    if (!found.isDirectory()) return new Files(dirname(root), [basename(root)])
    const { files, notes } = await listFiles(root)
    return new Files(
      root,
      files.filter((name) => join(root, name) !== except),
      notes,
    )
  }

  get videos(): string[] {
    return this.names.filter(isVideoName)
  }

  /** The path of a listed file, absolute. */
  absolute(name: string): string {
    return join(this.root, name)
  }

  /**
   * The video whose name without ending is `stem`.
   * @param near words, such as a class and a part of the split: of several files the one with most of them in its folders is taken
   */
  video(stem: string, near: () => readonly string[] = () => []): string | null {
    return nearest(this.#stems().get(stem), near)
  }

  /** The same, whatever its capitals and the form of its accents, where none is spelled like it. */
  looseVideo(stem: string, near: () => readonly string[] = () => []): string | null {
    return this.video(stem, near) ?? nearest(this.#looseStems().get(plainStem(stem)), near)
  }

  /** The listed video of this relative path, or of one that ends so; null where there is none. */
  at(path: string): string | null {
    const clean = path.replaceAll("\\", "/").replace(/^(?:\.?\/)+/, "")
    const stem = stemOf(clean)
    const found = this.#stems().get(stem) ?? this.#looseStems().get(plainStem(stem))
    const all = found === undefined ? [] : typeof found === "string" ? [found] : found
    const plain = clean.normalize("NFC")
    const is = (equal: (one: string) => boolean) => all.find((one) => equal(one.normalize("NFC")))
    return is((one) => one === plain) ?? is((one) => one.endsWith(`/${plain}`)) ?? null
  }

  #stems(): Stems {
    this.#byStem ??= stemsOf(this.videos, stemOf)
    return this.#byStem
  }

  #looseStems(): Stems {
    this.#byPlainStem ??= stemsOf(this.videos, (name) => plainStem(stemOf(name)))
    return this.#byPlainStem
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
