/**
 * The cache folder that Hugging Face's own tools use, so that files are shared with them:
 *
 *   <cache>/models--owner--name/refs/main              the commit that "main" was last seen at
 *                              /blobs/<checksum>       the files' contents
 *                              /snapshots/<commit>/... links from file names to blobs
 */

import { createHash } from "node:crypto"
import { createReadStream } from "node:fs"
import { copyFile, mkdir, readdir, readFile, rename, stat, symlink } from "node:fs/promises"
import { homedir } from "node:os"
import { dirname, join, relative, sep } from "node:path"
import { FourtierError } from "@fourtier/tensor"
import { temporaryName, writeFileAtomic } from "@fourtier/tensor/node"

export type Environment = Readonly<Record<string, string | undefined>>

/** A file's identity on the hub. */
export interface FileInfo {
  /** SHA-256 of a large file; git's SHA-1 of a small one. In hexadecimal. */
  checksum: string
  size: number
}

const COMMIT = /^[0-9a-f]{40}$/

/** Whether a revision is a commit, which never changes, and not a branch or tag. */
export function isCommit(revision: string): boolean {
  return COMMIT.test(revision)
}

/** `HF_HUB_CACHE`, `HF_HOME/hub`, or `~/.cache/huggingface/hub`. */
export function hubCacheFolder(env: Environment): string {
  const home = env.HF_HOME || join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "huggingface")
  return env.HF_HUB_CACHE || env.HUGGINGFACE_HUB_CACHE || join(home, "hub")
}

/** The cached files of one repository. */
export class RepositoryCache {
  readonly #folder: string

  constructor(env: Environment, repository: string) {
    this.#folder = join(hubCacheFolder(env), `models--${repository.replaceAll("/", "--")}`)
  }

  /** The commit that a revision was last seen at, if any. */
  async commitOf(revision: string): Promise<string | undefined> {
    if (isCommit(revision)) return revision
    try {
      const commit = (await readFile(this.#inside("refs", revision), "utf8")).trim()
      return isCommit(commit) ? commit : undefined
    } catch {
      return undefined
    }
  }

  async setCommit(revision: string, commit: string): Promise<void> {
    if (!isCommit(revision)) await writeFileAtomic(this.#inside("refs", revision), commit)
  }

  /** Names of a commit's files that are here. */
  async files(commit: string): Promise<string[]> {
    const folder = this.#inside("snapshots", commit)
    const names = await readdir(folder, { recursive: true }).catch(() => [])
    const files: string[] = []
    for (const name of names) {
      if (await isFile(join(folder, name))) files.push(name.replaceAll(sep, "/"))
    }
    return files.sort()
  }

  /** The path of a commit's file, if it is here. */
  async find(commit: string, file: string): Promise<string | undefined> {
    const path = this.#inside("snapshots", commit, file)
    return (await isFile(path)) ? path : undefined
  }

  /** Where a file's content belongs. */
  blob(checksum: string): string {
    return this.#inside("blobs", checksum)
  }

  /** Gives a blob its name in a commit. Where links are not allowed, the content is copied. @returns the path */
  async link(commit: string, file: string, checksum: string): Promise<string> {
    const path = this.#inside("snapshots", commit, file)
    const blob = this.blob(checksum)
    await mkdir(dirname(path), { recursive: true })
    const temporary = temporaryName(path)
    try {
      await symlink(relative(dirname(path), blob), temporary)
    } catch {
      await copyFile(blob, temporary)
    }
    await rename(temporary, path)
    return path
  }

  /** A path below the repository's folder. Throws FourtierError for names that would lead out of it. */
  #inside(...parts: string[]): string {
    for (const part of parts.flatMap((name) => name.split("/"))) {
      if (part === "" || part === "." || part === ".." || /[\\\0:]/.test(part)) {
        throw new FourtierError({
          what: "suspicious file or revision name on the hub",
          found: JSON.stringify(parts.at(-1)),
        })
      }
    }
    return join(this.#folder, ...parts)
  }
}

/** Whether a file has the size and checksum that the hub gives. */
export async function hasChecksum(path: string, info: FileInfo): Promise<boolean> {
  const { size } = await stat(path)
  if (size !== info.size) return false
  const isGit = info.checksum.length === 40
  const hash = createHash(isGit ? "sha1" : "sha256")
  if (isGit) hash.update(`blob ${size}\0`)
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk)
  return hash.digest("hex") === info.checksum
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile()
  } catch {
    return false
  }
}
