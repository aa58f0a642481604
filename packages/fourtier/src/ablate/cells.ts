/** From an ablation to its cells: each with the configuration that it stands for, or with the reason why it has none. */

import type { Method } from "@fourtier/core/model"
import { FourtierError } from "@fourtier/tensor"
import { hashJson } from "@fourtier/tensor/node"
import { type Config, type ConfigOptions, loadConfig } from "../config.ts"
import { checkStages } from "../experiment/check.ts"
import { promptsOf } from "../requirements.ts"
import type { SettingsTree } from "../util/settings.ts"
import type { Ablation } from "./definition.ts"

/** Why a cell is not run, and what would supply what it lacks. */
export interface Lacking {
  reason: string
  fix: string | null
}

export interface Cell {
  name: string
  /** The level of each axis; of an axis that is left as configured, none. */
  levels: Readonly<Record<string, string>>
  /** Its settings, in the order in which they are laid over the configuration. */
  overlays: readonly SettingsTree[]
  /** Null where the settings contradict each other. */
  config: Config | null
  lacking: Lacking | null
}

/** The name of the cell with all settings as they are, where each level stands by itself. */
export const AS_CONFIGURED = "as configured"

interface Choice {
  axis: string
  level: string
  overlay: SettingsTree
}

/**
 * The cells of an ablation, in the order of the table. With `combine: one`, levels that change nothing are left out: they are what
 * the others are compared with.
 * @param options the configuration that the cells are laid over
 * @throws FourtierError for settings that there are not, two cells of one name, or an unknown reference
 *
 * @example
 * ```ts
 * import { ablationSchema, cellsOf } from "fourtier/ablate"
 *
 * const axes = { blocks: { one: { model: { blocks: 1 } }, two: { model: { blocks: 2 } } } }
 * const cells = await cellsOf(ablationSchema.parse({ title: "Blocks", axes }), {}, "blocks")
 * cells.map(({ name }) => name) // ["one", "two"]
 * ```
 */
export async function cellsOf(
  ablation: Ablation,
  options: ConfigOptions,
  source: string,
  control = false,
): Promise<Cell[]> {
  const axes = Object.entries(ablation.axes).map(([axis, levels]) =>
    Object.entries(levels).map(([level, overlay]): Choice => ({ axis, level, overlay })),
  )
  const choices =
    ablation.combine === "all"
      ? axes.reduce<Choice[][]>((rows, axis) => rows.flatMap((row) => axis.map((choice) => [...row, choice])), [[]])
      : [[], ...axes.flat().map((choice) => [choice])]
  const cells: Cell[] = []
  for (const own of choices) cells.push(await cellOf(own, ablation, options, source, control))
  const [first] = cells
  const differing =
    ablation.combine === "all"
      ? cells
      : [first, ...cells.slice(1).filter(({ config }) => hashJson(config) !== hashJson(first.config))]
  checkNames(differing, ablation, source)
  return differing
}

/** The cell that the others are compared with. */
export function referenceOf(cells: readonly Cell[], { reference, combine }: Ablation): string {
  return reference ?? (combine === "one" ? AS_CONFIGURED : (cells.at(-1)?.name ?? ""))
}

async function cellOf(
  choices: readonly Choice[],
  ablation: Ablation,
  options: ConfigOptions,
  source: string,
  control: boolean,
): Promise<Cell> {
  const shown = ablation.combine === "one" && choices.length > 0 ? `${choices[0].axis}: ` : ""
  const name = choices.length === 0 ? AS_CONFIGURED : `${shown}${choices.map(({ level }) => level).join(", ")}`
  const layers = [
    { source: `${source}: base`, values: ablation.base },
    ...choices.map(({ axis, level, overlay }) => ({ source: `${source}: axes.${axis}.${level}`, values: overlay })),
  ]
  const { value } = await loadConfig({ ...options, overlays: [...(options.overlays ?? []), ...layers] })
  const config = { ...value, methods: methodsOf(value, ablation.methods, control) }
  const common = {
    name,
    levels: Object.fromEntries(choices.map(({ axis, level }) => [axis, level])),
    overlays: layers.map(({ values }) => values).filter((values) => Object.keys(values).length > 0),
  }
  try {
    checkStages(config)
    return { ...common, config, lacking: null }
  } catch (error) {
    if (!(error instanceof FourtierError)) throw error
    return { ...common, config: null, lacking: lackingOf(error) }
  }
}

/** What an error says, as the reason why a cell is not run. */
export function lackingOf({ complaint, message }: FourtierError): Lacking {
  const { where, what, found, fix } = complaint
  const reason = [where === undefined ? what : `${where}: ${what}`, ...(found === undefined ? [] : [`(${found})`])]
  return { reason: what === undefined ? message : reason.join(" "), fix: fix ?? null }
}

/** What a cell trains: where there are no prompts, the network without them. */
function methodsOf(config: Config, methods: readonly Method[], control: boolean): Method[] {
  const bare = promptsOf(config).prompts.length === 0
  const own = methods.map((method) => (bare && method === "full" ? "baseline" : method))
  const withControl = control && own.includes("full") ? [...own, "full-shuffled" as const] : own
  return [...new Set(bare ? withControl.filter((method) => method !== "full-shuffled") : withControl)]
}

function checkNames(cells: readonly Cell[], ablation: Ablation, source: string): void {
  const names = cells.map(({ name }) => name)
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) {
    const fix = "give every level a name of its own"
    throw new FourtierError({ where: source, what: "two cells have the same name", found: twice, fix })
  }
  const reference = referenceOf(cells, ablation)
  if (names.includes(reference)) return
  throw new FourtierError({
    where: `${source}: reference`,
    what: "no such cell",
    expected: names.join("; "),
    found: reference,
  })
}
