/**
 * Lets one process at a time work in a folder, on whichever machine. A lock left by a process that was killed, or by a power cut, does
 * not hold. As with all that is shared (shards/shared-folder.ts), locks are made by `link` with a look at the number of names, since
 * NFS may lose a reply, and no file's time is compared with a clock.
 */

import { randomUUID } from "node:crypto"
import { link, mkdir, open, rename, rm, stat, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { FourtierError, messageOf } from "@fourtier/tensor"
import { sweepTemporaries } from "@fourtier/tensor/node"
import { pause } from "./back-off.ts"
import { isAlive, isHere, isRenewed, keepAlive, newOwner, type Owner, provesAlive, readOwner } from "./owner.ts"

const LOCK = "in-use.lock"

/**
 * Runs `work` while no other process holds the folder. Creates the folder if need be, and first removes files that killed
 * processes left half-written in it.
 * @throws FourtierError when another process holds the folder, or it cannot be written: at once, or for a process on another machine
 * when it has shown that it lives
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
      if (other && (await provesAlive(other, path))) throw inUse(folder, path, other)
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
    if ((await stat(own)).nlink > 1) return true
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

/** A mutex is held for moments: one that has been watched for so long was left behind by a dead process. Milliseconds. */
const STALE_MUTEX_MS = 10_000

/** Longest wait for a mutex, milliseconds. */
const MUTEX_WAIT_MS = 60_000

/**
 * Runs `work`, which takes moments, while no other process runs work with this lock; waits for its turn.
 * @param path the lock's file, whose folder exists
 * @throws FourtierError when another process does not release it; the system's error where the file cannot be made
 */
export async function withMutex<T>(path: string, work: () => Promise<T>): Promise<T> {
  const owner = newOwner()
  const own = `${path}.${owner.id}`
  await writeFile(own, JSON.stringify(owner), { flag: "wx" })
  try {
    const begun = performance.now()
    while (!(await linked(own, path))) {
      const other = readOwner(path)
      const isHeld = other && isHere(other) && other.started !== null ? isAlive(other, path) : null
      if (!(isHeld ?? isRenewed(path, performance.now(), STALE_MUTEX_MS))) await setAside(path, other)
      else if (performance.now() - begun < MUTEX_WAIT_MS) await pause(20)
      else
        throw new FourtierError({
          where: path,
          what: "another process does not release this lock",
          fix: "delete the file",
        })
    }
    try {
      return await work()
    } finally {
      await rm(path, { force: true })
    }
  } finally {
    await rm(own, { force: true })
  }
}
