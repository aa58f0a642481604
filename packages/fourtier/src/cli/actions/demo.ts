/** The demo: clips are rendered, the recipe is run on them twice, and the exported model is shown at work. */

import { join, relative, resolve } from "node:path"
import { formatSeconds } from "@fourtier/core"
import { terminalReporter } from "@fourtier/core/node"
import pc from "picocolors"
import { loadConfig } from "../../config.ts"
import { Recognizer } from "../../deploy/recognizer.ts"
import { runRecipe, type Until } from "../../recipe.ts"
import { withFolderLock } from "../../util/lock.ts"
import type { SettingsTree } from "../../util/settings.ts"
import type { Clip } from "../../video/manifest.ts"
import { interruptible } from "../interrupt.ts"
import { framesAsText, showsColours } from "./demo-frames.ts"
import { loadPuppets, type Puppets } from "./puppets-package.ts"

export interface DemoOptions {
  out: string
  seeds: number
  set?: string[]
}

/** @throws FourtierError where `@fourtier/puppets` is not installed, or another run uses the folder */
export async function runDemo(options: DemoOptions): Promise<void> {
  const puppets = await loadPuppets("fourtier demo")
  await interruptible((signal) => withFolderLock(options.out, () => demo(puppets, options, signal)))
}

async function demo(
  { DESCRIBED_SEED, demoClasses, demoCounts, generatePuppets, puppetDescriptions }: Puppets,
  { out, seeds, set = [] }: DemoOptions,
  signal: AbortSignal,
): Promise<void> {
  const begun = performance.now()
  const reporter = terminalReporter()
  const data = join(out, "clips")

  reporter.say(pc.bold("1  Clips of jointed figures, rendered here"))
  await generatePuppets({ classes: demoClasses, counts: demoCounts, seed: DESCRIBED_SEED, out: data }, reporter)
  signal.throwIfAborted()

  const recipe = async (folder: string, own: SettingsTree, until: Until) => {
    const describe = { kind: "replay", file: resolve(puppetDescriptions()) }
    const { value: config, print } = await loadConfig({
      set: [`cache=${JSON.stringify(join(out, "cache"))}`, `seeds=${seeds}`, ...set],
      flags: [{ source: "demo", values: { describe, ...own } }],
    })
    const result = await runRecipe(data, folder, print(), { config, reporter, signal }, until)
    process.stdout.write(`${result.report?.text ?? ""}\n`)
    return result
  }

  reporter.say(pc.bold("2  The recipe, with recorded answers of a vision-language model"))
  const run = join(out, "run")
  const { splits } = await recipe(run, {}, "export")

  reporter.say(pc.bold("3  The same with one labelled clip per class: the answers tell the classes of the others"))
  await recipe(join(out, "run-one-label"), { labelsPerClass: 1 }, "evaluate")

  reporter.say(pc.bold("4  The exported model on three clips that it has never seen"))
  await show(join(run, "bundle"), pickThree(splits[splits.length - 1].test))
  process.stdout.write(farewell(run, (performance.now() - begun) / 1000))
}

/** Clips of three different classes, evenly spread over the list. */
function pickThree(clips: readonly Clip[]): Clip[] {
  const labels = [...new Set(clips.map(({ label }) => label))]
  return [0.1, 0.45, 0.8].flatMap((share) => {
    const label = labels[Math.floor(share * labels.length)]
    return clips.find((clip) => clip.label === label) ?? []
  })
}

async function show(bundle: string, clips: readonly Clip[]): Promise<void> {
  const recognizer = await Recognizer.load(bundle)
  try {
    for (const clip of clips) {
      const { top } = await recognizer.predict(clip.path, { top: 3 })
      const guesses = top.map(({ label, probability }) => `${label} ${(100 * probability).toFixed(0)} %`).join(", ")
      const picture = showsColours(process.stdout) ? `\n${framesAsText(clip)}` : ""
      process.stdout.write(
        `${picture}\n${relative("", clip.path)}\n  shows ${pc.bold(clip.label ?? "")}, recognised as: ${guesses}\n`,
      )
    }
  } finally {
    await recognizer.release()
  }
}

function farewell(run: string, seconds: number): string {
  return `
Done in ${formatSeconds(seconds)}. The report with its plots: ${join(run, "report.html")}

Your own clips: make one folder per class, put one or two labelled clips into
each, and leave the others in clips/ itself.
  npx fourtier doctor clips/                       check the data
  npx fourtier describe clips/ -c config.yaml      have a vision-language model
                                                   describe the training clips
                                                   (docs/describe.md)
  npx fourtier run clips/ -c config.yaml           train, evaluate, export
  npx fourtier predict runs/clips/bundle new.mp4   recognise
`
}
