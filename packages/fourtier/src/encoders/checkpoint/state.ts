/** Finds the state dictionary in what a checkpoint file holds, and flattens it to tensors by dotted name. */

import { FourtierError } from "@fourtier/tensor"
import { corrupt, refused } from "./errors.ts"
import { Dict, Instance, List, TensorRef, Tuple, type Value } from "./values.ts"

/** Where training scripts put the weights, the most likely place first. */
const SECTIONS = ["model", "module", "model_state", "state_dict", "model_state_dict", "net", "network", "weights"]

/** Put before every name by wrappers for parallel or compiled training. */
const WRAPPERS = ["module.", "_orig_mod."]

interface Parts extends Iterable<[Value, Value]> {
  get(name: string): Value | undefined
  keys(): Iterable<Value>
  values(): Iterable<Value>
}

const NOTHING: Parts = new Map<Value, Value>()
const LOOKED_AT = 10_000
const MAX_DEPTH = 64
const MAX_VALUES = 500_000

export interface StateOptions {
  /** The section to take, for example "model_ema" or "ema.state_dict". Without it, the usual names are tried. */
  section?: string
  /** Only names that begin with this, without it: for example "visual.". */
  prefix?: string
}

/** Tensors by name, and the section they come from ("" for the file's root). */
export interface State {
  section: string
  tensors: Map<string, TensorRef>
}

export function findState(root: Value, path: string, options: StateOptions): State {
  const { section, value } = options.section === undefined ? search(root) : follow(root, options.section, path)
  const tensors = flatten(value, path)
  if (tensors.size === 0) {
    throw new FourtierError({
      where: path,
      what: "no tensors found",
      expected: `a state dictionary, at the root or as one of ${SECTIONS.join(", ")}`,
      found: namesOf(root),
      fix: "save the state dictionary on its own, or read it with openCheckpoint and its option section",
    })
  }
  return { section, tensors }
}

/** Drops wrappers' prefixes that all names share, then keeps those under `prefix`, without it. */
export function renameKeys(names: readonly string[], path: string, prefix = ""): Map<string, string> {
  let common = ""
  for (let again = true; again && names.length > 0; ) {
    const wrapper = WRAPPERS.find((candidate) => names.every((name) => name.startsWith(common + candidate)))
    again = wrapper !== undefined
    common += wrapper ?? ""
  }
  const renamed = new Map<string, string>()
  for (const name of names) {
    const bare = name.slice(common.length)
    if (bare.startsWith(prefix)) renamed.set(bare.slice(prefix.length), name)
  }
  if (renamed.size === 0 && prefix !== "") {
    const first = [...new Set(names.map((name) => name.slice(common.length).split(".")[0]))].slice(0, 20)
    throw new FourtierError({
      where: path,
      what: `no tensor's name begins with ${JSON.stringify(prefix)}`,
      found: `names that begin with ${first.join(", ")}`,
    })
  }
  return renamed
}

function search(root: Value): { section: string; value: Value } {
  let value = root
  const section: string[] = []
  while (value instanceof Dict && section.length < MAX_DEPTH) {
    const { entries } = value
    const next = SECTIONS.find((name) => holdsTensors(entries.get(name)))
    if (next === undefined) break
    section.push(next)
    value = entries.get(next) ?? null
  }
  return { section: section.join("."), value }
}

function follow(root: Value, section: string, path: string): { section: string; value: Value } {
  let value = root
  for (const name of section === "" ? [] : section.split(".")) {
    const next = partsOf(value).get(name)
    if (next === undefined) {
      throw new FourtierError({ where: path, what: `no section named ${name}`, found: namesOf(value) })
    }
    value = next
  }
  return { section, value }
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
