/** Files that are whole or absent: everything is written under a temporary name, flushed, then renamed. */

import { createHash, randomBytes } from "node:crypto"
import { createReadStream } from "node:fs"
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises"
import { dirname, join } from "node:path"
import { FourtierError, messageOf } from "../errors.ts"

/** A name beside `path` that no other process uses. */
export function temporaryName(path: string): string {
  return `${path}.tmp-${process.pid}-${randomBytes(4).toString("hex")}`
}

/** Removes temporary files and folders that processes killed in the middle left behind, at any depth. */
export async function sweepTemporaries(folder: string): Promise<void> {
  const left = (await readdir(folder, { recursive: true })).filter((path) => /\.tmp-\d+-[0-9a-f]{8}$/.test(path))
  for (const path of left) await rm(join(folder, path), { recursive: true, force: true })
}

/** Calls `write` with a temporary file's handle and renames the file to `path` once it is on disk. */
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
    await rm(temporary, { force: true }).catch(() => {})
    throw isSystemError(error) ? notWritten(path, error) : error
  }
}

/** An error of the operating system, such as ENOSPC. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "syscall" in error
}

function notWritten(path: string, error: unknown): FourtierError {
  const fix = "free disk space, mend the folder's permissions, or choose another folder"
  return new FourtierError({ where: path, what: "cannot be written", found: messageOf(error), fix }, { cause: error })
}

export async function writeFileAtomic(path: string, data: string | Uint8Array): Promise<void> {
  await writeAtomically(path, async (file) => {
    await file.writeFile(data)
  })
}

export async function writeJson(path: string, value: unknown): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify(value, null, 2)}\n`)
}

/** Parses a JSON file. The caller validates the shape (zod) before using it. */
export async function readJson(path: string): Promise<unknown> {
  const text = await readText(path)
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new FourtierError({ where: path, what: "not valid JSON", found: messageOf(error) }, { cause: error })
  }
}

export async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8")
  } catch (error) {
    throw new FourtierError({ where: path, what: "cannot be read", found: messageOf(error) }, { cause: error })
  }
}

/** The path, where a file lies; otherwise a FourtierError whose `fix` says which setting named it. */
export async function requireFile(path: string, fix: string): Promise<string> {
  const found = await stat(path).catch(() => null)
  if (found?.isFile()) return path
  throw new FourtierError({ where: path, what: found ? "a folder where a file is wanted" : "no such file", fix })
}

/** SHA-256 of a file's bytes, in hexadecimal. */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash("sha256")
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk)
  return hash.digest("hex")
}

/** SHA-256 of a JSON value with its object keys sorted, in hexadecimal: equal values have equal hashes. */
export function hashJson(value: unknown): string {
  return createHash("sha256").update(canonicalJson(value)).digest("hex")
}

/** JSON text with object keys sorted and undefined fields left out. */
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
