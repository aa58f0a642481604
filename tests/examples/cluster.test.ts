/**
 * Protects docs/scale.md and the examples for Slurm and Kubernetes: scripts parse, manifests have the structure of an indexed job, every
 * command of theirs has the options that it is given, and does its part where a job says which one that is.
 */

import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { parse } from "yaml"
import { z } from "zod"
import { makeClip } from "../../packages/fourtier/tests/video/fixtures.ts"
import { built, several } from "../cli/command.ts"

const ROOT = join(import.meta.dirname, "../..")
const SLURM = join(ROOT, "examples/slurm")
const KUBERNETES = join(ROOT, "examples/kubernetes")
const folder = mkdtempSync(join(tmpdir(), "fourtier-cluster-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** What `batch/v1` has of it, as far as the examples use it: anything else is a slip. */
const manifestSchema = z.strictObject({
  apiVersion: z.literal("batch/v1"),
  kind: z.literal("Job"),
  metadata: z.strictObject({ name: z.string().regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/) }),
  spec: z.strictObject({
    completionMode: z.literal("Indexed"),
    completions: z.int().positive(),
    parallelism: z.int().positive(),
    backoffLimitPerIndex: z.int().positive(),
    template: z.strictObject({
      spec: z.strictObject({
        restartPolicy: z.literal("Never"),
        containers: z.tuple([
          z.strictObject({
            name: z.string(),
            image: z.string(),
            workingDir: z.string(),
            command: z.array(z.string()),
            env: z.array(
              z.union([
                z.strictObject({ name: z.string(), value: z.string() }),
                z.strictObject({
                  name: z.string(),
                  valueFrom: z.strictObject({ secretKeyRef: z.strictObject({ name: z.string(), key: z.string() }) }),
                }),
              ]),
            ),
            resources: z.strictObject({
              requests: z.strictObject({ cpu: z.string(), memory: z.string() }),
              limits: z.strictObject({ memory: z.string() }),
            }),
            volumeMounts: z.array(z.strictObject({ name: z.string(), mountPath: z.string() })),
          }),
        ]),
        volumes: z.array(
          z.strictObject({ name: z.string(), persistentVolumeClaim: z.strictObject({ claimName: z.string() }) }),
        ),
      }),
    }),
  }),
})

const manifests = readdirSync(KUBERNETES).map((name) => {
  const { spec } = manifestSchema.parse(parse(readFileSync(join(KUBERNETES, name), "utf8")))
  const { command, env } = spec.template.spec.containers[0]
  return { name, completions: spec.completions, command, env }
})

const scripts = readdirSync(SLURM).map((name) => ({ name, text: readFileSync(join(SLURM, name), "utf8") }))

/** Commands of a text, as words. */
const commandsIn = (text: string) =>
  [...text.matchAll(/(?:^|srun |cache |`)fourtier ([a-z][^#`\n]*)/gm)].map(([, words]) => words.trim().split(/\s+/))

describe.skipIf(!built)("commands of the examples", () => {
  const texts = [readFileSync(join(ROOT, "docs/scale.md"), "utf8"), ...scripts.map(({ text }) => text)]
  const commands = [...texts.flatMap(commandsIn), ...manifests.map(({ command }) => command.slice(1))]
  /** The verb, with its subcommand. */
  const verbOf = ([verb, next]: readonly string[]) =>
    verb === "describe" ? ["describe", "run"] : ["cache", "bench"].includes(verb) ? [verb, next] : [verb]

  it("have the options that they are given", () => {
    expect(commands.length).toBeGreaterThan(10)
    const helps = several(commands.map((words) => [...verbOf(words), "--help"]))
    const lacking = commands.flatMap((words, i) =>
      words
        .filter((word) => word.startsWith("-"))
        .map((word) => word.split("=")[0])
        .filter((option) => !new RegExp(`(^|[ ,])${option}[ ,\n]`, "m").test(helps[i].out))
        .map((option) => `${words.join(" ")}: ${option}`),
    )
    expect(lacking).toEqual([])
  })

  it("do their part where Slurm or Kubernetes says which", () => {
    for (const [i, name] of ["a", "b", "c", "d", "e", "f"].entries()) {
      const [level, kind] = [40 + 30 * i, join(folder, "data", i < 3 ? "jump" : "wave")]
      mkdirSync(kind, { recursive: true })
      makeClip(join(kind, `${name}.mp4`), { frames: 8, width: 48, height: 48, background: () => [level, 90, 9] })
    }
    const [command] = manifests.filter(({ name }) => name === "extract.yaml").map(({ command }) => command.slice(1))
    const own = command.map((word) => (word === "/shared/data" ? join(folder, "data") : word))
    const cheap = [...own, "--set", "views.train.draws=1"]
    const at = (env: Record<string, string>, args: readonly string[]) =>
      several([args], { cwd: folder, env: { FOURTIER_CACHE: join(folder, "cache"), ...env } })[0]
    const index = { JOB_COMPLETION_INDEX: "2", FOURTIER_SHARD_COUNT: "16" }
    const part = at(
      index,
      cheap.filter((word) => word !== "--steal"),
    )
    expect(part.err + part.out).toMatch(/part 3\/16 of the work, as JOB_COMPLETION_INDEX says/)
    const steal = at(index, cheap)
    expect(steal.err + steal.out).toMatch(/shared work: blocks are taken/)
    expect([part.code, steal.code]).toEqual([0, 0])
    const [status] = several([["status", "--all"]], { env: { FOURTIER_CACHE: join(folder, "cache") } })
    expect(status.out).toMatch(/clips done \(100 %\), 0 failed, 0 left/)
    expect(status.out.split("\n").filter((line) => line.length > 80)).toEqual([])
  })
})

describe("Kubernetes", () => {
  it("tells each index of how many it is", () => {
    for (const { completions, env } of manifests) {
      for (const variable of env) {
        if (variable.name !== "FOURTIER_SHARD_COUNT") continue
        expect("value" in variable && variable.value).toBe(String(completions))
      }
    }
  })
})

describe("Slurm", () => {
  it.each(scripts)("$name is a script that bash can read, and says how it is started", ({ name, text }) => {
    const { status, stderr } = spawnSync("bash", ["-n", join(SLURM, name)], { encoding: "utf8" })
    expect([status, stderr]).toEqual([0, ""])
    expect(text).toContain(`${name} `)
    expect(text).toMatch(/^set -euo pipefail$/m)
  })

  it("arrays share their work by blocks, so that a task may be started again at any time", () => {
    const arrays = scripts.filter(({ text }) => text.includes("#SBATCH --array"))
    expect(arrays.map(({ name }) => name)).toEqual([
      "ablate.sbatch",
      "describe.sbatch",
      "extract.sbatch",
      "measure.sbatch",
    ])
    for (const { text } of arrays)
      expect([text.includes("--steal"), text.includes("#SBATCH --requeue")]).toEqual([true, true])
  })
})
