/**
 * One typed configuration from several layers.
 *
 *     preset ──► extended files ──► file ──► flags ──► --set a.b=c ──► overlays        (later wins)
 *
 * A layer is a partial tree. Groups merge key by key, over the schema's default where no lower layer sets the group;
 * lists and single values replace. A layer that changes the key that tells variants apart (`encoder.kind`) replaces the
 * whole group, because the keys of one variant mean nothing to another. A settings file may name its preset
 * (`preset: small`) and a file that it builds on (`extends: base.yaml`, relative to itself).
 */

import { dirname, extname, resolve } from "node:path"
import { isDeepStrictEqual } from "node:util"
import { FourtierError, messageOf, nearest } from "@fourtier/tensor"
import { Document, isCollection, isMap, isScalar, LineCounter, parseDocument, visit } from "yaml"
import type { z } from "zod"
import { discriminatorOf, dotted, isRecord, nodeAt, type Path, type SchemaNode, schemaNode, valueAt } from "./schema.ts"
import { complaintOf } from "./settings-errors.ts"
import { readForeignText } from "./text.ts"

export type SettingsTree = { [key: string]: unknown }

/** Settings from one origin, such as a file or a command line flag. */
export interface SettingsLayer {
  /** Shown to the user: "config.yaml", "--folds". */
  source: string
  values: SettingsTree
}

export interface SettingsOptions<S extends z.ZodType> {
  /** Nested strict objects with defaults. */
  schema: S
  presets?: Readonly<Record<string, SettingsTree>>
  /** The preset where nobody names one. */
  defaultPreset?: string
  /** New names of settings by their old ones, as dotted paths: an old name is an error that gives the new one. */
  renamed?: Readonly<Record<string, string>>
  /** A preset's name; wins over the one a file names. */
  preset?: string
  /** A YAML or JSON file. */
  file?: string
  /** Further layers, above the file and below `set`: command line flags of their own. */
  flags?: readonly SettingsLayer[]
  /** Assignments such as `train.lr=1e-3`, `prompts=[]`, `views.0.crop=centre`; the right side is YAML. */
  set?: readonly string[]
  /** Layers above all others: the settings of one cell of an ablation. */
  overlays?: readonly SettingsLayer[]
}

export interface Settings<T> {
  /** The checked settings with every default filled in. */
  value: T
  preset: string | undefined
  /** By dotted path, where each setting that differs from its default was set. */
  sources: ReadonlyMap<string, string>
  /** YAML of all settings, which can be loaded again; a comment says where those that differ from the default were set. */
  print(): string
}

interface FileLayers {
  preset: string | undefined
  /** Lowest first. */
  layers: SettingsLayer[]
}

/**
 * Merges the layers, checks them and fills in the defaults.
 * @throws FourtierError naming the setting's full path and origin, what was expected and found, and the nearest known name.
 */
export async function loadSettings<S extends z.ZodType>(options: SettingsOptions<S>): Promise<Settings<z.output<S>>> {
  const { schema, presets = {} } = options
  const root = schemaNode(schema)
  const fromFile = options.file === undefined ? noFile : await readLayers(options.file, [])
  const preset = options.preset ?? fromFile.preset ?? options.defaultPreset
  const layers = [...presetLayer(preset, presets), ...fromFile.layers, ...(options.flags ?? [])]

  const below = layers.reduce<SettingsTree>((merged, layer) => mergeTrees(merged, layer.values, root), {})
  const assigned = assignmentLayer(options.set ?? [])
  const above = [assigned, ...(options.overlays ?? [])]
  const merged = above.reduce<SettingsTree>((tree, layer) => mergeTrees(tree, layer.values, root), below)

  const parsed = schema.safeParse(merged)
  const origins = new Map<string, string>()
  for (const layer of [...layers, ...above]) recordOrigins(layer.values, layer.source, [], origins)
  if (!parsed.success) {
    throw complaintOf(parsed.error.issues, { root, input: merged, origins, renamed: options.renamed ?? {} })
  }

  const defaults = schema.safeParse({})
  const sources = differingSources(parsed.data, defaults.success ? defaults.data : {}, origins)
  return {
    value: parsed.data,
    preset,
    sources,
    print: () => printSettings(parsed.data, preset, sources),
  }
}

const noFile: FileLayers = { preset: undefined, layers: [] }

/** Reads a YAML or JSON file whose top level is a group of settings. */
export async function readSettingsFile(path: string): Promise<SettingsTree> {
  const kind = extname(path).toLowerCase()
  if (![".yaml", ".yml", ".json"].includes(kind)) {
    throw new FourtierError({ where: path, what: "not a settings file", expected: ".yaml, .yml or .json", found: kind })
  }
  const lines = new LineCounter()
  const document = parseDocument(await readForeignText(path), { lineCounter: lines })
  const [error] = document.errors
  if (error !== undefined) {
    const { line, col } = lines.linePos(error.pos[0])
    throw new FourtierError({
      where: `${path}:${line}:${col}`,
      what: "not valid YAML",
      found: error.message.split("\n")[0],
    })
  }
  const value: unknown = document.toJS() ?? {}
  if (!isRecord(value)) {
    throw new FourtierError({
      where: path,
      what: "not a group of settings",
      expected: "key: value",
      found: JSON.stringify(value),
    })
  }
  return value
}

async function readLayers(file: string, above: readonly string[]): Promise<FileLayers> {
  const path = resolve(file)
  if (above.includes(path)) {
    throw new FourtierError({ where: file, what: "the file extends itself", found: [...above, path].join(" -> ") })
  }
  const { preset, extends: base, ...values } = await readSettingsFile(path)
  const lower =
    base === undefined
      ? noFile
      : await readLayers(resolve(dirname(path), asName(base, path, "extends")), [...above, path])
  return {
    preset: preset === undefined ? lower.preset : asName(preset, path, "preset"),
    layers: [...lower.layers, { source: file, values }],
  }
}

function asName(value: unknown, path: string, key: string): string {
  if (typeof value === "string") return value
  throw new FourtierError({
    where: `${path}: ${key}`,
    what: "wrong type",
    expected: "a name",
    found: JSON.stringify(value),
  })
}

function presetLayer(preset: string | undefined, presets: Readonly<Record<string, SettingsTree>>): SettingsLayer[] {
  if (preset === undefined) return []
  const known = Object.keys(presets)
  if (!known.includes(preset)) {
    const near = nearest(preset, known)
    throw new FourtierError({
      where: "preset",
      what: "unknown preset",
      expected: known.length > 0 ? `one of ${known.join(", ")}` : "none: there are no presets",
      found: preset,
      ...(near === undefined ? {} : { fix: `did you mean ${near}?` }),
    })
  }
  return [{ source: `preset ${preset}`, values: presets[preset] }]
}

/** All `--set` assignments as one layer. Numbers in a path stay keys until the list they refer to is known. */
function assignmentLayer(assignments: readonly string[]): SettingsLayer {
  let values: SettingsTree = {}
  for (const text of assignments) {
    const equals = text.indexOf("=")
    const path = text
      .slice(0, Math.max(0, equals))
      .trim()
      .replace(/\[(\d+)\]/g, ".$1")
      .split(".")
    if (equals < 1 || path.includes("")) {
      throw new FourtierError({
        where: "--set",
        what: "not an assignment",
        expected: "path.to.setting=value",
        found: text,
      })
    }
    values = assign(values, path, parseValue(text.slice(equals + 1), path))
  }
  return { source: "--set", values }
}

function parseValue(text: string, path: readonly string[]): unknown {
  const document = parseDocument(text)
  const [error] = document.errors
  if (error !== undefined) {
    const found = `${text} (${messageOf(error).split("\n")[0]})`
    throw new FourtierError({ where: `--set ${path.join(".")}`, what: "the value is not valid YAML", found })
  }
  return document.toJS() ?? null
}

function assign(tree: unknown, path: readonly string[], value: unknown): SettingsTree {
  const [key, ...rest] = path
  const base = isRecord(tree) ? tree : {}
  const below = Object.hasOwn(base, key) ? base[key] : undefined
  if (rest.length > 0 && Array.isArray(below)) {
    return { ...base, [key]: mergeValues(below, assign({}, rest, value), {}) }
  }
  return Object.fromEntries([
    ...Object.entries(base).filter(([k]) => k !== key),
    [key, rest.length > 0 ? assign(below, rest, value) : value],
  ])
}

function isIndexed(value: unknown): value is Record<string, unknown> {
  return isRecord(value) && Object.keys(value).length > 0 && Object.keys(value).every((key) => /^\d+$/.test(key))
}

function mergeTrees(base: SettingsTree, overlay: SettingsTree, node: SchemaNode | undefined): SettingsTree {
  const discriminator = node === undefined ? undefined : discriminatorOf(node)
  if (
    discriminator !== undefined &&
    overlay[discriminator] !== undefined &&
    overlay[discriminator] !== base[discriminator]
  ) {
    return overlay
  }
  const merged = new Map(Object.entries(base))
  for (const [key, value] of Object.entries(overlay)) {
    const field = node === undefined ? undefined : nodeAt(node, [key], { ...base, ...overlay })
    merged.set(key, mergeValues(merged.get(key) ?? field?.default, value, field))
  }
  return Object.fromEntries(merged)
}

function mergeValues(base: unknown, overlay: unknown, node: SchemaNode | undefined): unknown {
  if (isRecord(base) && isRecord(overlay)) return mergeTrees(base, overlay, node)
  if (Array.isArray(base) && isIndexed(overlay)) {
    const list = [...base]
    for (const [key, value] of Object.entries(overlay)) {
      const index = Number(key)
      if (index > list.length) {
        throw new FourtierError({
          where: "--set",
          what: "no such list element",
          expected: `0 to ${list.length}`,
          found: key,
        })
      }
      list[index] = mergeValues(list[index], value, node === undefined ? undefined : nodeAt(node, [index], list))
    }
    return list
  }
  return overlay
}

function recordOrigins(value: unknown, source: string, path: Path, origins: Map<string, string>): void {
  if (path.length > 0) origins.set(dotted(path), source)
  if (isRecord(value)) {
    for (const [key, field] of Object.entries(value)) recordOrigins(field, source, [...path, key], origins)
  }
}

function differingSources(
  value: unknown,
  defaults: unknown,
  origins: ReadonlyMap<string, string>,
): Map<string, string> {
  const sources = new Map<string, string>()
  const walk = (path: Path, found: unknown) => {
    if (isRecord(found) && Object.keys(found).length > 0) {
      for (const [key, field] of Object.entries(found)) walk([...path, key], field)
      return
    }
    const source = origins.get(dotted(path))
    if (source !== undefined && !isDeepStrictEqual(found, valueAt(defaults, path))) sources.set(dotted(path), source)
  }
  walk([], value)
  return sources
}

function printSettings(value: unknown, preset: string | undefined, sources: ReadonlyMap<string, string>): string {
  const document = new Document(value, { aliasDuplicateObjects: false })
  visit(document, {
    Pair: (_, pair, ancestors) => {
      const path = [...ancestors, pair].flatMap((node) =>
        "key" in node && isScalar(node.key) ? [String(node.key.value)] : [],
      )
      if (isCollection(pair.value) && !isMap(pair.value) && pair.value.items.every(isScalar)) pair.value.flow = true
      if (isMap(pair.value) && pair.value.items.length > 0) return
      const source = sources.get(dotted(path))
      if (source === undefined) return
      if (isScalar(pair.value) || (isCollection(pair.value) && pair.value.flow)) pair.value.comment = ` ${source}`
      else if (isCollection(pair.value)) pair.value.commentBefore = ` ${source}`
    },
  })
  return `${preset === undefined ? "" : `# preset: ${preset}\n`}${document.toString({ lineWidth: 0 })}`
}
