/** `fourtier ablate`: runs an ablation and prints its tables. */

import { existsSync } from "node:fs"
import { basename, extname, join } from "node:path"
import { terminalReporter } from "@fourtier/core/node"
import { FourtierError, nearest } from "@fourtier/tensor"
import { stringify } from "yaml"
import { BUILT_IN, builtIn } from "../../ablate/built-in.ts"
import { type Ablation, readAblation } from "../../ablate/definition.ts"
import { runAblation } from "../../ablate/run.ts"
import { type Config, loadConfig } from "../../config.ts"
import { readJobs } from "../../shards/status.ts"
import { withFolderLock } from "../../util/lock.ts"
import { interruptible } from "../interrupt.ts"
import type { ShardOptions } from "../shard-options.ts"
import { divisionOf } from "./division.ts"
import { runFolder } from "./folders.ts"
import { configOptionsOf } from "./read-config.ts"

export interface AblateOptions extends ShardOptions {
  out?: string
  labelsPerClass?: (number | null)[]
  control?: boolean
  show?: boolean
}

/** Runs the cells that are missing and prints the tables. `options` are those of `configOptions` too. */
export async function ablate(what: string, data: string, options: AblateOptions): Promise<void> {
  const configured = configOptionsOf(options)
  const { value: config } = await loadConfig(configured)
  const ablation = await ablationNamed(what, config, data)
  if (options.show) {
    process.stdout.write(stringify(ablation, { aliasDuplicateObjects: false }))
    return
  }
  const name = basename(what, extname(what))
  const out = options.out ?? `${runFolder(data)}-${name}`
  const { labelsPerClass, control } = options
  const reporter = terminalReporter()
  const division = divisionOf(options, join(out, "work"), reporter)
  const common = { config: configured, source: what, labelsPerClass, control, reporter }
  const report = await interruptible((signal) => {
    const work = () => runAblation(data, out, ablation, { ...common, signal, ...(division ? { division } : {}) })
    return division ? work() : withFolderLock(out, () => alone(out, work))
  })
  if (report) process.stdout.write(`${report.text}\nfiles: ${report.files.join("\n       ")}\n`)
}

/** Runs work unless others share this folder's. */
async function alone<T>(out: string, work: () => Promise<T>): Promise<T> {
  const shared = (await readJobs(out)).find(({ state }) => state === "running")
  if (!shared) return work()
  throw new FourtierError({
    where: out,
    what: "workers are sharing this folder's cells",
    found: shared.workers
      .filter(({ state }) => state === "running")
      .map(({ name }) => name)
      .join(", "),
    fix: "join them with --steal, or wait for them (fourtier status)",
  })
}

async function ablationNamed(what: string, config: Config, data: string): Promise<Ablation> {
  const known = BUILT_IN.find((name) => name === what)
  if (known) return builtIn(known, config, data)
  if (existsSync(what)) return readAblation(what)
  const near = nearest(what, BUILT_IN)
  throw new FourtierError({
    where: "<what>",
    what: "no such ablation, and no such file",
    expected: `${BUILT_IN.join(", ")}, or a YAML file of cells`,
    found: what,
    fix: near === undefined ? "docs/ablations.md shows what such a file looks like" : `did you mean ${near}?`,
  })
}
