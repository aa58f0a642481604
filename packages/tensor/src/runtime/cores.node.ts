/** How many cores a process may keep busy: what the machine has, less what affinity and the container's quota take away. */

import { readFileSync } from "node:fs"
import { availableParallelism } from "node:os"
import { dirname, join } from "node:path"

/**
 * Cores that this process may use, hyper-threads counted: those of its affinity mask, and no more than the processor time that
 * its control group may take (`docker --cpus`, Kubernetes limits).
 *
 * @param root where `/proc` and `/sys` are; for tests
 *
 * @example
 * ```ts
 * import { usableCores } from "@fourtier/tensor/node"
 *
 * usableCores() // 2 in a container started with --cpus 1.5
 * ```
 */
export function usableCores(root = "/"): number {
  return Math.max(1, Math.min(availableParallelism(), Math.ceil(quotaOf(root))))
}

/**
 * Threads for arithmetic: one per physical core, of those that may be used. Only Linux tells which hyper-threads share a core;
 * null elsewhere, where ONNX Runtime's own choice is as good. The number depends on the machine and its limits alone, never on what
 * else runs: the last bits of a matrix product depend on how many threads share it.
 *
 * @param root where `/proc` and `/sys` are; for tests
 *
 * @example
 * ```ts
 * import { arithmeticThreads } from "@fourtier/tensor/node"
 *
 * arithmeticThreads() // 8 on a machine of 8 cores and 16 hyper-threads
 * ```
 */
export function arithmeticThreads(root = "/"): number | null {
  const allowed = /^Cpus_allowed_list:\s*(.+)$/m.exec(textOf(join(root, "proc/self/status")))
  if (!allowed) return null
  const cores = new Set<string>()
  for (const cpu of numbersIn(allowed[1])) {
    const topology = join(root, "sys/devices/system/cpu", `cpu${cpu}`, "topology")
    const core = textOf(join(topology, "core_id"))
    cores.add(core === "" ? `cpu ${cpu}` : `${textOf(join(topology, "physical_package_id"))}/${core}`)
  }
  return Math.max(1, Math.min(cores.size, Math.ceil(quotaOf(root))))
}

/** Cores' worth of time that the control groups of this process may take, versions 2 and 1; infinite without a limit. */
function quotaOf(root: string): number {
  let least = Number.POSITIVE_INFINITY
  const apply = (quota: string, period: string) => {
    const share = Number(quota) / Number(period)
    if (share > 0) least = Math.min(least, share)
  }
  const groups = textOf(join(root, "proc/self/cgroup")).split("\n")
  for (let path = groups.find((line) => line.startsWith("0::"))?.slice(3) ?? "/"; ; path = dirname(path)) {
    const [quota = "", period = ""] = textOf(join(root, "sys/fs/cgroup", path, "cpu.max")).split(" ")
    apply(quota, period)
    if (dirname(path) === path) break
  }
  const first = join(root, "sys/fs/cgroup/cpu")
  apply(textOf(join(first, "cpu.cfs_quota_us")), textOf(join(first, "cpu.cfs_period_us")))
  return least
}

/** "0-3,8" -> 0, 1, 2, 3, 8 */
function numbersIn(list: string): number[] {
  return list.split(",").flatMap((range) => {
    const [from, to = from] = range.split("-").map(Number)
    return Array.from({ length: to - from + 1 }, (_, i) => from + i)
  })
}

/** A file's text without outer spaces; empty where it cannot be read. */
function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8").trim()
  } catch {
    return ""
  }
}
