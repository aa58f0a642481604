/**
 * An ablation as data: named overlays over the configuration, in axes. The built-in ones (`built-in.ts`) are written like this
 * too; `fourtier ablate <name> --show` prints them.
 *
 * ```yaml
 * title: Width and blocks
 * combine: all                        # a cell for every combination; one: each level by itself
 * reference: "64, two"                # the cell that the others are compared with
 * axes:
 *   width: { "32": { model: { width: 32 } }, "64": { model: { width: 64 } } }
 *   blocks: { one: { model: { blocks: 1 } }, two: { model: { blocks: 2 } } }
 * ```
 */

import { METHOD_NAMES } from "@fourtier/core/model"
import { FourtierError, nearest } from "@fourtier/tensor"
import { z } from "zod"
import { readSettingsFile } from "../util/settings.ts"

const overlay = z.record(z.string(), z.unknown())
const methods = z.array(z.enum(METHOD_NAMES)).min(1)

export const ablationSchema = z.strictObject({
  title: z.string().min(1).describe("heading of the tables"),
  combine: z
    .enum(["all", "one"])
    .default("all")
    .describe(
      "all: a cell for every combination of levels; one: a cell for each level by itself, beside the settings as they are",
    ),
  methods: methods
    .default(["full"])
    .describe("what each cell trains; cells without prompts train the baseline instead of the full method"),
  base: overlay.default({}).describe("settings of every cell, over those of the configuration"),
  reference: z
    .string()
    .optional()
    .describe(
      "the cell that the others are compared with; default: the last one, with `combine: one` the settings as they are",
    ),
  axes: z
    .record(z.string(), z.record(z.string(), overlay))
    .describe("by axis, then level: settings over all others; a level's name stands in the table"),
  ticks: z
    .record(z.string(), z.array(z.string()).min(1))
    .default({})
    .describe("by axis: names that its levels are made of, joined by +; the table has a column with ticks for each"),
  across: z
    .boolean()
    .default(false)
    .describe("whether the first table has its cells side by side, not one below the other"),
  notes: z.array(z.string()).default([]).describe("lines below the tables"),
})

export type Ablation = z.output<typeof ablationSchema>

/** What `fourtier ablate` is told about a user's file. */
const FIX = "docs/ablations.md shows what such a file looks like; fourtier ablate prompts <data> --show prints one"

/**
 * Reads an ablation from a YAML or JSON file.
 * @throws FourtierError that names the file and what is wrong in it
 *
 * @example
 * ```ts
 * import { readAblation } from "fourtier/ablate"
 *
 * const { axes } = await readAblation("my-cells.yaml")
 * ```
 */
export async function readAblation(file: string): Promise<Ablation> {
  const parsed = ablationSchema.safeParse(await readSettingsFile(file))
  if (parsed.success) {
    const empty = Object.entries(parsed.data.axes).find(([, levels]) => Object.keys(levels).length === 0)
    if (Object.keys(parsed.data.axes).length > 0 && !empty) return parsed.data
    throw new FourtierError({
      where: `${file}: ${empty ? `axes.${empty[0]}` : "axes"}`,
      what: "an ablation without cells",
      expected: "levels with the settings of each, such as width: { narrow: { model: { width: 32 } } }",
      fix: FIX,
    })
  }
  const [issue] = parsed.error.issues
  const known = Object.keys(ablationSchema.shape)
  const key = issue.code === "unrecognized_keys" ? issue.keys[0] : undefined
  const near = key === undefined ? undefined : nearest(key, known)
  throw new FourtierError({
    where: [`${file}:`, [...issue.path, ...(key === undefined ? [] : [key])].join(".")].join(" "),
    what: key === undefined ? issue.message : "no such entry of an ablation",
    ...(key === undefined ? {} : { expected: known.join(", ") }),
    fix: near === undefined ? FIX : `did you mean ${near}?`,
  })
}
