// Protects: quotas, affinity and hyper-threads are heeded, and no engine thread is bound to a core.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { availableParallelism, tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fill, Session } from "@fourtier/tensor"
import { arithmeticThreads, usableCores } from "@fourtier/tensor/node"
import { afterEach, describe, expect, it } from "vitest"

const root = mkdtempSync(join(tmpdir(), "fourtier-cores-"))
afterEach(() => rmSync(root, { recursive: true, force: true }))

/** A machine of files under `root`: four processors, of which 0 and 2, 1 and 3 share a core. */
function machine(files: Record<string, string>): void {
  const cores = [0, 1, 0, 1].flatMap((core, cpu) => [
    [`sys/devices/system/cpu/cpu${cpu}/topology/core_id`, `${core}\n`],
    [`sys/devices/system/cpu/cpu${cpu}/topology/physical_package_id`, "0\n"],
  ])
  for (const [path, text] of [...cores, ...Object.entries(files)]) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
}

const allowing = (list: string) => ({ "proc/self/status": `Name:\tnode\nCpus_allowed_list:\t${list}\n` })

describe("cores", () => {
  it("hyper-threads of one core are one thread of arithmetic", () => {
    machine(allowing("0-3"))
    expect(arithmeticThreads(root)).toBe(2)
  })

  it("affinity takes cores away", () => {
    machine(allowing("0,2"))
    expect(arithmeticThreads(root)).toBe(1)
  })

  it.each([
    [
      "version 2, of the group itself",
      { "proc/self/cgroup": "0::/app\n", "sys/fs/cgroup/app/cpu.max": "50000 100000\n" },
    ],
    ["version 2, of a group above", { "proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/cpu.max": "100000 100000\n" }],
    [
      "version 1",
      { "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "90000\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n" },
    ],
  ])("a quota bounds both: %s", (_, files: Record<string, string>) => {
    machine({ ...allowing("0-3"), ...files })
    expect([usableCores(root), arithmeticThreads(root)]).toEqual([1, 1])
  })

  it.each([
    ["none", { "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n" }],
    [
      "none, version 1",
      { "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n" },
    ],
    ["larger than the machine", { "sys/fs/cgroup/cpu.max": "99900000 100000\n" }],
  ])("a quota that bounds nothing changes nothing: %s", (_, files: Record<string, string>) => {
    machine({ ...allowing("0-3"), ...files })
    expect([usableCores(root), arithmeticThreads(root)]).toEqual([availableParallelism(), 2])
  })

  it.skipIf(process.platform !== "linux")("no thread of a session is bound to a core of its own", async () => {
    const allowed = () =>
      readdirSync("/proc/self/task").map(
        (task) => /Cpus_allowed_list:\s*(.+)/.exec(readFileSync(`/proc/self/task/${task}/status`, "utf8"))?.[1],
      )
    const before = new Set(allowed())
    const session = await Session.compile({ outputs: { y: fill([2], 1) } })
    expect(new Set(allowed())).toEqual(before)
    await session.release()
  })
})
