/**
 * Groups items by a key, in order of first appearance.
 *
 * @example
 * ```ts
 * import { groupBy } from "@fourtier/core"
 *
 * groupBy(["ant", "bee", "ape"], (word) => word[0]) // Map { "a" => ["ant", "ape"], "b" => ["bee"] }
 * ```
 */
export function groupBy<Item, Key>(items: Iterable<Item>, keyOf: (item: Item) => Key): Map<Key, Item[]> {
  const groups = new Map<Key, Item[]>()
  for (const item of items) {
    const key = keyOf(item)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [item])
    else group.push(item)
  }
  return groups
}

/**
 * Each item once, in the order of their first appearance.
 *
 * @example
 * ```ts
 * import { distinct } from "@fourtier/core"
 *
 * distinct([2, 1, 2]) // [2, 1]
 * ```
 */
export function distinct<T>(items: Iterable<T>): T[] {
  return [...new Set(items)]
}
