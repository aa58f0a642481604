/** `fourtier align`: stage 1 over several data sets, and how well it did. */

import { terminalReporter } from "@fourtier/core/node"
import { alignSets } from "../../align.ts"
import type { AlignmentCard } from "../../experiment/alignment.ts"
import { withFolderLock } from "../../util/lock.ts"
import { type Column, terminalTable } from "../../util/table.ts"
import { ENDING, interruptible } from "../interrupt.ts"
import { readConfig } from "./read-config.ts"
import { together } from "./together.ts"

/** Makes the alignment and prints its retrieval. `options` are those of `configOptions`, and `out`. */
export async function runAlign(data: readonly string[], options: { out: string }): Promise<void> {
  const { value: config, print } = await readConfig(options)
  await together(async (ranks) => {
    const { card } = await interruptible(
      (signal) =>
        withFolderLock(options.out, () =>
          alignSets(data, options.out, print(), { config, reporter: terminalReporter(), signal, ranks }),
        ),
      ranks && ENDING,
    )
    process.stdout.write(`${describeCard(card)}\nalignment: ${options.out}\n`)
  })
}

function describeCard({ sets, retrieval, space }: AlignmentCard): string {
  const prompts = space.prompts.map(({ id }) => id)
  const columns: Column[] = [
    { title: "set" },
    ...["clips", "described", ...prompts].map((title): Column => ({ title, align: "right" })),
  ]
  const total = (pick: (set: (typeof sets)[number]) => number) => sets.reduce((sum, set) => sum + pick(set), 0)
  const all = { name: "all", clips: total(({ clips }) => clips), described: total((set) => set.described), retrieval }
  const rows = (sets.length > 1 ? [...sets, all] : sets).map((set) => [
    set.name,
    String(set.clips),
    String(set.described),
    ...prompts.map((prompt) => set.retrieval[prompt]?.skill.toFixed(2) ?? "–"),
  ])
  const legend = "Columns of prompts: held-out clips find their own answers; 1: always first, 0: by chance."
  return `${terminalTable(columns, rows)}\n${legend}`
}
