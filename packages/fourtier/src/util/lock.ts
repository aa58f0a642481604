/** One process at a time in a folder. A lock of a process that is gone, by kill -9 or power loss, does not hold. */

import { randomUUID } from "node:crypto"
import { link, mkdir, open, readFile, rename, rm, stat, utimes } from "node:fs/promises"
import { hostname } from "node:os"
import { join } from "node:path"
import { beginningOf, isRunning } from "@fourtier/core/node"
import { FourtierError, messageOf } from "@fourtier/tensor"
import { sweepTemporaries } from "@fourtier/tensor/node"
import { z } from "zod"

const LOCK = "in-use.lock"
const HEARTBEAT_MS = 5_000
/** A process of another machine that was silent this long is gone. On this machine the process table is asked. */
const SILENT_MS = 60_000

const ownerSchema = z.object({
  id: z.string(),
  host: z.string(),
  pid: z.int(),
  /** When the process began, in its system's own measure; null where that is not known. */
  begun: z.string().nullable(),
})

type Owner = z.infer<typeof ownerSchema>

/**
 * Does `work` while no other process holds the folder, which is made if need be. What killed processes left half written in
 * it is removed first.
 * @throws FourtierError at once when another process holds it
 */
export async function withFolderLock<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const owner: Owner = { id: randomUUID(), host: hostname(), pid: process.pid, begun: beginningOf(process.pid) }
  const path = join(folder, LOCK)
  await acquire(folder, path, owner)
  const heartbeat = setInterval(() => {
    const now = new Date()
    utimes(path, now, now).catch(() => {})
  }, HEARTBEAT_MS).unref()
  try {
    await sweepTemporaries(folder)
    return await work()
  } finally {
    clearInterval(heartbeat)
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
    const fix = "choose another folder, or mend its permissions"
    throw new FourtierError(
      { where: folder, what: "cannot be written", found: messageOf(error), fix },
      { cause: error },
    )
  }
  try {
    for (let attempt = 0; attempt < 10; attempt++) {
      if (await linked(own, path)) return
      const other = await readOwner(path)
      if (other && (await isAlive(path, other))) throw inUse(folder, path, other)
      await setAside(path, other)
    }
  } finally {
    await rm(own, { force: true })
  }
  throw new FourtierError({ where: path, what: "the lock cannot be taken", fix: "delete the file" })
}

/** Whether `path` now is a name of `own`: a name that exists is never replaced. */
async function linked(own: string, path: string): Promise<boolean> {
  try {
    await link(own, path)
    return true
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false
    throw error
  }
}

async function readOwner(path: string): Promise<Owner | null> {
  try {
    return ownerSchema.parse(JSON.parse(await readFile(path, "utf8")))
  } catch {
    return null
  }
}

/** Takes a dead lock away. Where another process was faster and the lock is a new one, it is put back. */
async function setAside(path: string, dead: Owner | null): Promise<void> {
  const aside = `${path}.${randomUUID()}`
  try {
    await rename(path, aside)
  } catch {
    return
  }
  const found = await readOwner(aside)
  if (found && found.id !== dead?.id) await linked(aside, path)
  await rm(aside, { force: true })
}

async function isAlive(path: string, { host, pid, begun }: Owner): Promise<boolean> {
  if (host !== hostname()) {
    const touched = await stat(path).catch(() => null)
    return touched !== null && Date.now() - touched.mtimeMs < SILENT_MS
  }
  return isRunning(pid) && beginningOf(pid) === begun
}

function inUse(folder: string, path: string, { host, pid }: Owner): FourtierError {
  return new FourtierError({
    where: folder,
    what: "another run is at work in this folder",
    found: `process ${pid} on ${host}`,
    fix: `wait for it, or choose another folder with --out; if it is no such run, delete ${path}`,
  })
}
