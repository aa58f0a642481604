/** Finds the state dictionary in what a checkpoint file holds, and flattens it to tensors by dotted name. */

import { FourtierError } from "@fourtier/tensor"
import { chooseSection, USUAL_SECTIONS } from "./choice.ts"
import { corrupt, refused } from "./errors.ts"
import { Dict, Instance, List, TensorRef, Tuple, type Value } from "./values.ts"

interface Parts extends Iterable<[Value, Value]> {
  get(name: string): Value | undefined
  keys(): Iterable<Value>
  values(): Iterable<Value>
}

const NOTHING: Parts = new Map<Value, Value>()
const LOOKED_AT = 10_000
const MAX_DEPTH = 64
const MAX_VALUES = 500_000

/** Tensors by name, and the section they come from ("" for the file's root). */
export interface State {
  section: string
  /** Other sections that hold a network's weights, by their path. */
  others: string[]
  tensors: Map<string, TensorRef>
}

/**
 * The state dictionary in a file's structure.
 *
 * @param wanted the section's path, "" for the root; undefined: the one that `chooseSection` takes
 * @param preferred sections to try before the usual ones, the wanted one first
 */
export function findState(root: Value, path: string, wanted?: string, preferred: readonly string[] = []): State {
  const { section, others, value } = wanted === undefined ? search(root, path, preferred) : follow(root, wanted, path)
  const tensors = flatten(value, path)
  if (tensors.size === 0) {
    throw new FourtierError({
      where: path,
      what: "no tensors found",
      expected: `a state dictionary, at the root or as one of ${USUAL_SECTIONS.join(", ")}`,
      found: namesOf(root),
      fix: "name the section that holds it (section), or save the state dictionary on its own",
    })
  }
  return { section, others, tensors }
}

interface Found {
  section: string
  others: string[]
  value: Value
}

function search(root: Value, path: string, preferred: readonly string[]): Found {
  let value = root
  const section: string[] = []
  const others: string[] = []
  while (value instanceof Dict && section.length < MAX_DEPTH) {
    const { entries } = value
    const choice = chooseSection(sectionsOf(value), path, preferred)
    others.push(...choice.others.map((name) => [...section, name].join(".")))
    if (choice.taken === null) break
    section.push(choice.taken)
    value = entries.get(choice.taken) ?? null
  }
  return { section: section.join("."), others, value }
}

/** The parts of a dictionary that hold tensors, and how many tensors are in it directly. */
function sectionsOf({ entries }: Dict): { names: Map<string, readonly string[]>; direct: number } {
  const names = new Map<string, readonly string[]>()
  let direct = 0
  for (const [key, part] of entries) {
    if (part instanceof TensorRef) direct++
    if (typeof key !== "string" || !holdsTensors(part)) continue
    const inner: string[] = []
    for (const name of partsOf(part).keys()) if (typeof name === "string" && inner.length < LOOKED_AT) inner.push(name)
    names.set(key, inner)
  }
  return { names, direct }
}

/** Follows a path whose steps are separated by dots; a key with dots in it is one step. */
function follow(root: Value, section: string, path: string): Found {
  let value = root
  let rest = section === "" ? [] : section.split(".")
  while (rest.length > 0) {
    const parts = partsOf(value)
    const steps = rest.map((_, i) => i + 1).findLast((count) => parts.get(rest.slice(0, count).join(".")) !== undefined)
    const next = steps === undefined ? undefined : parts.get(rest.slice(0, steps).join("."))
    if (next === undefined) {
      throw new FourtierError({ where: path, what: `no section named ${rest[0]}`, found: namesOf(value) })
    }
    value = next
    rest = rest.slice(steps)
  }
  return { section, others: [], value }
}

/** Whether a tensor lies in a dictionary or module, or in one directly inside it. Looks at its first parts only. */
function holdsTensors(value: Value | undefined): boolean {
  if (value === undefined) return false
  if (value instanceof Instance && value.className.startsWith("__torch__.")) return true
  let seen = 0
  for (const child of partsOf(value).values()) {
    if (child instanceof TensorRef) return true
    for (const grandchild of partsOf(child).values()) {
      if (grandchild instanceof TensorRef) return true
      if (++seen > LOOKED_AT) return false
    }
    if (++seen > LOOKED_AT) return false
  }
  return false
}

function flatten(root: Value, path: string): Map<string, TensorRef> {
  const tensors = new Map<string, TensorRef>()
  let seen = 0
  const visit = (value: Value, name: string, depth: number) => {
    if (++seen > MAX_VALUES || depth > MAX_DEPTH) throw refused(path, "endlessly nested structure", name.slice(0, 80))
    if (value instanceof TensorRef) {
      if (tensors.has(name)) throw corrupt(path, `two tensors named ${name}`)
      tensors.set(name, value)
      return
    }
    for (const [key, child] of partsOf(value)) {
      if (typeof key === "string" || typeof key === "number") {
        visit(child, depth === 0 ? String(key) : `${name}.${key}`, depth + 1)
      }
    }
  }
  if (!(root instanceof TensorRef)) visit(root, "", 0)
  return tensors
}

/** Named parts: a dictionary's values by key, a module's attributes, a list's items by index. */
function partsOf(value: Value): Parts {
  if (value instanceof Dict) return value.entries
  if (value instanceof Instance) return value.attributes.entries
  if (value instanceof List || value instanceof Tuple) return partsOfList(value.items)
  return NOTHING
}

function partsOfList(items: readonly Value[]): Parts {
  return {
    get: (name) => items[Number(name)],
    keys: () => items.keys(),
    values: () => items,
    [Symbol.iterator]: () => items.entries(),
  }
}

function namesOf(value: Value): string {
  const names: string[] = []
  for (const key of partsOf(value).keys()) {
    if (names.length === 20) break
    if (typeof key === "string" || typeof key === "number") names.push(String(key))
  }
  return names.join(", ") || "nothing by name"
}
