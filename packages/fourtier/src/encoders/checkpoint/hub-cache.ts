/**
 * The cache folder of Hugging Face's own tools, with which files are shared:
 *
 *   <cache>/models--owner--name/refs/main                the last known commit of "main"
 *                              /blobs/<checksum>         the contents of the files
 *                              /snapshots/<commit>/...   links from file names to blobs
 */

import { createHash } from "node:crypto"
import { createReadStream } from "node:fs"
import { copyFile, mkdir, readdir, readFile, rename, stat, symlink } from "node:fs/promises"
import { homedir } from "node:os"
import { dirname, join, relative, sep } from "node:path"
import { FourtierError } from "@fourtier/tensor"
import { temporaryName, writeFileAtomic } from "@fourtier/tensor/node"

export type Environment = Readonly<Record<string, string | undefined>>

/** What identifies a file on the hub. */
export interface FileInfo {
  /** In hexadecimal: SHA-256 of a large file, git's SHA-1 of a small one. */
  checksum: string
  size: number
}

const COMMIT = /^[0-9a-f]{40}$/

/** Whether a revision is a commit, which never changes, rather than a branch or tag. */
export function isCommit(revision: string): boolean {
  return COMMIT.test(revision)
}

/** `HF_HUB_CACHE`, `HF_HOME/hub`, or `~/.cache/huggingface/hub`. */
export function hubCacheFolder(env: Environment = process.env): string {
  const home = env.HF_HOME || join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "huggingface")
  return env.HF_HUB_CACHE || env.HUGGINGFACE_HUB_CACHE || join(home, "hub")
}

/** The cached files of a repository. */
export class RepositoryCache {
  readonly #folder: string

  constructor(env: Environment, repository: string) {
    this.#folder = join(hubCacheFolder(env), `models--${repository.replaceAll("/", "--")}`)
  }

  /** The last known commit of a revision. */
  async commitOf(revision: string): Promise<string | undefined> {
    if (isCommit(revision)) return revision
    try {
      const commit = (await readFile(this.#inside("refs", revision), "utf8")).trim()
      return isCommit(commit) ? commit : undefined
    } catch {
      return undefined
    }
  }

  /** Remembers the commit of a branch or tag. */
  async setCommit(revision: string, commit: string): Promise<void> {
    if (!isCommit(revision)) await writeFileAtomic(this.#inside("refs", revision), commit)
  }

  /** Names of a commit's files that are in the cache. */
  async files(commit: string): Promise<string[]> {
    const folder = this.#inside("snapshots", commit)
    const names = await readdir(folder, { recursive: true }).catch(() => [])
    const files: string[] = []
    for (const name of names) {
      if (await isFile(join(folder, name))) files.push(name.replaceAll(sep, "/"))
    }
    return files.sort()
  }

  /** Path of a commit's file, if it is in the cache. */
  async find(commit: string, file: string): Promise<string | undefined> {
    const path = this.#inside("snapshots", commit, file)
    return (await isFile(path)) ? path : undefined
  }

  /** Where the content with this checksum belongs. */
  blob(checksum: string): string {
    return this.#inside("blobs", checksum)
  }

  /** Links a file name of a commit to a blob; copies the blob where links are not allowed. @returns the path */
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

  /** A path below the repository's folder. @throws FourtierError for names that would lead out of it */
  #inside(...parts: string[]): string {
    for (const part of parts.flatMap((name) => name.split("/"))) {
      if (part === "" || part === "." || part === ".." || /[\\\0:]/.test(part)) {
        throw new FourtierError({
          what: "suspicious name of a file or revision on the hub",
          found: JSON.stringify(parts.at(-1)),
        })
      }
    }
    return join(this.#folder, ...parts)
  }
}

/** Whether a file has the size and checksum given by the hub. */
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
