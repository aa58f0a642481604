/** `fourtier ablate`: runs an ablation and prints its tables. */

import { existsSync } from "node:fs"
import { basename, extname } from "node:path"
import { terminalReporter } from "@fourtier/core/node"
import { FourtierError, nearest } from "@fourtier/tensor"
import { stringify } from "yaml"
import { BUILT_IN, builtIn } from "../../ablate/built-in.ts"
import { type Ablation, readAblation } from "../../ablate/definition.ts"
import { runAblation } from "../../ablate/run.ts"
import { type Config, loadConfig } from "../../config.ts"
import { withFolderLock } from "../../util/lock.ts"
import { interruptible } from "../interrupt.ts"
import { runFolder } from "./folders.ts"
import { configOptionsOf } from "./read-config.ts"

export interface AblateOptions {
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
  const report = await interruptible((signal) =>
    withFolderLock(out, () => {
      const reporter = terminalReporter()
      return runAblation(data, out, ablation, {
        config: configured,
        source: what,
        labelsPerClass,
        control,
        reporter,
        signal,
      })
    }),
  )
  process.stdout.write(`${report.text}\nfiles: ${report.files.join("\n       ")}\n`)
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
