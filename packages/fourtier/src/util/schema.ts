/**
 * What a zod schema says about a place in a settings tree, in words: which keys it knows, what it expects there, which
 * variant of a union a value picks. Works on the schema's JSON Schema form (input side).
 */

import { nearest } from "@fourtier/tensor"
import { z } from "zod"

/** The part of JSON Schema that zod 4 writes for settings. */
export type SchemaNode = z.core.JSONSchema.BaseSchema

export type Path = readonly (string | number)[]

export interface SettingInfo {
  /** Dotted path; `*` stands for any key of a record, `[]` for any element of a list. */
  path: string
  /** What may stand there, in words: "a whole number, at least 1". */
  expected: string
  default: unknown
  description: string | undefined
}

export function schemaNode(schema: z.ZodType): SchemaNode {
  return z.toJSONSchema(schema, { io: "input", unrepresentable: "any", reused: "inline" })
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === "object" && !Array.isArray(value)
}

/** "a.b[0].c" */
export function dotted(path: Path): string {
  return path.map((part, i) => (typeof part === "number" ? `[${part}]` : i === 0 ? part : `.${part}`)).join("")
}

/** The value at `path`, or undefined. */
export function valueAt(value: unknown, path: Path): unknown {
  let place = value
  for (const part of path) {
    if (Array.isArray(place)) place = place[Number(part)]
    else if (isRecord(place) && Object.hasOwn(place, String(part))) place = place[part]
    else return undefined
  }
  return place
}

function isNode(value: unknown): value is SchemaNode {
  return isRecord(value)
}

function alternatives(node: SchemaNode): SchemaNode[] {
  const options = [...(node.oneOf ?? []), ...(node.anyOf ?? [])].filter(isNode)
  return options.length > 0 ? options.flatMap(alternatives) : [node]
}

function properties(node: SchemaNode): [string, SchemaNode][] {
  return Object.entries(node.properties ?? {}).filter((entry): entry is [string, SchemaNode] => isNode(entry[1]))
}

/** The key that tells the object variants of a union apart (a constant in every one of them), if there is one. */
export function discriminatorOf(node: SchemaNode): string | undefined {
  const variants = alternatives(node).filter((option) => option.properties !== undefined)
  if (variants.length < 2) return undefined
  const [first, ...others] = variants
  return properties(first)
    .filter(([, field]) => field.const !== undefined)
    .map(([key]) => key)
    .find((key) => others.every((variant) => properties(variant).some(([k, f]) => k === key && f.const !== undefined)))
}

/** The variants that `value` may be: the one that its discriminator names, otherwise all. */
function variantsFor(node: SchemaNode, value: unknown): SchemaNode[] {
  const options = alternatives(node)
  const key = discriminatorOf(node)
  if (key === undefined || !isRecord(value) || value[key] === undefined) return options
  const chosen = options.filter((option) => properties(option).some(([k, f]) => k === key && f.const === value[key]))
  return chosen.length > 0 ? chosen : options
}

/** The schema of the place `path` inside `node`, where `value` is what stands in it; undefined for an unknown place. */
export function nodeAt(node: SchemaNode, path: Path, value: unknown): SchemaNode | undefined {
  if (path.length === 0) return node
  const [part, ...rest] = path
  const found: SchemaNode[] = []
  for (const option of variantsFor(node, value)) {
    const field = properties(option).find(([key]) => key === part)?.[1]
    const more = option.additionalProperties
    const element = option.prefixItems?.[Number(part)] ?? option.items
    if (field !== undefined) found.push(field)
    else if (isNode(more)) found.push(more)
    else if (typeof part === "number" && isNode(element)) found.push(element)
  }
  if (found.length === 0) return undefined
  return nodeAt(found.length === 1 ? found[0] : { anyOf: found }, rest, valueAt(value, [part]))
}

/** Keys that the place holding `value` may have. */
export function keysAt(node: SchemaNode, value: unknown): string[] {
  return [...new Set(variantsFor(node, value).flatMap((option) => properties(option).map(([key]) => key)))]
}

/** What may stand at a place, in words. */
export function expectation(node: SchemaNode): string {
  const options = alternatives(node)
  const texts = [...new Set(options.flatMap((option) => describe(option)))]
  const constants = texts.filter((text) => text.startsWith('"'))
  const others = texts.filter((text) => !text.startsWith('"'))
  const choice = constants.length > 1 ? `one of ${constants.join(", ")}` : constants.join("")
  return [...others, choice].filter((text) => text !== "").join(" or ")
}

function describe(node: SchemaNode): string[] {
  if (node.const !== undefined) return [JSON.stringify(node.const)]
  if (node.enum !== undefined) return node.enum.map((value) => JSON.stringify(value))
  const types: string[] = Array.isArray(node.type) ? node.type : node.type === undefined ? [] : [node.type]
  if (types.length === 0) return ["a value"]
  return types.map((type) => {
    if (type === "number" || type === "integer")
      return `${type === "number" ? "a number" : "a whole number"}${bounds(node)}`
    if (type === "string") return node.minLength ? "a non-empty string" : "a string"
    if (type === "boolean") return "true or false"
    if (type === "array") return describeList(node)
    if (type === "object") return describeObject(node)
    return type
  })
}

function bounds(node: SchemaNode): string {
  const limit = Number.MAX_SAFE_INTEGER
  const parts: string[] = []
  if (node.minimum !== undefined && node.minimum > -limit) parts.push(`at least ${node.minimum}`)
  if (node.exclusiveMinimum !== undefined) parts.push(`above ${node.exclusiveMinimum}`)
  if (node.maximum !== undefined && node.maximum < limit) parts.push(`at most ${node.maximum}`)
  if (node.exclusiveMaximum !== undefined) parts.push(`below ${node.exclusiveMaximum}`)
  if (node.multipleOf !== undefined) parts.push(`a multiple of ${node.multipleOf}`)
  return parts.length > 0 ? `, ${parts.join(", ")}` : ""
}

function describeList(node: SchemaNode): string {
  if (node.prefixItems !== undefined) return `a list of ${node.prefixItems.length} values`
  const least = node.minItems ? `, at least ${elements(node.minItems)}` : ""
  const most = node.maxItems !== undefined ? `, at most ${elements(node.maxItems)}` : ""
  return `${isNode(node.items) ? `a list, each element ${expectation(node.items)}` : "a list"}${least}${most}`
}

const elements = (count: number) => `${count} ${count === 1 ? "element" : "elements"}`

function describeObject(node: SchemaNode): string {
  const keys = properties(node).map(([key]) => key)
  return keys.length > 0 ? `a group of settings (${keys.join(", ")})` : "a group of settings"
}

/** Every setting that a schema knows, in the schema's order: for help texts, documentation and suggestions. */
export function listSettings(schema: z.ZodType): SettingInfo[] {
  return listNode(schemaNode(schema), "")
}

function listNode(node: SchemaNode, path: string): SettingInfo[] {
  const places = new Map<string, SchemaNode[]>()
  collect(node, path, places)
  return [...places].map(([place, nodes]) => ({
    path: place,
    expected: expectation(nodes.length === 1 ? nodes[0] : { anyOf: nodes }),
    default: nodes.find((one) => one.default !== undefined)?.default,
    description: nodes.find((one) => one.description !== undefined)?.description,
  }))
}

/** Every place at and below `node`, each with what its variants say of it; groups alone are no places. */
function collect(node: SchemaNode, path: string, places: Map<string, SchemaNode[]>): void {
  const options = alternatives(node)
  if (options.some((option) => option.properties === undefined)) places.set(path, [...(places.get(path) ?? []), node])
  for (const option of options) {
    const fields = properties(option)
    for (const [key, field] of fields) collect(field, path === "" ? key : `${path}.${key}`, places)
    if (isNode(option.additionalProperties) && fields.length === 0) {
      collect(option.additionalProperties, path === "" ? "*" : `${path}.*`, places)
    }
    if (isNode(option.items) && alternatives(option.items).some((item) => item.properties !== undefined)) {
      collect(option.items, `${path}[]`, places)
    }
  }
}

/** What the writer of an unknown key may have meant: a sentence with full dotted paths. */
export function suggestion(root: SchemaNode, parent: Path, key: string, value: unknown): string | undefined {
  const place = nodeAt(root, parent, value)
  const variant = place === undefined ? undefined : discriminatorOf(place)
  const all = listNode(root, "").map((info) => info.path)
  const own = dotted([...parent, key])
  if (variant !== undefined && all.includes(own)) return `it belongs to another ${dotted([...parent, variant])}`
  const siblings = place === undefined ? [] : keysAt(place, valueAt(value, parent))
  const near = nearest(key, siblings)
  const sameName = all.filter((path) => path.split(".").at(-1) === key).slice(0, 3)
  const far = nearest(own, all) ?? all.find((path) => nearest(key, [path.split(".").at(-1) ?? ""]))
  const meant = near !== undefined ? [dotted([...parent, near])] : sameName.length > 0 ? sameName : far ? [far] : []
  return meant.length > 0 ? `did you mean ${meant.join(" or ")}?` : undefined
}
