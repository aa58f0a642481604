/** A download that can be interrupted: what has arrived stays in a file beside the target until it is complete and checked. */

import { randomBytes } from "node:crypto"
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import type { Reporter, Task } from "@fourtier/core"
import { isRunning } from "@fourtier/core/node"
import { FourtierError } from "@fourtier/tensor"
import { notWritten } from "@fourtier/tensor/node"
import { type FileInfo, hasChecksum } from "./hub-cache.ts"

export interface Download {
  /** Where the complete file goes. */
  path: string
  info: FileInfo
  /** For the progress line. */
  title: string
  /** The file's bytes from `start` on. */
  open(start: number): Promise<AsyncIterable<Uint8Array>>
  /** Runs its argument again when the connection fails. */
  retry(work: () => Promise<void>): Promise<void>
  reporter: Reporter
}

/** Downloads a file unless it is there. @throws FourtierError when its checksum is wrong */
export async function download(job: Download): Promise<void> {
  if (await hasSize(job.path, job.info.size)) return
  await mkdir(dirname(job.path), { recursive: true })
  const partial = await takePartial(job.path)
  const task = job.reporter.task(job.title, Math.ceil(job.info.size / 1e6), "MB")
  try {
    const resumed = await fetchRest(job, partial, task)
    let good = await hasChecksum(partial, job.info)
    if (!good && resumed) {
      // what an earlier attempt left is not part of this file
      await rm(partial, { force: true })
      await fetchRest(job, partial, task)
      good = await hasChecksum(partial, job.info)
    }
    if (!good) {
      await rm(partial, { force: true })
      throw new FourtierError({
        where: job.title,
        what: "the downloaded file does not have the checksum given by the hub",
        expected: job.info.checksum,
        fix: "try again; if the error persists, something between this machine and the hub changes files",
      })
    }
    await rename(partial, job.path)
  } catch (error) {
    await rename(partial, `${job.path}.incomplete`).catch(() => {})
    throw error
  }
  task.done()
}

/** Downloads what is missing. @returns whether a part was there before */
async function fetchRest(job: Download, partial: string, task: Task): Promise<boolean> {
  let resumed = false
  let reported = 0
  let first = true
  await job.retry(async () => {
    const file = await open(partial, "a")
    try {
      let { size } = await file.stat()
      if (size > job.info.size) {
        await file.truncate(0)
        size = 0
      }
      if (first) resumed = size > 0
      first = false
      if (size === job.info.size) return
      for await (const chunk of await job.open(size)) {
        await file.appendFile(chunk).catch((error: unknown) => {
          throw notWritten(partial, error, "a download")
        })
        size += chunk.length
        task.tick(Math.floor(size / 1e6) - reported)
        reported = Math.floor(size / 1e6)
        if (size > job.info.size) throw new Error(`the server sent more than ${job.info.size} bytes`)
      }
      if (size < job.info.size) throw new Error(`the connection was closed after ${size} of ${job.info.size} bytes`)
    } finally {
      await file.close()
    }
  })
  return resumed
}

/** Takes over what an earlier attempt left, unless its process still runs. @returns a name that no other process uses */
async function takePartial(path: string): Promise<string> {
  const own = `${path}.incomplete-${process.pid}-${randomBytes(4).toString("hex")}`
  const prefix = `${basename(path)}.incomplete`
  for (const name of await readdir(dirname(path))) {
    if (!name.startsWith(prefix)) continue
    const owner = /-(\d+)-[0-9a-f]+$/.exec(name.slice(prefix.length))
    if (owner && isRunning(Number(owner[1]))) continue
    try {
      await rename(join(dirname(path), name), own)
      return own
    } catch {
      // another process was faster
    }
  }
  return own
}

async function hasSize(path: string, size: number): Promise<boolean> {
  try {
    return (await stat(path)).size === size
  } catch {
    return false
  }
}
