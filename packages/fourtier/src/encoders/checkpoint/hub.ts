/**
 * Files from the Hugging Face hub: `hf:owner/name`, `hf:owner/name@revision`, `hf:owner/name@revision#file`. The variables
 * `HF_ENDPOINT`, `HF_HOME`, `HF_HUB_CACHE`, `HF_TOKEN` and `HF_HUB_OFFLINE` have the same meaning as for Hugging Face's own
 * tools, and files that those have downloaded are found.
 */

import { posix } from "node:path"
import { formatSeconds, type Reporter, silent } from "@fourtier/core"
import { FourtierError, messageOf } from "@fourtier/tensor"
import { externalFiles } from "@fourtier/tensor/node"
import { z } from "zod"
import { backOff, noJitter, retry } from "../../util/back-off.ts"
import { loadPackage } from "../../util/optional.ts"
import { type Environment, type FileInfo, isCommit, RepositoryCache } from "./hub-cache.ts"
import { download } from "./hub-download.ts"
import { isShardIndex, readShardNames } from "./shards.ts"

export interface HubId {
  /** "owner/name" */
  repository: string
  /** A branch, tag or commit. */
  revision: string
  /** A file's path in the repository. Without it, the usual names of files with weights are tried. */
  file?: string
}

export interface HubOptions {
  env?: Environment
  reporter?: Reporter
  /** Attempts after a failed connection, each resuming the last; 4 by default. */
  retries?: number
  /** Seconds before the first retry, doubled before each further one, up to 30 s; 1 by default. */
  retryDelay?: number
  /** File names to look for when the id names none; the first that exists is taken. */
  usual?: readonly string[]
}

/** A file of the hub on this machine. */
export interface HubFile {
  path: string
  /** Its path in the repository. */
  file: string
  /** The commit that the revision stands for. */
  commit: string
}

const USUAL_FILES = [
  "model.safetensors",
  "model.safetensors.index.json",
  "open_clip_model.safetensors",
  "pytorch_model.bin",
  "pytorch_model.bin.index.json",
  "open_clip_pytorch_model.bin",
]

const infoSchema = z.object({ sha: z.string().regex(/^[0-9a-f]{40}$/), filePaths: z.array(z.string()) })
const pathSchema = z.object({
  oid: z.string().regex(/^[0-9a-f]{40}$/),
  size: z.int().nonnegative(),
  lfs: z.object({ oid: z.string().regex(/^[0-9a-f]{64}$/), size: z.int().nonnegative() }).optional(),
})

/** Whether a name is meant as a hub id. */
export function isHubId(text: string): boolean {
  return text.startsWith("hf:")
}

/**
 * The parts of a hub id.
 * @throws FourtierError when `text` is none
 * @example
 * parseHubId("hf:owner/name@v2#model.onnx") // { repository: "owner/name", revision: "v2", file: "model.onnx" }
 */
export function parseHubId(text: string): HubId {
  const match = /^hf:([\w.-]+\/[\w.-]+)(?:@([^#@\s]+))?(?:#(\S+))?$/.exec(text)
  if (!match || text.split(/[/:@#]/).some((part) => part === "." || part === "..")) {
    throw new FourtierError({ where: text, what: "not a hub id", expected: "hf:owner/name[@revision][#file]" })
  }
  const [, repository, revision = "main", file] = match
  return file === undefined ? { repository, revision } : { repository, revision, file }
}

/**
 * Path of an ONNX model, with the files of its weights beside it. Downloads it when `source` is a hub id; otherwise
 * `source` is a path already.
 * @throws FourtierError when it cannot be downloaded
 * @example
 * const path = await localOnnx("hf:owner/name#onnx/model.onnx")
 */
export async function localOnnx(source: string, options: HubOptions = {}): Promise<string> {
  if (!isHubId(source)) return source
  const { path, file, commit } = await fetchFromHub(source, { ...options, usual: ["onnx/model.onnx", "model.onnx"] })
  const { repository } = parseHubId(source)
  for (const location of await externalFiles(path)) {
    await fetchFromHub({ repository, revision: commit, file: posix.join(posix.dirname(file), location) }, options)
  }
  return path
}

/**
 * Path of a checkpoint, with all its files beside it where it is an index of several. Downloads them when `source` is a hub id; otherwise `source` is a path already.
 * @throws FourtierError when it cannot be downloaded
 * @example
 * const path = await localCheckpoint("hf:owner/name@main#model.safetensors")
 */
export async function localCheckpoint(source: string, options: HubOptions = {}): Promise<string> {
  if (!isHubId(source)) return source
  const { path, file, commit } = await fetchFromHub(source, options)
  const { repository } = parseHubId(source)
  for (const shard of isShardIndex(path) ? await readShardNames(path) : []) {
    await fetchFromHub({ repository, revision: commit, file: posix.join(posix.dirname(file), shard) }, options)
  }
  return path
}

/**
 * Finds a file in the cache, or downloads it. An interrupted download is resumed, and the content is checked against the
 * hub's checksum. Without a connection, or with `HF_HUB_OFFLINE=1`, a cached file is used.
 * @throws FourtierError that says what to do when there is none
 * @example
 * const { path, commit } = await fetchFromHub("hf:owner/name#model.safetensors")
 */
export async function fetchFromHub(id: string | HubId, options: HubOptions = {}): Promise<HubFile> {
  const hubId = typeof id === "string" ? parseHubId(id) : id
  const env = options.env ?? process.env
  const cache = new RepositoryCache(env, hubId.repository)
  const offline = /^(1|true|yes|on)$/i.test(env.HF_HUB_OFFLINE ?? "")
  if (offline || (isCommit(hubId.revision) && hubId.file !== undefined)) {
    const cached = await fromCache(cache, hubId, options.usual)
    if (cached) return cached
  }
  if (offline) {
    throw new FourtierError({
      where: nameOf(hubId),
      what: "not in the cache, and HF_HUB_OFFLINE is set",
      fix: "unset HF_HUB_OFFLINE, or download it on a machine with a connection and copy the cache folder",
    })
  }
  const hub = new Hub(hubId.repository, env)
  const retrying = <T>(work: () => Promise<T>) => withRetries(nameOf(hubId), options, work)
  let info: { commit: string; files: string[] }
  try {
    info = await retrying(() => hub.commit(hubId.revision))
  } catch (error) {
    const cached = isConnectionError(error) ? await fromCache(cache, hubId, options.usual) : undefined
    if (!cached) throw hubError(hubId, error)
    options.reporter?.warn(`${nameOf(hubId)}: no connection to the hub; the cached file is used`)
    return cached
  }
  const { commit } = info
  const file = hubId.file ?? chooseFile(hubId, info.files, options.usual)
  await cache.setCommit(hubId.revision, commit)
  const present = await cache.find(commit, file)
  if (present) return { path: present, file, commit }
  try {
    const details = await retrying(() => hub.file(commit, file))
    if (!details) throw noSuchFile(hubId, file, info.files)
    await download({
      path: cache.blob(details.checksum),
      info: details,
      title: `Downloading ${hubId.repository}/${file}`,
      open: (start) => hub.stream(commit, file, start),
      retry: retrying,
      reporter: options.reporter ?? silent,
    })
    return { path: await cache.link(commit, file, details.checksum), file, commit }
  } catch (error) {
    throw hubError(hubId, error)
  }
}

async function fromCache(
  cache: RepositoryCache,
  hubId: HubId,
  usual?: readonly string[],
): Promise<HubFile | undefined> {
  const commit = await cache.commitOf(hubId.revision)
  if (commit === undefined) return undefined
  const files = await cache.files(commit)
  const file = hubId.file ?? (files.length > 0 ? chooseFile(hubId, files, usual) : undefined)
  const path = file === undefined ? undefined : await cache.find(commit, file)
  return path === undefined || file === undefined ? undefined : { path, file, commit }
}

/** The calls that are needed, through the hub's own client, which is loaded on first use. */
class Hub {
  readonly #repository: string
  readonly #connection: { hubUrl: string; fetch: typeof fetch; accessToken?: string }

  constructor(repository: string, env: Environment) {
    this.#repository = repository
    if (env.HF_TOKEN && !env.HF_TOKEN.startsWith("hf_")) {
      throw new FourtierError({
        where: "HF_TOKEN",
        what: "not a token of the hub",
        expected: "a text that starts with hf_",
      })
    }
    const hubUrl = (env.HF_ENDPOINT || "https://huggingface.co").replace(/\/+$/, "")
    this.#connection = { hubUrl, fetch: globalThis.fetch, ...(env.HF_TOKEN ? { accessToken: env.HF_TOKEN } : {}) }
  }

  async commit(revision: string): Promise<{ commit: string; files: string[] }> {
    const { modelInfo } = await loadClient()
    const info = await modelInfo({
      name: this.#repository,
      revision,
      additionalFields: ["sha", "filePaths"],
      ...this.#connection,
    })
    const { sha, filePaths } = infoSchema.parse(info)
    return { commit: sha, files: filePaths }
  }

  async file(commit: string, path: string): Promise<FileInfo | undefined> {
    const { pathsInfo } = await loadClient()
    const repo = { type: "model", name: this.#repository } as const
    const found = await pathsInfo({ repo, revision: commit, paths: [path], ...this.#connection })
    if (found.length === 0) return undefined
    const { oid, size, lfs } = pathSchema.parse(found[0])
    return lfs ? { checksum: lfs.oid, size: lfs.size } : { checksum: oid, size }
  }

  /** The file's bytes from `start` on. */
  async stream(commit: string, path: string, start: number): Promise<AsyncIterable<Uint8Array>> {
    const { downloadFile } = await loadClient()
    const repo = { type: "model", name: this.#repository } as const
    const blob = await downloadFile({ repo, revision: commit, path, xet: false, ...this.#connection })
    if (!blob) throw new Error(`${path} is not there`)
    return blob.slice(start, blob.size).stream()
  }
}

const CLIENT = { name: "@huggingface/hub", version: "2.17.5" }

async function loadClient(): Promise<typeof import("@huggingface/hub")> {
  return loadPackage(CLIENT, () => import("@huggingface/hub"), "the Hugging Face hub")
}

async function withRetries<T>(name: string, options: HubOptions, work: () => Promise<T>): Promise<T> {
  const { retries = 4, retryDelay = 1, reporter } = options
  const wait = (error: unknown, attempt: number) => {
    if (!isConnectionError(error)) return null
    const milliseconds = backOff(attempt, { base: 1000 * retryDelay, jitter: noJitter })
    reporter?.warn(`${name}: ${messageOf(error)}; trying again in ${formatSeconds(milliseconds / 1000)}`)
    return milliseconds
  }
  return retry(work, { retries, wait })
}

/** Whether another attempt may succeed: the connection failed, or the server is busy or out of order for the moment. */
function isConnectionError(error: unknown): boolean {
  if (error instanceof FourtierError || error instanceof z.ZodError) return false
  const status = statusOf(error)
  if (status !== undefined) return status >= 500 || status === 429
  const code = error instanceof Error && "code" in error ? String(error.code) : ""
  return !["ENOSPC", "EACCES", "EPERM", "EROFS", "EDQUOT"].includes(code)
}

function statusOf(error: unknown): number | undefined {
  const hasStatus = error instanceof Error && "statusCode" in error && typeof error.statusCode === "number"
  return hasStatus ? Number(error.statusCode) : undefined
}

function chooseFile(hubId: HubId, files: readonly string[], usual: readonly string[] = USUAL_FILES): string {
  const found = usual.find((name) => files.includes(name))
  if (found) return found
  if (usual !== USUAL_FILES) throw unclear(hubId, files)
  const root = files.filter((name) => !name.includes("/"))
  for (const pattern of [/\.safetensors$/, /\.(pt|pth|pyth|bin)$/]) {
    const candidates = root.filter((name) => pattern.test(name))
    if (candidates.length === 1) return candidates[0]
  }
  throw unclear(hubId, files)
}

function unclear(hubId: HubId, files: readonly string[]): FourtierError {
  return new FourtierError({
    where: nameOf(hubId),
    what: "cannot tell which file holds the weights",
    found: files.slice(0, 30).join(", ") || "no files",
    fix: `name it: ${nameOf(hubId)}#file`,
  })
}

function noSuchFile(hubId: HubId, file: string, files: readonly string[]): FourtierError {
  return new FourtierError({
    where: nameOf(hubId),
    what: `there is no file ${file} in the repository`,
    found: files.slice(0, 30).join(", ") || "no files",
  })
}

function hubError(hubId: HubId, error: unknown): FourtierError {
  if (error instanceof FourtierError) return error
  const status = statusOf(error)
  const fix =
    status === 401 || status === 403
      ? "accept the model's terms on its page and set HF_TOKEN, or check the name"
      : status === 404
        ? "check owner, name and revision"
        : "check the connection and HF_ENDPOINT; the next attempt resumes the download"
  return new FourtierError(
    { where: nameOf(hubId), what: "cannot be downloaded from the hub", found: messageOf(error), fix },
    { cause: error },
  )
}

function nameOf(hubId: HubId): string {
  return `hf:${hubId.repository}@${hubId.revision}${hubId.file === undefined ? "" : `#${hubId.file}`}`
}
