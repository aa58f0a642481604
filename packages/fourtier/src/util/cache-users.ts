/** Which processes work with a cache, so that nothing is cleared from under them. */

import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { readdir, rm } from "node:fs/promises"
import { join } from "node:path"
import { keepAlive, newOwner, type Owner, provesAlive, readOwner } from "./owner.ts"

/** Folder in the cache with a file for each process that uses it. */
export const USERS = "in-use"

const joined = new Set<string>()

/** Notes that this process uses the cache at `root`, until it ends. A cache that cannot be written has no users. */
export function joinCache(root: string): void {
  if (joined.has(root)) return
  const owner = newOwner()
  const path = join(root, USERS, owner.id)
  try {
    mkdirSync(join(root, USERS), { recursive: true })
    writeFileSync(path, JSON.stringify(owner))
  } catch {
    return
  }
  joined.add(root)
  const stop = keepAlive(path)
  process.once("exit", () => {
    stop()
    rmSync(path, { force: true })
  })
}

/** The other living processes that use the cache, on whichever machine. Those that have died are forgotten. */
export async function cacheUsers(root: string): Promise<Owner[]> {
  const users: Owner[] = []
  for (const name of await readdir(join(root, USERS)).catch(() => [])) {
    const path = join(root, USERS, name)
    const owner = readOwner(path)
    if (!owner || !(await provesAlive(owner, path))) await rm(path, { force: true })
    else if (owner.pid !== process.pid) users.push(owner)
  }
  return users
}
