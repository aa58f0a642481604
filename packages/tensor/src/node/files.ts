/** Files that are whole or absent: everything is written under a temporary name, flushed, then renamed. */

import { createHash, randomBytes } from "node:crypto"
import { createReadStream, statfsSync } from "node:fs"
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import { FourtierError, messageOf } from "../errors.ts"

/**
 * A temporary name beside `path` that no other process uses; `sweepTemporaries` recognises it.
 *
 * @example
 * ```ts
 * import { temporaryName } from "@fourtier/tensor/node"
 *
 * temporaryName("results.json") // "results.json.tmp-4711-0a1b2c3d"
 * ```
 */
export function temporaryName(path: string): string {
  const end = `.tmp-${process.pid}-${randomBytes(4).toString("hex")}`
  const letters = [...basename(path)]
  if (Buffer.byteLength(basename(path) + end) <= LONGEST_NAME) return `${path}${end}`
  while (Buffer.byteLength(letters.join("") + end) > LONGEST_NAME) letters.pop()
  return join(dirname(path), `${letters.join("")}${end}`)
}

/** Bytes that file systems allow for a file's name. */
const LONGEST_NAME = 255

/**
 * Removes the temporary files and folders that killed processes left in `folder`, at any depth.
 *
 * @example
 * ```ts
 * import { sweepTemporaries } from "@fourtier/tensor/node"
 *
 * await sweepTemporaries("runs/demo")
 * ```
 */
export async function sweepTemporaries(folder: string): Promise<void> {
  const left = (await readdir(folder, { recursive: true })).filter((path) => /\.tmp-\d+-[0-9a-f]{8}$/.test(path))
  for (const path of left) await rm(join(folder, path), { recursive: true, force: true })
}

/**
 * Calls `write` with the handle of a temporary file, and renames the file to `path` once it is on disk. Makes the folder.
 *
 * @example
 * ```ts
 * import { writeAtomically } from "@fourtier/tensor/node"
 *
 * await writeAtomically("runs/lines.txt", async (file) => {
 *   for (const line of ["first", "second"]) await file.write(`${line}\n`)
 * })
 * ```
 */
export async function writeAtomically(path: string, write: (file: FileHandle) => Promise<void>): Promise<void> {
  const temporary = temporaryName(path)
  try {
    await mkdir(dirname(path), { recursive: true })
    const file = await open(temporary, "wx")
    try {
      await write(file)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    const told = notWritten(path, error) // how much is free, while the part that was written is still there
    await rm(temporary, { force: true }).catch(() => {})
    throw told
  }
}

/**
 * The error of a file that cannot be written: with its path, how much was free, and what to do. Errors that are not the operating
 * system's are returned as they are.
 *
 * @param what is written, where the file's name does not tell
 *
 * @example
 * ```ts
 * import { appendFile } from "node:fs/promises"
 * import { notWritten } from "@fourtier/tensor/node"
 *
 * await appendFile("runs/lines.txt", "one more\n").catch((error: unknown) => {
 *   throw notWritten("runs/lines.txt", error) // runs/lines.txt: cannot be written; found ENOSPC …, 0 of 8.4 MB free
 * })
 * ```
 */
export function notWritten(path: string, error: unknown, what?: string): unknown {
  if (!isSystemError(error)) return error
  const { code = "" } = error
  const fix = WRITE_FIXES[code] ?? "choose another folder"
  const found = FULL.has(code) ? `${messageOf(error)}${freeBeside(path)}` : messageOf(error)
  const complaint = {
    where: path,
    what: what === undefined ? "cannot be written" : `${what} cannot be written`,
    found,
    fix,
  }
  return new FourtierError(complaint, { cause: error })
}

/** An error of the operating system, such as ENOSPC. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "syscall" in error
}

/** What says that there is no room. */
const FULL = new Set(["ENOSPC", "EDQUOT"])

/** How much room there is for a file of this path: ", 0 of 8.4 MB free"; empty where the system does not tell. */
function freeBeside(path: string): string {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    try {
      const { bavail, blocks, bsize } = statfsSync(folder)
      const megabytes = (count: number) => ((count * bsize) / 1e6).toFixed(1)
      return `, ${megabytes(bavail)} of ${megabytes(blocks)} MB free`
    } catch {
      // the folder has gone, or was never made
      if (dirname(folder) === folder) return ""
    }
  }
}

const WRITE_FIXES: Readonly<Record<string, string>> = {
  ENOSPC: "free disk space, or choose a folder on another disk",
  EDQUOT: "free disk space: the quota is used up",
  EFBIG: "choose a folder on another disk: this one, or a limit (ulimit -f), allows no file of this size",
  EIO: "check the disk: it reports an error of its own, see the system's log",
  EACCES: "correct the folder's permissions, or choose another folder",
  EPERM: "correct the folder's permissions, or choose another folder",
  EROFS: "choose another folder: this disk can only be read",
  ENAMETOOLONG: "shorten the path: a name has at most 255 bytes on most disks",
  ENOTDIR: "choose another folder: a part of this path is a file",
  EEXIST: "choose another folder: a part of this path is a file",
  EISDIR: "choose another name: there is a folder of this name",
  EMFILE: "allow more open files (ulimit -n)",
}

/**
 * Writes a whole file; a reader sees the old contents or the new.
 *
 * @example
 * ```ts
 * import { writeFileAtomic } from "@fourtier/tensor/node"
 *
 * await writeFileAtomic("runs/report.md", "# Report\n")
 * ```
 */
export async function writeFileAtomic(path: string, data: string | Uint8Array): Promise<void> {
  await writeAtomically(path, async (file) => {
    await file.writeFile(data)
  })
}

/**
 * Writes a value as indented JSON; a reader sees the old file or the new.
 *
 * @example
 * ```ts
 * import { writeJson } from "@fourtier/tensor/node"
 *
 * await writeJson("runs/results.json", { accuracy: 0.93 })
 * ```
 */
export async function writeJson(path: string, value: unknown): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify(value, null, 2)}\n`)
}

/**
 * Parses a JSON file; the caller validates what is in it. Throws a FourtierError that names the file.
 *
 * @example
 * ```ts
 * import { readJson } from "@fourtier/tensor/node"
 *
 * const results: unknown = await readJson("runs/results.json")
 * ```
 */
export async function readJson(path: string): Promise<unknown> {
  const text = await readText(path)
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new FourtierError({ where: path, what: "not valid JSON", found: messageOf(error) }, { cause: error })
  }
}

/**
 * Reads a UTF-8 file. Throws a FourtierError that names it.
 *
 * @example
 * ```ts
 * import { readText } from "@fourtier/tensor/node"
 *
 * const lines = (await readText("runs/lines.txt")).split("\n")
 * ```
 */
export async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8")
  } catch (error) {
    throw new FourtierError({ where: path, what: "cannot be read", found: messageOf(error) }, { cause: error })
  }
}

/**
 * `path`, if there is a file. Throws a FourtierError otherwise.
 *
 * @param fix what the user can do about it: which setting names the file
 *
 * @example
 * ```ts
 * import { requireFile } from "@fourtier/tensor/node"
 *
 * await requireFile("encoder.onnx", "correct encoder.path")
 * ```
 */
export async function requireFile(path: string, fix: string): Promise<string> {
  const found = await stat(path).catch(() => null)
  if (found?.isFile()) return path
  throw new FourtierError({ where: path, what: found ? "a folder where a file is wanted" : "no such file", fix })
}

/**
 * SHA-256 of a file's bytes, in hexadecimal.
 *
 * @example
 * ```ts
 * import { hashFile } from "@fourtier/tensor/node"
 *
 * const identity = await hashFile("encoder.onnx")
 * ```
 */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash("sha256")
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk)
  return hash.digest("hex")
}

/**
 * SHA-256 of a JSON value with its object keys sorted, in hexadecimal: equal values have equal hashes.
 *
 * @example
 * ```ts
 * import { hashJson } from "@fourtier/tensor/node"
 *
 * hashJson({ a: 1, b: 2 }) === hashJson({ b: 2, a: 1 }) // true
 * ```
 */
export function hashJson(value: unknown): string {
  return createHash("sha256").update(canonicalJson(value)).digest("hex")
}

/**
 * JSON text with object keys sorted and undefined fields left out.
 *
 * @example
 * ```ts
 * import { canonicalJson } from "@fourtier/tensor/node"
 *
 * canonicalJson({ b: [1, 2], a: "x", c: undefined }) // '{"a":"x","b":[1,2]}'
 * ```
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(",")}]`
  if (value !== null && typeof value === "object") {
    const fields = Object.entries(value)
      .filter(([, field]) => field !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
      .map(([key, field]) => `${JSON.stringify(key)}:${canonicalJson(field)}`)
    return `{${fields.join(",")}}`
  }
  return JSON.stringify(value)
}
