/** Compares a file's tensors with a model's weights: a missing, extra or mis-shaped key is an error that names it. */

import { FourtierError, nearest } from "../errors.ts"
import type { Shape } from "../shape.ts"

export interface MatchOptions {
  /** The file, for the error. */
  where?: string
  /** How the file spells a name, where that is not the model's own: for the error. */
  spelling?: (name: string) => string
  /** Weights that the file may lack. */
  allowMissing?: (name: string) => boolean
  /** Tensors of the file that may go unused. */
  allowExtra?: (name: string) => boolean
}

/** What to load, and what the options let pass. All names sorted. */
export interface WeightMatch {
  matched: string[]
  missing: string[]
  extra: string[]
}

const SHOWN = 20

/**
 * Compares expected weights with a file's tensors, by name and shape.
 * @param expected shape of every weight of the model
 * @param found shape of every tensor of the file
 * @throws FourtierError that lists missing, extra and mis-shaped keys (the first 20 of each, and how many there are)
 *
 * @example
 * ```ts
 * import { matchWeights } from "@fourtier/tensor/nn"
 *
 * const expected = new Map([["linear.weight", [64, 10]]])
 * const found = new Map([["linear.weight", [64, 10]], ["step", []]])
 * matchWeights(expected, found, { allowExtra: (name) => name === "step" }).matched // ["linear.weight"]
 * ```
 */
export function matchWeights(
  expected: ReadonlyMap<string, Shape>,
  found: ReadonlyMap<string, Shape>,
  options: MatchOptions = {},
): WeightMatch {
  const { spelling } = options
  const shown = (name: string) => {
    const inFile = spelling?.(name) ?? name
    return inFile === name ? name : `${inFile} (the model's ${name})`
  }
  const matched: string[] = []
  const missing: string[] = []
  const wrong: string[] = []
  for (const [name, shape] of [...expected].sort(byName)) {
    const other = found.get(name)
    if (!other) missing.push(name)
    else if (String(other) === String(shape) && other.length === shape.length) matched.push(name)
    else wrong.push(`${shown(name)}: expected [${shape.join(", ")}], found [${other.join(", ")}]`)
  }
  const extra = [...found.keys()].filter((name) => !expected.has(name)).sort()
  const lacking = missing.filter((name) => !options.allowMissing?.(name))
  const unused = extra.filter((name) => !options.allowExtra?.(name))
  if (lacking.length + unused.length + wrong.length > 0) {
    throw new FourtierError({
      where: options.where,
      what: "weights do not match the model",
      expected: `${expected.size} weights`,
      found: [
        `${matched.length} that match`,
        ...list("missing", lacking, (name) => `${shown(name)}${nearestHint(name, unused, spelling)}`),
        ...list("extra", unused, (name) => spelling?.(name) ?? name),
        ...list("mis-shaped", wrong, (text) => text),
      ].join("\n"),
      fix: prefixFix(lacking, unused) ?? "check that the checkpoint belongs to this model and its sizes",
    })
  }
  return { matched, missing, extra }
}

/** What to do where the unused keys are missing ones with something before them, at least half of them. */
function prefixFix(missing: readonly string[], unused: readonly string[]): string | undefined {
  const wanted = new Set(missing)
  const counts = new Map<string, number>()
  for (const key of unused) {
    for (let dot = key.indexOf("."); dot >= 0; dot = key.indexOf(".", dot + 1)) {
      const prefix = key.slice(0, dot + 1)
      if (wanted.has(key.slice(prefix.length))) counts.set(prefix, (counts.get(prefix) ?? 0) + 1)
    }
  }
  const most = Math.max(0, ...counts.values())
  if (most === 0 || 2 * most < missing.length) return undefined
  const best = [...counts.keys()].filter((prefix) => counts.get(prefix) === most).join(" or ")
  return `names in the file have ${best} before them: set the prefix to ${best}`
}

function list(title: string, names: readonly string[], show: (name: string) => string): string[] {
  if (names.length === 0) return []
  const more = names.length > SHOWN ? [`      and ${names.length - SHOWN} more`] : []
  return [`    ${title} (${names.length}):`, ...names.slice(0, SHOWN).map((name) => `      ${show(name)}`), ...more]
}

/** A hint where one of the unused keys ends with the missing one, or resembles it. */
function nearestHint(name: string, unused: readonly string[], spelling: MatchOptions["spelling"]): string {
  const prefixed = unused.find((key) => key.endsWith(`.${name}`))
  const hint = prefixed ?? (unused.length <= SHOWN ? nearest(name, unused) : undefined)
  return hint === undefined ? "" : ` (is it ${spelling?.(hint) ?? hint}?)`
}

function byName(a: readonly [string, Shape], b: readonly [string, Shape]): number {
  return a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0
}
