/**
 * Where results are kept that belong to no single run: one folder a user, so that nothing is computed or paid for again from another
 * working directory.
 *
 * ```
 * setting `cache` ─ else FOURTIER_CACHE ─ else  Linux    $XDG_CACHE_HOME/fourtier, ~/.cache/fourtier
 *                                               macOS    ~/Library/Caches/fourtier
 *                                               Windows  %LOCALAPPDATA%\fourtier\Cache
 * ```
 */

import { existsSync } from "node:fs"
import { access, constants, mkdir, utimes } from "node:fs/promises"
import { homedir } from "node:os"
import { isAbsolute, join, resolve } from "node:path"
import type { Reporter } from "@fourtier/core"
import { FourtierError, messageOf } from "@fourtier/tensor"
import { joinCache } from "./cache-users.ts"

/** The parts of a cache. */
export interface CacheFolders {
  readonly root: string
  /** `descriptions.jsonl`: the answers of vision-language models. */
  readonly answers: string
  readonly strips: string
  readonly texts: string
  readonly features: string
  readonly alignments: string
  /** What video files hold. */
  readonly measurements: string
  /** Where people are in the frames of videos. */
  readonly people: string
  /** Which bundles have been proven. */
  readonly proofs: string
  /** Which clips have been test clips; and drawn test parts of data that cannot be written. */
  readonly tests: string
  /** Copies of objects of object storage. */
  readonly objects: string
  /** Work that several processes share: who does what, and how far it is. */
  readonly work: string
  /** The cache of earlier versions in the working directory, which is read as well; null where there is none. */
  readonly older: CacheFolders | null
}

/** Name of the folder that was the cache of earlier versions, in the working directory. */
export const OLDER_NAME = ".fourtier"

const PARTS = {
  answers: "descriptions.jsonl",
  strips: "strips",
  texts: "texts",
  features: "features",
  alignments: "alignments",
  measurements: "measurements",
  people: "people",
  proofs: "proofs",
  tests: "tests",
  objects: "objects",
  work: "work",
}

/**
 * The folders of the cache.
 * @param setting the setting `cache`: a folder; null for the user's own
 *
 * @example
 * ```ts
 * import { cacheFolders, loadConfig } from "fourtier"
 *
 * const { value: config } = await loadConfig({ set: ["cache=/data/cache"] })
 * cacheFolders(config.cache).features // "/data/cache/features"
 * ```
 */
export function cacheFolders(setting: string | null = null): CacheFolders {
  const root = setting ?? resolve(userCache())
  const older = resolve(OLDER_NAME)
  const isRead = setting === null && older !== root && isOlderCache(older)
  return { ...partsOf(root), older: isRead ? { ...partsOf(older), older: null } : null }
}

/** Whether a folder was the cache of an earlier version. */
export function isOlderCache(folder: string): boolean {
  const { answers, features, texts, alignments, strips } = partsOf(folder)
  return [answers, features, texts, alignments, strips].some((path) => existsSync(path))
}

function partsOf(root: string): Omit<CacheFolders, "older"> {
  const at = (name: keyof typeof PARTS) => join(root, PARTS[name])
  return {
    root,
    answers: at("answers"),
    strips: at("strips"),
    texts: at("texts"),
    features: at("features"),
    alignments: at("alignments"),
    measurements: at("measurements"),
    people: at("people"),
    proofs: at("proofs"),
    tests: at("tests"),
    objects: at("objects"),
    work: at("work"),
  }
}

/**
 * The user's cache folder by the platform's convention, or what `FOURTIER_CACHE` says.
 *
 * @example
 * ```ts
 * import { userCache } from "fourtier"
 *
 * userCache({ XDG_CACHE_HOME: "/home/me/.cache" }, "linux") // "/home/me/.cache/fourtier"
 * ```
 */
export function userCache(
  env: Readonly<Record<string, string | undefined>> = process.env,
  platform: NodeJS.Platform = process.platform,
  home = homedir(),
): string {
  if (env.FOURTIER_CACHE) return env.FOURTIER_CACHE
  if (platform === "win32") return join(env.LOCALAPPDATA || join(home, "AppData", "Local"), "fourtier", "Cache")
  if (platform === "darwin") return join(home, "Library", "Caches", "fourtier")
  // the XDG specification has relative paths ignored
  const base = env.XDG_CACHE_HOME && isAbsolute(env.XDG_CACHE_HOME) ? env.XDG_CACHE_HOME : join(home, ".cache")
  return join(base, "fourtier")
}

/**
 * The cache's folders, ready to be written; says so where those of an earlier version are read as well.
 * @throws FourtierError where they cannot be written
 */
export async function openCache(setting: string | null, reporter: Reporter): Promise<CacheFolders> {
  const folders = cacheFolders(setting)
  await prepareCache(folders)
  joinCache(folders.root)
  if (folders.older) {
    const move = "`fourtier cache move` takes it over"
    reporter.say(`${OLDER_NAME}/ here is the cache of an earlier version and is read too; ${move} into ${folders.root}`)
  }
  return folders
}

/**
 * Makes the cache's folder.
 * @throws FourtierError where it cannot be written
 */
export async function prepareCache({ root }: Pick<CacheFolders, "root">): Promise<void> {
  try {
    await mkdir(root, { recursive: true })
    await access(root, constants.W_OK)
  } catch (error) {
    throw new FourtierError(
      {
        where: root,
        what: "the cache cannot be written",
        found: messageOf(error),
        fix: "name another folder: --set cache=FOLDER, or the environment variable FOURTIER_CACHE",
      },
      { cause: error },
    )
  }
}

/** Notes that a file or folder of the cache was used now: its modification time says so. What cannot be noted is left. */
export async function markUsed(path: string): Promise<void> {
  const now = new Date()
  await utimes(path, now, now).catch(() => {})
}
