/** `fourtier demo`: the whole method on rendered clips, with nothing but what npm installed. */

import { join, resolve } from "node:path"
import { formatSeconds } from "@fourtier/core"
import { terminalReporter } from "@fourtier/core/node"
import { DESCRIBED_SEED, demoClasses, demoCounts, generatePuppets, puppetDescriptions } from "@fourtier/puppets"
import { Command } from "commander"
import pc from "picocolors"
import { z } from "zod"
import { loadConfig } from "../config.ts"
import { Recognizer } from "../deploy/recognizer.ts"
import { runRecipe, type Until } from "../recipe.ts"
import { withFolderLock } from "../util/lock.ts"
import type { SettingsTree } from "../util/settings.ts"
import type { Clip } from "../video/manifest.ts"
import { framesAsText, showsColours } from "./demo-frames.ts"
import { wholeNumber } from "./doctor.ts"
import { interruptible } from "./shared.ts"

const optionsSchema = z.object({
  out: z.string(),
  seeds: z.number(),
  set: z.array(z.string()).optional(),
})

const DEMO: SettingsTree = {
  describe: { kind: "replay", file: resolve(puppetDescriptions()) },
}

export function demoCommand(): Command {
  return new Command("demo")
    .description("the whole method on rendered clips: about five minutes on two cores, nothing to download")
    .option("-o, --out <folder>", "where clips, features and the run go", join("runs", "demo"))
    .option("--seeds <n>", "training runs that differ in their seed", wholeNumber, 1)
    .option("--set <a.b=c...>", "single settings")
    .action(async (given) => {
      const { out, seeds, set } = optionsSchema.parse(given)
      await interruptible((signal) => withFolderLock(out, () => demo(out, seeds, set ?? [], signal)))
    })
}

async function demo(out: string, seeds: number, set: readonly string[], signal: AbortSignal): Promise<void> {
  const begun = performance.now()
  const reporter = terminalReporter()
  const data = join(out, "clips")

  reporter.say(pc.bold("1  clips: jointed figures, rendered here"))
  await generatePuppets({ classes: demoClasses, counts: demoCounts, seed: DESCRIBED_SEED, out: data }, reporter)
  signal.throwIfAborted()

  const recipe = async (folder: string, own: SettingsTree, until: Until) => {
    const settings = await loadConfig({
      set: [`cache=${JSON.stringify(join(out, "cache"))}`, `seeds=${seeds}`, ...set],
      flags: [{ source: "demo", values: { ...DEMO, ...own } }],
    })
    const result = await runRecipe(data, folder, settings.print(), { config: settings.value, reporter, signal }, until)
    process.stdout.write(`${result.report?.text ?? ""}\n`)
    return result
  }

  reporter.say(pc.bold("2  the recipe, with the recorded answers of a vision-language model"))
  const run = join(out, "run")
  const { splits } = await recipe(run, {}, "export")

  reporter.say(pc.bold("3  the same with one labelled clip a class: the answers tell the class of the others"))
  await recipe(join(out, "run-one-label"), { labelsPerClass: 1 }, "evaluate")

  reporter.say(pc.bold("4  the shipped model, on three clips it has never seen"))
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
        `${picture}\n${clip.path}\n  shows ${pc.bold(clip.label ?? "")}, recognised as: ${guesses}\n`,
      )
    }
  } finally {
    await recognizer.release()
  }
}

function farewell(run: string, seconds: number): string {
  return `
Done in ${formatSeconds(seconds)}. The report with its plots: ${join(run, "report.md")}
Your own clips, one folder a class; label one or two of each and leave the others in clips/ itself:
  npx fourtier doctor clips/                        what there is, and what is wrong with it
  npx fourtier describe clips/ -c config.yaml       a vision-language model describes the training clips: docs/describe.md
  npx fourtier run clips/ -c config.yaml            train, test and export
  npx fourtier predict runs/clips/bundle new.mp4    recognise
`
}
