/** Whether another process still lives: what tells a lock that is held from one that was left. */

import { readFileSync } from "node:fs"

/** Whether a process of this number runs on this machine, be it ours or not. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM"
  }
}

/**
 * When a process began, in clock ticks since boot (proc(5), field 22 of stat): tells two that had the same number one after
 * the other apart. Null when it is gone, and where this is not Linux.
 */
export function beginningOf(pid: number): string | null {
  try {
    // the name in brackets may hold spaces; the beginning is the 20th field after it
    const text = readFileSync(`/proc/${pid}/stat`, "latin1")
    return text.slice(text.lastIndexOf(")") + 2).split(" ")[19] ?? null
  } catch {
    return null
  }
}
