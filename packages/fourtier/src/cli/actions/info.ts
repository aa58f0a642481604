/** The size and the cost of a configured network. */

import { plural } from "@fourtier/core"
import { countHeadFlops } from "@fourtier/core/model"
import type { Config } from "../../config.ts"
import { resolvePrompts } from "../../describe/prompts.ts"
import { openVisualEncoder } from "../../encoders/catalog.ts"
import { terminalTable } from "../../util/table.ts"
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
}

/** Prints a table of parts. `options` are those of `configOptions`, and the number of classes. */
export async function printInfo(options: InfoOptions): Promise<void> {
  const { classes } = options
  const { value: config } = await readConfig(options)
  const encoder = await openVisualEncoder(config.encoder)
  const { T, H, W, D } = encoder.size
  const prompts = resolvePrompts(config.prompts).prompts.map(({ id }) => id)
  const head = countHeadFlops(
    { ...encoder.size, D: config.model.width ?? D },
    classes,
    prompts,
    config.model,
    await textWidth(config),
  )
  const parts = [await encoder.flops(), ...head]
  const rows = [...parts, { part: "head", ...sum(head) }, { part: "all", ...sum(parts) }].map(
    ({ part, weights, macs }) => [part, millions(weights), (macs / 1e9).toFixed(3)],
  )
  process.stdout.write(
    `${encoder.name}: map of ${T} frames, ${H}×${W} places and ${D} channels; ` +
      `${plural(prompts.length, "prompt")}, ${plural(classes, "class", "classes")}\n`,
  )
  const columns = [
    { title: "part" },
    { title: "weights (M)", align: "right" as const },
    { title: "multiply-adds (G)", align: "right" as const },
  ]
  process.stdout.write(`${terminalTable(columns, rows)}\n`)
}

const sum = (parts: readonly { weights: number; macs: number }[]) => ({
  weights: parts.reduce((total, { weights }) => total + weights, 0),
  macs: parts.reduce((total, { macs }) => total + macs, 0),
})

const millions = (n: number) => (n / 1e6).toFixed(3)
