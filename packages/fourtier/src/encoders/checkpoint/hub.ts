/**
 * Checkpoints from the Hugging Face hub: `hf:owner/name`, `hf:owner/name@revision`, `hf:owner/name@revision#file`.
 * `HF_ENDPOINT`, `HF_HOME`, `HF_HUB_CACHE`, `HF_TOKEN` and `HF_HUB_OFFLINE` mean what they mean to Hugging Face's own tools,
 * and files already fetched by those are found.
 */

import { posix } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { type Reporter, silent } from "@fourtier/core"
import { FourtierError, messageOf } from "@fourtier/tensor"
import { externalFiles } from "@fourtier/tensor/node"
import { z } from "zod"
import { type Environment, type FileInfo, isCommit, RepositoryCache } from "./hub-cache.ts"
import { download } from "./hub-download.ts"

export interface HubId {
  /** "owner/name" */
  repository: string
  /** A branch, tag or commit. */
  revision: string
  /** A file's path in the repository; without it, the usual names of weights are tried. */
  file?: string
}

export interface HubOptions {
  env?: Environment
  reporter?: Reporter
  /** Attempts after a failed connection, each going on where the last one stopped. */
  retries?: number
  /** Seconds before the first retry; each further one waits twice as long. */
  retryDelay?: number
  /** Files to look for where the id names none, the first that is there; by default the usual names of weights. */
  usual?: readonly string[]
}

/** A file that is now on this machine. */
export interface HubFile {
  path: string
  file: string
  /** The commit that the revision stands for. */
  commit: string
}

const USUAL_FILES = [
  "model.safetensors",
  "open_clip_model.safetensors",
  "pytorch_model.bin",
  "open_clip_pytorch_model.bin",
]

const infoSchema = z.object({ sha: z.string().regex(/^[0-9a-f]{40}$/), filePaths: z.array(z.string()) })
const pathSchema = z.object({
  oid: z.string().regex(/^[0-9a-f]{40}$/),
  size: z.int().nonnegative(),
  lfs: z.object({ oid: z.string().regex(/^[0-9a-f]{64}$/), size: z.int().nonnegative() }).optional(),
})

export function isHubId(text: string): boolean {
  return text.startsWith("hf:")
}

/** Throws FourtierError when `text` is no hub id. */
export function parseHubId(text: string): HubId {
  const match = /^hf:([\w.-]+\/[\w.-]+)(?:@([^#@\s]+))?(?:#(\S+))?$/.exec(text)
  if (!match || text.split(/[/:@#]/).some((part) => part === "." || part === "..")) {
    throw new FourtierError({ where: text, what: "not a hub id", expected: "hf:owner/name[@revision][#file]" })
  }
  const [, repository, revision = "main", file] = match
  return file === undefined ? { repository, revision } : { repository, revision, file }
}

/** An ONNX model on this machine, with the files of its weights beside it: hub ids are fetched, anything else is a path already. */
export async function localOnnx(source: string, options: HubOptions = {}): Promise<string> {
  if (!isHubId(source)) return source
  const { path, file, commit } = await fetchFromHub(source, { ...options, usual: ["onnx/model.onnx", "model.onnx"] })
  const { repository } = parseHubId(source)
  for (const location of await externalFiles(path)) {
    await fetchFromHub({ repository, revision: commit, file: posix.join(posix.dirname(file), location) }, options)
  }
  return path
}

/** A path on this machine for what a user names: hub ids are fetched, anything else is a path already. */
export async function localCheckpoint(source: string, options: HubOptions = {}): Promise<string> {
  return isHubId(source) ? (await fetchFromHub(source, options)).path : source
}

/**
 * Finds a hub file in the cache or fetches it. An interrupted download goes on where it stopped; the content's checksum is
 * compared with the hub's. Without a connection, or with `HF_HUB_OFFLINE=1`, the cached file is taken. Throws FourtierError
 * that says what to do otherwise.
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
      fix: "unset HF_HUB_OFFLINE, or fetch it on a machine with a connection and copy its cache folder",
    })
  }
  const hub = new Hub(hubId.repository, env)
  const retry = <T>(work: () => Promise<T>) => withRetries(nameOf(hubId), options, work)
  let info: { commit: string; files: string[] }
  try {
    info = await retry(() => hub.commit(hubId.revision))
  } catch (error) {
    const cached = isConnectionError(error) ? await fromCache(cache, hubId, options.usual) : undefined
    if (!cached) throw complaint(hubId, error)
    options.reporter?.warn(`${nameOf(hubId)}: no connection to the hub; using the cached file`)
    return cached
  }
  const { commit } = info
  const file = hubId.file ?? chooseFile(hubId, info.files, options.usual)
  await cache.setCommit(hubId.revision, commit)
  const present = await cache.find(commit, file)
  if (present) return { path: present, file, commit }
  try {
    const details = await retry(() => hub.file(commit, file))
    if (!details) throw noSuchFile(hubId, file, info.files)
    await download({
      path: cache.blob(details.checksum),
      info: details,
      title: `fetch ${hubId.repository}/${file}`,
      open: (start) => hub.stream(commit, file, start),
      retry,
      reporter: options.reporter ?? silent,
    })
    return { path: await cache.link(commit, file, details.checksum), file, commit }
  } catch (error) {
    throw complaint(hubId, error)
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

/** The calls that we make, by way of the hub's own client, loaded when first needed. */
class Hub {
  readonly #repository: string
  readonly #connection: { hubUrl: string; fetch: typeof fetch; accessToken?: string }

  constructor(repository: string, env: Environment) {
    this.#repository = repository
    if (env.HF_TOKEN && !env.HF_TOKEN.startsWith("hf_")) {
      throw new FourtierError({
        where: "HF_TOKEN",
        what: "not a token of the hub",
        expected: "text that begins with hf_",
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

async function loadClient(): Promise<typeof import("@huggingface/hub")> {
  try {
    return await import("@huggingface/hub")
  } catch (error) {
    throw new FourtierError(
      { where: "@huggingface/hub", what: "package is not installed", fix: "npm install @huggingface/hub" },
      { cause: error },
    )
  }
}

async function withRetries<T>(name: string, options: HubOptions, work: () => Promise<T>): Promise<T> {
  const retries = options.retries ?? 4
  for (let attempt = 0; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (attempt >= retries || !isConnectionError(error)) throw error
      const seconds = (options.retryDelay ?? 1) * 2 ** attempt
      options.reporter?.warn(`${name}: ${messageOf(error)}; trying again in ${seconds} s`)
      await sleep(seconds * 1000)
    }
  }
}

/** Whether a further attempt may succeed: the connection failed, or the server is busy or broken for now. */
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
    what: `no file ${file} in the repository`,
    found: files.slice(0, 30).join(", ") || "no files",
  })
}

function complaint(hubId: HubId, error: unknown): FourtierError {
  if (error instanceof FourtierError) return error
  const status = statusOf(error)
  const fix =
    status === 401 || status === 403
      ? "accept the model's terms on its page and set HF_TOKEN, or check the name"
      : status === 404
        ? "check owner, name and revision"
        : "check the connection and HF_ENDPOINT; fetched parts are kept, so that the next attempt goes on from there"
  return new FourtierError(
    { where: nameOf(hubId), what: "cannot be fetched from the hub", found: messageOf(error), fix },
    { cause: error },
  )
}

function nameOf(hubId: HubId): string {
  return `hf:${hubId.repository}@${hubId.revision}${hubId.file === undefined ? "" : `#${hubId.file}`}`
}
