/** The size and the cost of a configured network. */

import { plural } from "@fourtier/core"
import { countViews } from "@fourtier/core/frames"
import { type Flops, FourtierError } from "@fourtier/tensor"
import type { Config } from "../../config.ts"
import { resolvePrompts } from "../../describe/prompts.ts"
import { openVisualEncoder } from "../../encoders/catalog.ts"
import { headCost } from "../../encoders/cost.ts"
import type { VisualEncoder } from "../../encoders/encoder.ts"
import { publishedCost } from "../../evaluate/published.ts"
import { terminalTable, wrapText } from "../../util/table.ts"
import { readConfig } from "./read-config.ts"

/** Dt, where the network depends on it. */
async function textWidth({ model, text }: Config): Promise<number> {
  if (model.processors === "visual") return 0
  const { openTextEncoder } = await import("../../text/targets.ts")
  const encoder = await openTextEncoder(text)
  await encoder.release()
  return encoder.width
}

export interface InfoOptions {
  config?: string
  classes: number
  whole?: boolean
}

/** Prints a table of parts. `options` are those of `configOptions`, and the number of classes. */
export async function printInfo(options: InfoOptions): Promise<void> {
  const { classes, whole = false } = options
  const { value: config } = await readConfig(options)
  const encoder = await openVisualEncoder(config.encoder)
  const { T, H, W, D } = encoder.size
  const prompts = resolvePrompts(config.prompts).prompts.map(({ id }) => id)
  const head = headCost(encoder, { classes, prompts, model: config.model, textWidth: await textWidth(config) })
  const counted = whole ? await wholeOf(encoder) : await encoder.flops()
  const parts = [counted, ...head]
  const all = sum(parts)
  const rows = [...parts, { part: "head", ...sum(head) }, { part: "all", ...all }].map(({ part, weights, macs }) => [
    part,
    millions(weights),
    (macs / 1e9).toFixed(3),
  ])
  const columns = [
    { title: "part" },
    { title: "weights (M)", align: "right" as const },
    { title: "multiply-adds (G)", align: "right" as const },
  ]
  const lines = [
    `${encoder.name}: map of ${T} frames, ${H}×${W} places and ${D} channels; ${plural(prompts.length, "prompt")}, ${plural(classes, "class", "classes")}`,
    shownPart(encoder, whole),
  ]
  process.stdout.write(`${lines.map((line) => wrapText(line)).join("\n")}\n${terminalTable(columns, rows)}\n`)
  for (const line of viewLines(config, encoder, counted.macs, all.macs, prompts.length > 0)) {
    process.stdout.write(`${wrapText(line)}\n`)
  }
}

async function wholeOf(encoder: VisualEncoder): Promise<Flops> {
  if (encoder.whole) return encoder.whole()
  throw new FourtierError({
    where: "--whole",
    what: `the whole published network of the encoder ${encoder.name} is not known`,
    expected: "encoder.kind=uniformerv2, whose map needs a part of it alone",
    fix: "leave --whole out: what the map needs is shown then",
  })
}

function shownPart({ whole }: VisualEncoder, shown: boolean): string {
  if (shown) return "Encoder: the whole network as it was published, without its classification layer."
  const more = whole ? " (--whole: as it was published)" : ""
  return `Encoder: the part of its network that the map needs${more}.`
}

/** What a clip costs at test, beside what the paper's tables say. */
function viewLines(config: Config, encoder: VisualEncoder, encoderMacs: number, macs: number, ftp: boolean): string[] {
  const { sampling, test } = config.views
  const counted = countViews({ sampling: { ...sampling, clips: test.clips }, steps: test.steps })
  const [clips, crops] = [counted.clips, test.crops ?? counted.crops]
  const network = { encoder: encoder.name, frames: encoder.frames, resolution: encoder.resolution, clips, crops }
  const tera = (perView: number) => `${((clips * crops * perView) / 1e12).toFixed(3)} T`
  const beside = (processors: boolean) => {
    const found = publishedCost({ ...network, ftp: processors })
    if (!found) return ""
    const weights = found.weights === null ? "" : `${found.weights} M weights, `
    return ` (${found.name} in the paper's ${found.table}: ${weights}${found.tflops} T)`
  }
  const folded =
    beside(false) === ""
      ? []
      : ["The paper counts keys and values in UniFormerV2's global blocks that are folded away here."]
  return [
    `A clip of ${clips}×${crops} views: encoder ${tera(encoderMacs)}${beside(false)}, all ${tera(macs)}${ftp ? beside(true) : ""} multiply-adds.`,
    ...folded,
  ]
}

const sum = (parts: readonly { weights: number; macs: number }[]) => ({
  weights: parts.reduce((total, { weights }) => total + weights, 0),
  macs: parts.reduce((total, { macs }) => total + macs, 0),
})

const millions = (n: number) => (n / 1e6).toFixed(3)
