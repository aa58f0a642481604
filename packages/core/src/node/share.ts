/**
 * Cores shared out among the processes of one machine that keep worker threads busy. Each notes itself in a folder of temporary files
 * while its workers run; a note whose process is gone does not count. How many workers there are decides how fast they are, never
 * what they compute.
 */

import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir, userInfo } from "node:os"
import { join } from "node:path"
import { usableCores } from "@fourtier/tensor/node"
import { isRunning, startTimeOf } from "./process.ts"

let notes = 0

/**
 * Takes part in the sharing until `release` is called.
 * @param folder holds the notes; default: one of the user's in the folder of temporary files
 * @returns this process's share of the cores when it was asked for, one at least; where no note can be written, all of them
 *
 * @example
 * ```ts
 * import { claimCores } from "@fourtier/core/node"
 *
 * const { cores, release } = claimCores() // 4 of 8 where another process decodes
 * release()
 * ```
 */
export function claimCores(folder = join(tmpdir(), `fourtier-${userInfo().uid}`)): {
  cores: number
  release(): void
} {
  const cores = usableCores()
  const path = join(folder, `${process.pid}-${startTimeOf(process.pid) ?? ""}-${notes++}`)
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    writeFileSync(path, "")
    const processes = new Set(
      readdirSync(folder)
        .filter((name) => stillHolds(folder, name))
        .map(processOf),
    )
    return { cores: Math.max(1, Math.floor(cores / Math.max(1, processes.size))), release: () => remove(path) }
  } catch {
    return { cores, release: () => undefined }
  }
}

/** "4711-123456-0" -> "4711-123456" */
const processOf = (name: string): string => name.slice(0, name.lastIndexOf("-"))

function stillHolds(folder: string, name: string): boolean {
  const [pid, started] = name.split("-")
  const holds = isRunning(Number(pid)) && (startTimeOf(Number(pid)) ?? "") === started
  if (!holds) remove(join(folder, name))
  return holds
}

function remove(path: string): void {
  try {
    rmSync(path, { force: true })
  } catch {
    // another user's, or a folder that has become read-only: the note counts for nothing once its process is gone
  }
}
