/** Lets one process at a time work in a folder. A lock left by a process that was killed, or by a power cut, does not hold. */

import { randomUUID } from "node:crypto"
import { link, mkdir, open, rename, rm, stat } from "node:fs/promises"
import { join } from "node:path"
import { FourtierError, messageOf } from "@fourtier/tensor"
import { sweepTemporaries } from "@fourtier/tensor/node"
import { pause } from "./back-off.ts"
import { isAlive, keepAlive, newOwner, type Owner, readOwner } from "./owner.ts"

const LOCK = "in-use.lock"

/**
 * Runs `work` while no other process holds the folder. Creates the folder if need be, and first removes files that killed
 * processes left half-written in it.
 * @throws FourtierError at once when another process holds the folder, or it cannot be written
 * @example
 * await withFolderLock("runs/clips", async () => {
 *   await writeFileAtomic("runs/clips/results.json", text)
 * })
 */
export async function withFolderLock<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const path = join(folder, LOCK)
  await acquire(folder, path, newOwner())
  const stop = keepAlive(path)
  try {
    await sweepTemporaries(folder)
    return await work()
  } finally {
    stop()
    await rm(path, { force: true })
  }
}

async function acquire(folder: string, path: string, owner: Owner): Promise<void> {
  const own = `${path}.${owner.id}`
  try {
    await mkdir(folder, { recursive: true })
    const file = await open(own, "wx")
    await file.writeFile(JSON.stringify(owner))
    await file.close()
  } catch (error) {
    const fix = "choose another folder, or change its permissions"
    throw new FourtierError(
      { where: folder, what: "cannot be written", found: messageOf(error), fix },
      { cause: error },
    )
  }
  try {
    for (let attempt = 0; attempt < 10; attempt++) {
      if (await linked(own, path)) return
      const other = readOwner(path)
      if (other && isAlive(other, path)) throw inUse(folder, path, other)
      await setAside(path, other)
    }
  } finally {
    await rm(own, { force: true })
  }
  throw new FourtierError({ where: path, what: "the lock cannot be taken", fix: "delete the file" })
}

/** Makes `path` a name of the file `own`, unless the name exists. @returns whether it did */
async function linked(own: string, path: string): Promise<boolean> {
  try {
    await link(own, path)
    return true
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false
    throw error
  }
}

/** Removes a dead process's lock. When another process has replaced it in the meantime, the new lock is put back. */
async function setAside(path: string, dead: Owner | null): Promise<void> {
  const aside = `${path}.${randomUUID()}`
  try {
    await rename(path, aside)
  } catch {
    return
  }
  const found = readOwner(aside)
  if (found && found.id !== dead?.id) await linked(aside, path)
  await rm(aside, { force: true })
}

function inUse(folder: string, path: string, { host, pid }: Owner): FourtierError {
  return new FourtierError({
    where: folder,
    what: "another run is using this folder",
    found: `process ${pid} on ${host}`,
    fix: `wait for it, or choose another folder with --out; if no such run exists, delete ${path}`,
  })
}

/** A mutex older than this was left behind by a dead process; it is held for moments. */
const STALE_MUTEX_MS = 10_000

/**
 * Runs `work`, which takes moments, while no other process runs work with this lock; waits for its turn.
 * @param path the lock's file, whose folder exists
 * @throws FourtierError when another process does not release it; the system's error where the file cannot be made
 */
export async function withMutex<T>(path: string, work: () => Promise<T>): Promise<T> {
  for (let attempt = 0; attempt < 1000; attempt++) {
    if (await made(path)) {
      try {
        return await work()
      } finally {
        await rm(path, { force: true })
      }
    }
    const found = await stat(path).catch(() => null)
    if (found === null) continue
    if (Date.now() - found.mtimeMs > STALE_MUTEX_MS) await rm(path, { force: true })
    else await pause(20)
  }
  throw new FourtierError({ where: path, what: "another process does not release this lock", fix: "delete the file" })
}

/** Makes an empty file. @returns false where there is one */
async function made(path: string): Promise<boolean> {
  try {
    await (await open(path, "wx")).close()
    return true
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false
    throw error
  }
}
