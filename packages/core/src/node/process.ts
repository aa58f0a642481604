/** Whether a process is alive, and when it started: tells a lock that is held from one left behind by a dead process. */

import { readFileSync } from "node:fs"

/**
 * Whether a process with this number runs on this machine, whoever owns it.
 *
 * @example
 * ```ts
 * import { isRunning } from "@fourtier/core/node"
 *
 * isRunning(process.pid) // true
 * ```
 */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM"
  }
}

/**
 * When a process started, in clock ticks since boot (proc(5), field 22 of `stat`). Process numbers are reused; number and
 * start time together are unique until the next boot.
 * @returns null when there is no such process, and on systems other than Linux
 *
 * @example
 * ```ts
 * import { startTimeOf } from "@fourtier/core/node"
 *
 * startTimeOf(process.pid) // "1234567"
 * ```
 */
export function startTimeOf(pid: number): string | null {
  try {
    // the name in brackets may contain spaces; the start time is the 20th field after it
    const text = readFileSync(`/proc/${pid}/stat`, "latin1")
    return text.slice(text.lastIndexOf(")") + 2).split(" ")[19] ?? null
  } catch {
    return null
  }
}
