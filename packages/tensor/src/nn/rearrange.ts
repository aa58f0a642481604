/** Axis changes written as a pattern: `rearrange(x, "b (t n) d -> (b t) n d", { t: 8 })` (after Rogozhnikov 2022). */

import { FourtierError } from "../errors.ts"
import { reshape, transpose } from "../ops/functions.ts"
import { showShape } from "../shape.ts"
import type { Tensor } from "../tensor.ts"

/**
 * Splits, reorders and joins axes; lengths that cannot be derived are given by name. `1` is an axis of length one. Throws a
 * FourtierError that names the pattern when it does not fit.
 *
 * @example
 * ```ts
 * import { input } from "@fourtier/tensor"
 * import { rearrange } from "@fourtier/tensor/nn"
 *
 * const x = input("x", [8, 196, 64])
 * rearrange(x, "b (t n) d -> (b t) n d", { t: 4 }).shape // [32, 49, 64]
 * ```
 */
export function rearrange(x: Tensor, pattern: string, lengths: Readonly<Record<string, number>> = {}): Tensor {
  const [left, right] = pattern.split("->").map(parseSide)
  const fail = (what: string) =>
    new FourtierError({
      where: `rearrange "${pattern}"`,
      what,
      found: `${showShape(x.shape)} ${JSON.stringify(lengths)}`,
    })
  if (left === undefined || right === undefined || left.length !== x.rank)
    throw fail("the pattern does not fit the tensor")

  const known = new Map(Object.entries(lengths))
  for (const [axis, group] of left.entries()) {
    const open = group.filter((name) => !known.has(name))
    const product = group.reduce((p, name) => p * (known.get(name) ?? 1), 1)
    if (open.length > 1) throw fail(`the lengths of ${open.join(", ")} cannot both be derived`)
    if (open.length === 1) known.set(open[0], x.shape[axis] / product)
    else if (product !== x.shape[axis]) throw fail(`axis ${axis} is not of length ${product}`)
  }
  const lengthOf = (name: string) => known.get(name) ?? 1
  if (left.flat().some((name) => !Number.isInteger(lengthOf(name)))) throw fail("a length does not divide its axis")

  const names = left.flat()
  const target = right.flat()
  if ([...names].sort().join() !== [...target].sort().join()) throw fail("both sides must name the same axes")
  const open = reshape(x, names.map(lengthOf))
  const ordered = transpose(
    open,
    target.map((name) => names.indexOf(name)),
  )
  return reshape(
    ordered,
    right.map((group) => group.reduce((p, name) => p * lengthOf(name), 1)),
  )
}

/** "b (t n) d" -> [["b"],["t","n"],["d"]]; an axis "1" is an empty group. */
function parseSide(side: string): string[][] {
  return [...side.matchAll(/\(([^)]*)\)|(\S+)/g)].map(([, group, name]) =>
    name === "1" ? [] : (group ?? name).trim().split(/\s+/).filter(Boolean),
  )
}
